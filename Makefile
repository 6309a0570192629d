# Everything runs from .venv, which the first target that needs it builds from the pinned lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One more than the cores of a small machine: real processes wait much of their time.
PYTEST_WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format docs site linkcheck data backtest trade bench mutants chaos compat lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(INSTALLED) ## install everything into .venv from requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	  f"Python {v[0]}.{v[1]} is not supported: use 3.11, 3.12 or 3.13, e.g. make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED) ## the whole product on a simulated market: no account, no key, no network
	$(BIN)/pairbot demo

test: lint ## the whole test suite (what CI runs)
	$(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) --dist worksteal

lint: $(INSTALLED) ## ruff, mypy and the rules of the house: a room uses only rooms below it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/house/test_vocabulary.py

format: $(INSTALLED) ## let ruff format and fix the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED) ## write what is generated from the code: configuration, schemas, states, rooms
	$(BIN)/python -m pairbot_ext.reference

site: $(INSTALLED) ## docs/ as a site with search in site/<version>/; an unknown link or anchor is an error
	$(BIN)/python -m docsite

linkcheck: $(INSTALLED) ## ask every external link of docs/ (internet)
	$(BIN)/python -m docsite --linkcheck

data: $(INSTALLED) ## download the candles of the committed pairs (internet)
	$(BIN)/pairbot download

backtest: $(INSTALLED) ## backtest the committed pairs on downloaded candles (internet for the market list)
	$(BIN)/freqtrade backtesting --strategy PairsArb --timerange 20260202-

trade: $(INSTALLED) ## preflight, then the bot in dry-run on Binance's public data (internet, no keys)
	$(BIN)/pairbot preflight
	$(BIN)/freqtrade trade --strategy PairsArb

bench: $(INSTALLED) ## the benchmarks, each against its alternative in the same run
	$(BIN)/python -m benchmarks

mutants: $(INSTALLED) ## remove each safeguard, then change the order path at random: the tests go red (long)
	$(BIN)/python tests/rig/mutants.py
	$(BIN)/python tests/rig/order_path_mutants.py --page docs/mutants.md

chaos: $(INSTALLED) ## 10,000 random schedules, death at every effect, every fault on every send, real processes (long)
	PAIRBOT_CHAOS=1 $(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) --dist worksteal \
	  tests/desk/test_real_processes.py tests/desk/test_real_bullets.py tests/desk/test_heard_hour.py \
	  tests/pairtrade/test_protocol_machine.py tests/pairtrade/test_decision_table.py \
	  tests/entry/test_who_may_enter.py tests/rehearse/test_crash_everywhere.py tests/rehearse/test_seeds.py

compat: $(INSTALLED) ## contract and core suite on other releases of Freqtrade and ccxt, the table in the docs (long)
	$(BIN)/python -m compat

lock: $(INSTALLED) ## pin the dependencies anew
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --extra dev pyproject.toml -o requirements.lock

clean: ## remove .venv and caches
	rm -rf $(VENV) .compat .pytest_cache .mypy_cache .ruff_cache .import_linter_cache site *.egg-info
