# The ways into this project: `make` lists them. Needs GNU make and Python 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Which Python makes the environment: `make setup PYTHON=…`, else the first of these that can.
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
# More for pytest: `make test ARGS="-n 0 -k health"`.
ARGS ?=
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes
# Tests wait half of their time, for processes and moments: more of them at once than there are cores use the rest.
PYTEST := $(BIN)/pytest -n 4 --dist worksteal $(ARGS)

# Files that say what is installed: a changed lock file is newer, and is installed again.
SERVE := $(VENV)/serve.installed
DEVELOPMENT := $(VENV)/development.installed
BENCH := $(VENV)/bench.installed

export PIP_NO_INPUT := 1
# Whatever pip is set to elsewhere: into .venv, and with hashes just where they are asked for below.
export PIP_USER := 0
export PIP_REQUIRE_HASHES := 0
# Wherever it is set: without bytecode each process of the tests, and there are hundreds, compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup serve graphiql screenshots postgresql test check bench format schema lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(SERVE) ## Make .venv with what the server needs

serve: $(SERVE) ## Run the server with sample data and simulated services (PORT=8000)
	@scripts/build-graphiql || true
	@scripts/serve

graphiql: ## Build GraphiQL's front end, which `make serve` does too (needs npm)
	@scripts/build-graphiql

screenshots: $(DEVELOPMENT) ## Take the pictures in docs/images anew (needs npm and Chromium)
	@scripts/build-graphiql
	@$(BIN)/python -m tests.browser.screenshots

postgresql: $(DEVELOPMENT) ## Run a throw-away PostgreSQL and print its address, until Ctrl-C
	@$(BIN)/python -m tests.postgresql

test: $(DEVELOPMENT) ## Run the tests (ARGS="-n 0 -k health" goes to pytest)
	$(PYTEST)

check: $(DEVELOPMENT) ## Check everything that has to hold before a change is merged
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/tether schema | diff -u schema.graphql -
	$(BIN)/python -m tests.schema_care
	$(PYTEST)

bench: $(BENCH) ## Measure Tether beside other GraphQL servers, and its health checks (needs Node.js; ARGS=--quick, --health)
	@$(BIN)/python -m bench $(ARGS)

format: $(DEVELOPMENT) ## Format the code and repair what the linter can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

schema: $(SERVE) ## Write the GraphQL schema to schema.graphql
	$(BIN)/tether schema > $(VENV)/schema.graphql
	mv $(VENV)/schema.graphql schema.graphql

lock: export UV_CUSTOM_COMPILE_COMMAND = make lock
lock: $(DEVELOPMENT) ## Pin requirements/*.txt anew (ARGS="--upgrade" for newer versions)
	$(LOCK) --group build --output-file requirements/serve.txt $(ARGS)
	$(LOCK) --group build --extra development --constraint requirements/serve.txt \
		--output-file requirements/development.txt $(ARGS)
	$(BIN)/uv pip compile bench/requirements.in --quiet --universal --python-version 3.11 --generate-hashes \
		--output-file requirements/bench.txt $(ARGS)

clean: ## Remove what tools left behind, but neither .venv nor var
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -r {} +

$(SERVE): requirements/serve.txt pyproject.toml | $(BIN)/pip
	$(PIP) install --quiet --require-hashes --requirement requirements/serve.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements/development.txt $(SERVE)
	$(PIP) install --quiet --require-hashes --requirement requirements/development.txt
	@touch $@

$(BENCH): requirements/bench.txt $(DEVELOPMENT)
	$(PIP) install --quiet --require-hashes --requirement requirements/bench.txt
	@touch $@

$(BIN)/pip: # the last that making an environment writes
	@for python in $(PYTHONS); do \
		"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "$$python -m venv $(VENV)"; \
		exec "$$python" -m venv $(VENV); \
	done; \
	echo "None of these is Python 3.11 or newer with its modules venv and ensurepip: $(PYTHONS)." >&2; \
	echo "On Debian or Ubuntu: apt install python3-venv. Else: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1
