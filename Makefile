# `make help` lists the targets. Every target prepares what it needs; the second time that is quick.

SHELL = /bin/sh
PYTHON = .venv/bin/python
N ?=
WORLD ?=
KILLS ?=
SEED ?=
SECONDS ?=
READER ?=
SUITES ?= bookworm trixie

ifneq ($(N),)
oracle: export HVCTL_ORACLE_COUNT = $(N)
oracle-leaves: export HVCTL_LEAVES_COUNT = $(N)
oracle oracle-leaves: export HVCTL_ORACLE_SECONDS = 86400
oracle oracle-leaves: export HVCTL_TESTBED_LIMIT = 86400
endif

ifneq ($(WORLD),)
oracle oracle-leaves: export HVCTL_WORLDS = $(WORLD)
endif

.DEFAULT_GOAL = help
.PHONY: help demo test lint fresh fleet oracle oracle-leaves intel testbed-intel platforms torture fuzz generated golden bench clean clean-cache

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: ## hvctl on a real KVM with Hyper-V, in three minutes at most
	@scripts/setup demo
	@$(PYTHON) -m tests.testbed.demo

test: ## lint, then all tests, those against a real KVM too
	@scripts/setup test
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) -m tests.testbed prepare
	$(PYTHON) -m pytest

lint: ## ruff, mypy, and vulture for dead code
	@scripts/setup lint
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m vulture

fresh: ## set-up, tests and installation in bare Debian systems, as root; SUITES='bookworm trixie', FULL=1 for all
	@scripts/setup demo
	@FULL=$(FULL) $(PYTHON) -m tests.testbed.fresh $(SUITES)

fleet: ## the collector under every Python from 3.6 on PATH and of pyenv, and Debian 11's
	@scripts/setup test
	@$(PYTHON) -m tests.testbed.fleet

intel: export HVCTL_WORLDS = intel
intel: export HVCTL_TESTBED_LIMIT = 3600
intel oracle: export HVCTL_SELFTESTS = 1
intel: ## the tests on all Intel processors that the testbed emulates, and KVM's own selftests
	@scripts/setup test
	@$(PYTHON) -m tests.testbed prepare
	$(PYTHON) -m pytest tests/realkvm

testbed-intel: ## prepare what emulates an Intel processor
	@scripts/setup test
	@HVCTL_WORLDS=intel $(PYTHON) -m tests.testbed prepare

platforms: ## what is written for other platforms, given to their own programs, built once; as root
	@scripts/setup test
	@$(PYTHON) -m tests.platforms
	$(PYTHON) -m pytest tests/platforms

oracle: ## random profiles against the real QEMU, and KVM's own selftests; N=1000 for the number of cases, WORLD=intel
	@scripts/setup test
	@$(PYTHON) -m tests.testbed prepare
	$(PYTHON) -m pytest tests/realkvm -k 'oracle or selftest'

oracle-leaves: ## random plans against the leaves that a guest sees; N=1000 for the number of cases, WORLD=intel
	@scripts/setup test
	@$(PYTHON) -m tests.testbed prepare
	$(PYTHON) -m pytest tests/realkvm/test_verify.py -k random

torture: ## hostile inputs, kills, full disks and lying programs; N=4000 runs, KILLS=300 of each command, SEED=
	@scripts/setup test
	$(PYTHON) -m tests.torture $(N:%=--runs %) $(KILLS:%=--kills %) $(SEED:%=--seed %)

fuzz: ## every reader under atheris; SECONDS=600 for each, READER='domain plan' for some
	@scripts/setup test
	@$(PYTHON) -c 'import atheris' 2>/dev/null || $(PYTHON) -m pip install --quiet --constraint constraints.txt atheris
	$(PYTHON) -m tests.fuzz $(SECONDS:%=--seconds %) $(READER)

generated: ## regenerate the man pages and the JSON Schema from the tables and the commands
	@scripts/setup lint
	$(PYTHON) -m scripts.manpages
	$(PYTHON) -m hvctl schema profile > profiles/profile.schema.json

golden: ## regenerate the expected outputs in tests/golden; review the difference
	@scripts/setup lint
	HVCTL_GOLDEN=write $(PYTHON) -m pytest -q tests/test_golden.py

bench: ## the benchmarks
	@scripts/setup test
	$(PYTHON) -m benchmarks
	$(PYTHON) -m benchmarks.pools
	$(PYTHON) -m benchmarks.edit
	$(PYTHON) -m benchmarks.show
	$(PYTHON) -m benchmarks.lint 3000
	$(PYTHON) -m benchmarks.proxmox
	$(PYTHON) -m benchmarks.verify

clean: ## remove what was made in this clone
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-cache: ## remove the unpacked Debian systems and what was built, which all clones share; nothing may be running
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/hvctl-testbed"
