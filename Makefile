# The front door. Python >= 3.11 is all that must be there; everything else is fetched by name and hash.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1

.PHONY: help demo test check format bench evaluate soak fuzz up down lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: .venv/runtime ## the main job: recordings -> HTTP -> Cassandra -> Spark -> models -> answers
	@$(BIN)/muvr demo

test: .venv/dev ## every test, real Cassandra and real Spark included
	@$(BIN)/pytest --numprocesses 2 --dist loadgroup

check: .venv/dev ## format, lint, types, import fences, docs of tables and columns
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pyrefly check --summary=none
	@$(BIN)/pytest -q --numprocesses 0 tests/schemas/test_mart.py

format: .venv/dev ## rewrite the code in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/dev ## benchmarks beside their peers; NAME=ingest for one
	@$(BIN)/python -m bench $(NAME)

evaluate: .venv/runtime ## the recognition protocols: build/evaluate.json and a page
	@$(BIN)/muvr evaluate

soak: .venv/dev ## kill -9 of node and service under load: nothing lost, doubled, altered
	@$(BIN)/python -m bench soak

fuzz: .venv/dev ## hostile requests from the OpenAPI document and into the decoders
	@$(BIN)/python -m bench fuzz

up: .venv/runtime ## node and service in the background
	@$(BIN)/muvr up

down: .venv/runtime ## stop both; the data stays
	@$(BIN)/muvr down

clean: ## remove the environment, .venv; build/ stays: data, keys and results
	@rm -rf .venv

lock: .venv/dev ## resolve the locks again from pyproject.toml (versions and hashes only)
	@sh locks/relock.sh

.venv/bootstrap: locks/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Muvr needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement locks/bootstrap.txt
	@touch $@

.venv/runtime: .venv/installed .venv/kernel
	@touch $@

.venv/kernel: .venv/bootstrap $(wildcard models/*/compiled/*) locks/kernel.py locks/kernel.txt
	@$(BIN)/python locks/kernel.py
	@touch $@

.venv/installed: .venv/bootstrap locks/runtime.txt locks/link.py pyproject.toml
	@echo "Installing the locked environment (about a minute the first time) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --require-hashes --requirement locks/runtime.txt
	@$(BIN)/python locks/link.py
	@touch $@

.venv/dev: .venv/runtime locks/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --require-hashes --requirement locks/dev.txt
	@touch $@
