# make demo    draw, score, rank and show illusions with the embedded model
# make test    install and run every test (as root on Debian: with a real SLURM)
# make check   everything CI checks: format, lint, types, imports, tests
# make mini    train the embedded model again (about two hours on two cores)
# make mini-figures   measure it on its fixed pairs (about ten minutes on two cores)

PYTHON ?= python3
BIN := .venv/bin
DEMO_RUN ?= runs/demo

.PHONY: demo test check lint mini mini-figures clean

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/pip install -q -e .
	touch $@

.venv/.installed-test: pyproject.toml .venv/.installed
	$(BIN)/pip install -q -e '.[test]'
	touch $@

demo: .venv/.installed
	$(BIN)/fundiff demo --run $(DEMO_RUN)

test: .venv/.installed-test
	sh tests/slurm/install.sh
	$(BIN)/python -m pytest

lint: .venv/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

mini: .venv/.installed-test
	$(BIN)/python -m fundiff.mini.train all

mini-figures: .venv/.installed-test
	$(BIN)/python -m fundiff.mini.evaluate

clean:
	rm -rf .venv runs/demo
