# The whole of it: `make demo` to see nettool at work, `make test` to check it. `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo venv dev test lint types imports unit wheel torture bench format docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venv ## Train the example "will I pass this class?", before and after
	@echo "A student attended 4 lectures and spent 5 hours on the project. An untrained network guesses:"
	@run=$$($(BIN)/nettool train configs/will_i_pass.yaml epochs=0) && \
		$(BIN)/nettool predict "$$run" lectures=4 hours=5
	@echo "The same network, trained on 600 students who came before, on students it has never seen:"
	@run=$$($(BIN)/nettool train configs/will_i_pass.yaml) && \
		$(BIN)/nettool eval "$$run" && \
		echo "And for the student with 4 lectures and 5 hours:" && \
		$(BIN)/nettool predict "$$run" lectures=4 hours=5 && \
		echo "Everything about this run is in $$run"

venv: .venv/venv.stamp ## Make .venv with what nettool needs to run

dev: .venv/dev.stamp ## Make .venv with what development needs as well

test: lint types imports unit wheel ## Everything that CI checks

lint: dev ## Style and likely bugs (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: dev ## Types (mypy)
	$(BIN)/mypy

imports: dev ## Which folder may import which (import-linter)
	$(BIN)/lint-imports --no-logo

unit: dev ## The tests, with their coverage
	$(BIN)/pytest -n 2 --dist worksteal --cov

wheel: dev ## Build the wheel, install it in a new environment, and use it there
	$(BIN)/pytest -m wheel

torture: dev ## Kill, fail, corrupt and deceive it in every way, exhaustively (half an hour)
	$(BIN)/python -m tests.torture

bench: venv ## nettool beside what one would pick instead; writes docs/benchmarks.md (40 minutes)
	$(BIN)/python benchmarks/bench.py

format: dev ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: dev ## Write the reference pages anew from the code
	$(BIN)/python docs/generate.py

clean: ## Remove what was built and cached; .venv and the runs stay
	rm -rf build dist htmlcov .coverage .coverage.* \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find nettool cli configs tests -type d -name __pycache__ -prune -exec rm -rf {} +

# The stamps are younger than the files that say what to install, so that a second `make` installs nothing.
.venv/venv.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into .venv; the first time takes a minute or two."
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into .venv; the first time takes a minute or two."
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch .venv/venv.stamp $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "nettool needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=python3.12"; \
		exit 1; }
	$(PYTHON) -m venv .venv
