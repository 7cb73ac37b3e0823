# One target per thing one does here; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
WORKERS ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=
# 0 is until Ctrl-C.
SOAK_MINUTES ?= 0
# What `make test` leaves to `make test-all`.
LONG := slow or node or browser

.PHONY: help
help: ## list what make can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: install
install: .venv/.installed ## make .venv with lockstep and all tools in it

.venv/.installed: uv.lock pyproject.toml scripts/install.sh
	@scripts/system-packages.sh git
	scripts/install.sh
	@touch $@

.PHONY: demo
demo: install ## run the main job on sample data, then serve its page (ONCE=1: end after the steps)
	.venv/bin/lockstep demo $(if $(ONCE),--once)

.PHONY: test
test: install ## the quick tests; with PostgreSQL too where its server is installed
	$(PYTHON) -m pytest -n $(WORKERS) -m "not ($(LONG))" $(PYTEST_ARGS)

.PHONY: test-long
test-long: install test-tools ## only what `make test` leaves out
	$(PYTHON) -m pytest -n $(WORKERS) -m "$(LONG)" $(PYTEST_ARGS)

.PHONY: test-all
test-all: install test-tools lint protos-check ## every test and check, with Node, Chromium and PostgreSQL
	$(PYTHON) -m pytest -n $(WORKERS) $(PYTEST_ARGS)

.PHONY: test-tools
test-tools: contract-tools
	@scripts/system-packages.sh git git-lfs ssh sshd chromium postgresql

.PHONY: contract-tools
contract-tools: scripts/buf/node_modules/.package-lock.json tests/standins/contract/node_modules/.package-lock.json

# Not `npm ci`: it refuses a lock file without the optional packages of platforms other than Linux.
%/node_modules/.package-lock.json: %/package-lock.json %/.npmrc
	@scripts/system-packages.sh node
	npm install --no-save --prefix $* --no-progress --loglevel=error
	@touch $@

.PHONY: lint
lint: install scripts/buf/node_modules/.package-lock.json ## style, types, who may import whom, contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy services gateway tests
	.venv/bin/lint-imports
	scripts/buf/node_modules/.bin/buf lint

.PHONY: format
format: install ## let ruff mend what it can
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

.PHONY: protos
protos: install ## write the Python for the contracts in protos/
	scripts/protos.sh

.PHONY: protos-check
protos-check: install scripts/buf/node_modules/.package-lock.json ## generated code is up to date, no contract breaks
	scripts/protos-check.sh

.PHONY: soak
soak: install ## try to lose an edit in ever new random histories until Ctrl-C (SOAK_MINUTES=60: for so long)
	$(PYTHON) -m tests.integration.sync.soak --workers $(WORKERS) --minutes $(SOAK_MINUTES)

.PHONY: bench
bench: install ## measure against what git and the database need by themselves; writes build/bench.json
	$(PYTHON) -m tests.bench $(BENCH_ARGS)

.PHONY: clean
clean: ## remove everything that make has made, .venv too
	rm -rf .venv .venv-tools build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf scripts/buf/node_modules tests/standins/contract/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
