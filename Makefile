# Everything starts here: `make` lists the targets.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
BIN := .venv/bin
PORT ?= 8080
export PORT

.PHONY: help setup run test check chaos bench migrate format lock clean \
	dev check-format check-lint check-types check-imports check-tests

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv and install the pinned dependencies
	@bin/bootstrap runtime

run: setup ## start everything on this machine (PORT=8080); Ctrl-C stops it
	@exec $(BIN)/sluice up

test: dev ## all tests but the long fault matrix, on a real Postgres and Redis
	@$(BIN)/python -m tests.servers.install
	@$(BIN)/python -m tests.servers.node
	@$(BIN)/python -m pytest -n auto -m 'not chaos' $(ARGS)

check: dev ## format, lint, types, import contracts, architecture and unit tests
	@$(MAKE) -j4 --keep-going --output-sync=target check-format check-lint check-types check-imports check-tests

chaos: dev ## the long fault matrix
	@$(BIN)/python -m tests.servers.install
	@$(BIN)/python -m pytest -m chaos $(ARGS)

bench: dev ## measure the gateway: a table, and JSON
	@$(BIN)/python -m tests.servers.install
	@$(BIN)/python -m tests.bench $(ARGS)

migrate: setup ## bring the configured database to the newest revision
	@$(BIN)/sluice migrate

format: dev ## format the code and fix what the linter can fix
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

lock: dev ## pin the newest allowed versions of all dependencies
	@bin/lock

clean: ## remove .venv and caches; data in var/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev:
	@bin/bootstrap dev

check-format:
	@$(BIN)/ruff format --check --quiet .

check-lint:
	@$(BIN)/ruff check --quiet .

check-types:
	@$(BIN)/mypy --no-error-summary

check-imports:
	@out=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }

check-tests:
	@$(BIN)/python -m pytest -q -n 2 $(wildcard tests/architecture tests/unit)
