# Everything runs in a private environment, .venv, with the versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
# Two processes of one thread each: a file's tests stay together, with the stores that they share.
TWO := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: install sweep test fast lint types floors ui clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

sweep: install          ## a small sweep of AMR on synthetic skeletons
	$(BIN)/python -m skelray.sweep search_spaces/amr.yaml

test: install           ## every test; those that start a Ray cluster last, one after the other
	$(TWO) -m 'not ray'
	$(BIN)/python -m pytest -m ray

fast: install           ## the tests that take less than ten seconds each
	$(TWO) -m 'not slow'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

floors: install         ## imports point down only
	$(BIN)/lint-imports

ui: install             ## the MLflow page, on this machine alone
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port 5000

clean:
	rm -rf .venv runs
