# make demo        set up .venv and run faces -> clusters on a small dataset made from
#                  photos that Python packages bring
# make test        set up .venv with the test extras and run all tests but those of what
#                  runs on PyTorch; with --jobs=2 two kinds of them at a time
# make test-long   try at length, for hours, what edits, kills and broken files do
# make test-torch  set up .venv-torch, gigabytes, and run these

PYTHON ?= python3
VENV := .venv
TORCH := .venv-torch
PIP = $(@D)/bin/pip --disable-pip-version-check --quiet
INSTALL = $(PIP) install --constraint constraints.txt
# The OpenCV builds that mediapipe, insightface and ultralytics ask for need a desktop's
# libraries; the headless one must be the last to write the module they share.
HEADLESS = $(INSTALL) --force-reinstall --no-deps opencv-python-headless

.PHONY: demo test test-style test-units test-robustness test-long test-torch clean

demo: $(VENV)/installed
	$(VENV)/bin/python demo/run.py

test: test-style test-robustness test-units

test-style: $(VENV)/installed-test
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/snakefmt --check Snakefile workflow

test-robustness: $(VENV)/installed-test
	$(VENV)/bin/pytest -m "not torch" tests/robustness tests/slurm

test-units: $(VENV)/installed-test
	$(VENV)/bin/pytest -m "not torch" tests/unit tests/workflow

test-long: $(VENV)/installed-test
	$(VENV)/bin/pytest --long tests/robustness

test-torch: $(TORCH)/installed
	$(TORCH)/bin/pytest -m torch

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(INSTALL) --editable .
	$(HEADLESS)
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(INSTALL) --editable '.[test]'
	touch $@

$(TORCH)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(INSTALL) --editable '.[test,test-torch,clip,detect]'
	$(HEADLESS)
	touch $@

clean:
	rm -rf $(VENV) $(TORCH)
