# Each target sets up what it needs by itself: python3 (3.11 or later), make and pip are enough.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PROJECTS := $(wildcard work-*/pyproject.toml)

.PHONY: help demo test lint format bench docs build clean

help:
	@echo "make demo    hash the standard library in jobs, and kill a worker in the middle"
	@echo "make test    run all tests, with real servers on free ports"
	@echo "make lint    ruff, mypy and pyright"
	@echo "make format  let ruff format the code"
	@echo "make docs    run every command and code block of README.md and docs/"
	@echo "make bench   measure ours and the peers on this machine (takes long)"
	@echo "make build   build the wheels of all packages into dist/"

demo: $(VENV)/.demo
	@$(RUN) -m examples.demo

test: $(VENV)/.test
	$(RUN) -m pytest

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy work-*/src tests examples
	$(VENV)/bin/pyright --pythonpath $(RUN) tests/typing

format: $(VENV)/.test
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(VENV)/.test
	$(RUN) -m pytest tests/docs

bench: $(VENV)/.test
	$(RUN) -m benchmarks

build: $(VENV)/.test
	for package in work-*/; do $(RUN) -m build --no-isolation --wheel --outdir dist "$$package"; done

clean:
	rm -rf $(VENV) .venv-bench dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The files in .venv tell which set is installed; a changed pyproject.toml installs again.

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "work needs Python 3.11 or later; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(PROJECTS)
	$(RUN) -m pip install --quiet -e work-core -e work-sql -e work-middleware
	@touch $@

$(VENV)/.packages: $(VENV)/.python $(PROJECTS)
	$(RUN) -m pip install --quiet -e 'work-core[testing]' -e 'work-redis[hiredis]' \
	  -e 'work-sql[postgresql,mysql,alembic]' -e work-sqs -e 'work-middleware[prometheus,structlog]'
	@touch $@ $(VENV)/.demo

$(VENV)/.test: $(VENV)/.packages pyproject.toml
	$(RUN) -m pip install --quiet --group test --group lint
	@touch $@
