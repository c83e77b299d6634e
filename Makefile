.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help setup demo test test-unit test-system check fmt bench soak docs pictures clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(INSTALLED) ## make ./.venv with everything in it

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("elfowl needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) (about 3 GB, some minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# The constraints name every package, so pip need not search for versions that fit (twice as quick);
	@# where a pinned wheel does not exist for this platform, pip searches after all.
	@$(PIP) --no-deps --no-compile -r constraints.txt && $(PIP) --no-deps --no-build-isolation -e . \
		|| $(PIP) -c constraints.txt -e '.[demo,dev]'
	@$(BIN)/pip check
	@# Compiled here on all cores, so that the first training does not wait for it; some packages carry
	@# templates that are no Python, which does not matter.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null 2>&1 || true
	@touch $@

demo: $(INSTALLED) ## the whole loop on real footage, then the portal stays open
	@$(BIN)/elfowl-cloud demo

EXAMPLES := tests/edge_agent/wire/golden/v1
UNIT := not slow and not system and not soak
# One test among thousands that loses a race on a busy machine stops nobody: what failed runs once more,
# alone, in a process of its own. The first failure stays in the output, so that somebody mends it.
AGAIN := $(BIN)/pytest -q --exitfirst --last-failed --last-failed-no-failures none
SLOW := slow and not system and not soak
SYSTEM := system and not soak

test: $(INSTALLED) ## all tests but the soaks (under 25 minutes on 2 cores)
	$(BIN)/pytest -q -n 2 -m "$(UNIT)" || $(AGAIN) -m "$(UNIT)"
	$(BIN)/pytest -q -n 2 -m "$(SLOW)" || $(AGAIN) -m "$(SLOW)"
	@# File by file: these start brokers, agents and browsers, and wait for them most of the time.
	$(BIN)/pytest -q -n 2 --dist loadfile -m "$(SYSTEM)" || $(AGAIN) -m "$(SYSTEM)"

test-unit: $(INSTALLED) ## the quick part (under 2 minutes)
	$(BIN)/pytest -q -n 2 -m "$(UNIT)"

test-system: $(INSTALLED) ## real processes: broker, agent, cloud, browser
	$(BIN)/pytest -q -m "system"

check: $(INSTALLED) ## style, types, rules of the rooms, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m edge_agent.wire.schemas --check docs/wire
	$(BIN)/python -m edge_agent.wire.reference --check docs/mqtt.md $(EXAMPLES)

fmt: $(INSTALLED) ## format the code and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED) ## write the generated references
	$(BIN)/python -m edge_agent.wire.schemas docs/wire
	$(BIN)/python -m edge_agent.wire.reference docs/mqtt.md $(EXAMPLES)

pictures: $(INSTALLED) ## a picture of every page, dark and light, for docs/pages.md (HOME_FOLDER=what a demo left)
	$(BIN)/python -m tests.system.take_pictures $(if $(HOME_FOLDER),--home $(HOME_FOLDER))

bench: $(INSTALLED) ## all benchmarks (or: .venv/bin/python -m bench NAME)
	$(BIN)/python -m bench all

soak: $(INSTALLED) ## the long tests, and ten times the examples of property tests
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -q -n 2 -m "$(UNIT)"
	$(BIN)/pytest -q -m soak

clean: ## remove ./.venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
