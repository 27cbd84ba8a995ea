# make demo    installs into .venv and runs the embedded streets job end to end
# make test    installs what tests need, then lint, types and the default tests
# make check   lint and types alone
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check slow clean

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "segda needs Python >= 3.10: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: .venv/installed
	$(BIN)/segda run streets

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest

slow: .venv/installed-test
	$(BIN)/python -m pytest -m "slow or data"

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
