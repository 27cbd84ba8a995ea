# make demo    installs into .venv and runs the embedded streets job end to end
# make test    installs what tests need, then lint, types and the default tests
# make check   lint and types alone
# make promises  docs/promises.md, from the markers of the tests
# make docs    the site, into docs/_build; warnings are errors
# make test-install  installs the wheel three times and plans every pipeline; 10 GB of disk for a while
# make bench   installs what tests need, then every benchmark, into docs/benchmarks.md
PYTHON ?= python3
BIN := .venv/bin

# Two halves of the tests, of about equal time, so that both of two cores are busy.
JOBS := tests/pipelines tests/resume tests/distributed tests/resources
HALVES := $(MAKE) -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: demo test test-jobs test-parts test-install check docs slow promises bench clean

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "segda needs Python >= 3.10: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

demo: .venv/installed
	$(BIN)/segda run streets

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	+OMP_NUM_THREADS=1 $(HALVES) test-jobs test-parts

test-jobs:
	$(BIN)/python -m pytest -q $(JOBS)

test-parts:
	$(BIN)/python -m pytest -q tests $(addprefix --ignore=,$(JOBS))

test-install:
	PYTHON=$(PYTHON) tools/test_install.sh

docs: .venv/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

slow: .venv/installed-test
	$(BIN)/python -m pytest -m "slow or data"

promises: .venv/installed-test
	$(BIN)/python -m tests.docs.promises

bench: .venv/installed-test
	$(BIN)/python -m tools.bench

clean:
	rm -rf .venv build dist docs/_build docs/reference *.egg-info .pytest_cache .mypy_cache .ruff_cache
