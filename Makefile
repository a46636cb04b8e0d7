# Everything starts here: `make help` lists the targets. Needs Python 3.11, 3.12 or 3.13 and nothing else.
.DEFAULT_GOAL := help
.PHONY: help run demo-remove migrate serve test soak benchmark check format catalogue constraints env env-dev

# The first Python here that will do; name another with `make PYTHON=/path/to/python3.12 ...`.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python,\
	$(shell $(name) -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) and print("$(name)")' 2>/dev/null)))
PORT ?= 8000
# Processes that run the tests, and what else pytest is told: make test TESTS=tests/ledger ARGS="-k reversal"
WORKERS ?= 2
TESTS ?= tests
ARGS ?=

BIN := .venv/bin
SUPERVISE := $(BIN)/python -m supervise

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: env ## start the demo on http://127.0.0.1:8000 (PORT=... for another port)
	@$(SUPERVISE) demo --port $(PORT)

demo-remove: env ## delete the demo's database, keys and files, and nothing else
	@SUPERVISE_DEMO=1 $(SUPERVISE) remove-demo

migrate: env ## bring the database at DATABASE_URL to this version's schema
	@$(SUPERVISE) migrate

serve: env ## run gunicorn and the job worker as in production; needs DATABASE_URL and keys (docs/operations.md)
	@$(SUPERVISE) serve --bind 127.0.0.1:$(PORT)

test: env-dev ## run all tests, on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not soak" $(ARGS) $(TESTS)

soak: env-dev ## run the long rounds: kills, races, state machines
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m soak $(ARGS) $(TESTS)

benchmark: env-dev ## print the benchmarks' ratios
	$(BIN)/python -m benchmarks

check: env-dev ## lint, types, layers, templates, translations, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --check --lint --quiet supervise/templates
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_translations.py tests/test_migrations.py tests/test_house.py

format: env-dev ## mend what the tools can mend: layout, imports, simple findings
	-$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	-$(BIN)/djlint --reformat --quiet supervise/templates

catalogue: env-dev ## collect the texts of the source into the Chinese catalogue
	$(BIN)/python tools/catalogue.py

constraints: env-dev ## pin what the requirements need, for every Python and platform
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --quiet requirements-dev.txt --output-file constraints.txt

env:
	@test -n "$(PYTHON)" || { echo "supervise: no Python 3.11, 3.12 or 3.13 was found; install one," \
		"or name it: make PYTHON=/path/to/python3.12 run" >&2; exit 1; }
	@$(PYTHON) bootstrap.py

env-dev:
	@test -n "$(PYTHON)" || { echo "supervise: no Python 3.11, 3.12 or 3.13 was found; install one," \
		"or name it: make PYTHON=/path/to/python3.12 test" >&2; exit 1; }
	@$(PYTHON) bootstrap.py --dev
