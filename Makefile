# Every command that a developer or a user needs; `make` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
BUILD := build
UV := $(BUILD)/uv/bin/uv
BIN := .venv/bin
# Only the Python that is there: its own downloads are not to be had on many machines.
export UV_PYTHON_DOWNLOADS := never
# Where an environment sets it, every process compiles 2,000 modules anew: 5 s of a small night's 15.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test check fix bench incident desk airflow docs prior lab clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(BUILD)/installed ## install from the lock file into .venv

$(UV):
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...") if not (3, 11) <= sys.version_info[:2] <= (3, 13) else None'
	$(PYTHON) -m venv $(BUILD)/uv
	$(BUILD)/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(BUILD)/installed: $(UV) pyproject.toml uv.lock
	$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

demo: install ## a month of a simulated API through everything, and what it found
	@$(BIN)/python infra/demo.py --folder $(BUILD)/demo

# Three at a time on two cores: many wait for processes of their own.
test: install ## every test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: install ## lint and types, changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: install ## what lint can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## how fast, beside others; BENCH='--requests ...' for other sizes and cases
	$(BIN)/python -m tests.bench --page docs/benchmarks.md $(BENCH)

incident: install ## the reported case at full size, for hours; INCIDENT='--scale 0.1' for less
	$(BIN)/python -m tests.bench.incident --out $(BUILD)/incident --page docs/incident.md $(INCIDENT)

desk: install ## the morning desk on the demo's lake: decide on what the last night found
	@$(BIN)/stillwatch desk --lake $(BUILD)/demo/lake --port 8765 --demo-user

airflow: install ## the DAGs in a running Airflow, on the demo's lake
	@$(BIN)/python infra/airflow/local.py serve --home $(BUILD)/demo/airflow --landing $(BUILD)/demo/landing --lake $(BUILD)/demo/lake

docs: install ## write the pages that are made from the catalogue
	$(BIN)/stillwatch dictionary > docs/data-dictionary.md

prior: install ## train the model that scores before there are labels
	$(BIN)/stillwatch prior --out models/prior

lab: install ## judge detection on simulated worlds; build/lab/lab.html is the report
	$(BIN)/stillwatch lab --out $(BUILD)/lab --workers 2

clean: ## remove everything that these commands made
	rm -rf $(BUILD) .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
