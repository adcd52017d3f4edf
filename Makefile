# make demo   set up .venv and run faces -> clusters on a small dataset made from photos
#             that Python packages bring
# make test   set up .venv with the test extras and run all tests

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check --quiet

.PHONY: demo test clean

demo: $(VENV)/installed
	$(VENV)/bin/python demo/run.py

test: $(VENV)/installed-test
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/pytest

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable .
	# The OpenCV builds that mediapipe and insightface ask for need a desktop's
	# libraries; the headless one must be the last to write the module they share.
	$(PIP) install --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV)
