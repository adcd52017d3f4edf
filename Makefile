PYTHON ?= python3
VENV := .venv
TORCH := .venv-torch
PIP = $(@D)/bin/pip --disable-pip-version-check --quiet
INSTALL = $(PIP) install --constraint constraints.txt
# The OpenCV builds that mediapipe and insightface, with which tests compare, and ultralytics
# ask for need a desktop's libraries; the headless one must be the last to write the module
# they share.
HEADLESS = $(INSTALL) --force-reinstall --no-deps opencv-python-headless
# Likewise the ONNX Runtime for GPUs, which shares a module with the one for CPUs.
ONNX_GPU = $(INSTALL) --force-reinstall --no-deps onnxruntime-gpu
# Two processes more than processors: tests also wait, for Snakemake, locks and clusters.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 2)')
# What `make bench` tells pace.py, such as --models DIR, --ultralytics PYTHON, --peer DTST.
PACE ?=
PYTEST = $(VENV)/bin/pytest --numprocesses=$(WORKERS) --dist=worksteal

.PHONY: help install demo pages docs gpu lint types test test-most test-all test-torch test-long bench clean

help: ## list these
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile | awk -F': ' '{printf "%-12s%s\n", $$1, $$2}'

install: $(VENV)/installed ## set up .venv with the dtst command

demo: $(VENV)/installed-test ## run faces -> clusters on photos that Python packages bring
	$(VENV)/bin/python demo/run.py

lint: $(VENV)/installed-test ## style of the code and the rules, and what imports what
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/lint-imports

types: $(VENV)/installed-test ## check the types
	$(VENV)/bin/mypy

pages: $(VENV)/installed ## write the pages that are made from the command line and the schema
	$(VENV)/bin/python docs/generate.py

docs: $(VENV)/installed-test ## make the site of docs/ in scratch/site; broken links fail
	$(VENV)/bin/zensical build --strict --clean

test: lint types ## these two, unit tests, a real run of each path, the tutorial
	$(PYTEST) -m "not torch" tests/unit tests/paths

test-all: lint types docs test-most test-torch ## all tests, two kinds at a time with --jobs=2

test-most: $(VENV)/installed-test ## all tests except those of what runs on PyTorch
	$(PYTEST) -m "not torch"

test-torch: $(TORCH)/installed ## those, in an environment of their own (6 GB)
	$(TORCH)/bin/pytest -m torch

test-long: $(VENV)/installed-test ## try for hours what edits, kills and broken files do
	$(VENV)/bin/pytest --long tests/robustness

gpu: $(VENV)/installed-gpu ## let models run on a GPU, by ONNX Runtime for CUDA and its libraries

bench: $(VENV)/installed-test ## measure what an image costs, the clustering, and what surrounds the models
	$(VENV)/bin/python tests/benchmarks/pace.py $(PACE)
	$(VENV)/bin/python tests/benchmarks/clustering.py --rows 2000 20000
	$(VENV)/bin/python tests/benchmarks/commands.py
	$(VENV)/bin/python tests/benchmarks/wide.py --images 2000 --shard-size 100 scratch/wide

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(INSTALL) --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(INSTALL) --editable '.[test]'
	$(HEADLESS)
	touch $@

$(VENV)/installed-gpu: $(VENV)/installed
	$(INSTALL) --editable '.[gpu]'
	$(ONNX_GPU)
	touch $@

$(TORCH)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(INSTALL) --editable '.[test,test-torch,clip,detect]'
	$(HEADLESS)
	touch $@

clean: ## remove the environments
	rm -rf $(VENV) $(TORCH)
