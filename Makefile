# Everything is run from here; `make` alone says what there is. Each target sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
# The test cluster, the demo and the benchmark are modules under tests/.
RUN := PYTHONPATH=tests $(PYTHON)
# Arguments for the program behind a target: make test ARGS="-k renewal", make bench ARGS="--certificates 50"
ARGS ?=

.PHONY: help venv build image demo demo-down kind-demo kind-demo-down test check format bench clean

help: ## say what there is
	echo "Certwright: certificates into Secrets, and kept valid. Targets:"
	awk -F ':[^#]*## ' '/^[a-z-]+:[^#]*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(READY) ## make the virtual environment .venv with the package and what developing it needs

$(READY): pyproject.toml
	# The first interpreter that is new enough; names can exist and not work, so each is tried.
	chosen=
	for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			chosen=$$candidate
			break
		fi
	done
	if [ -z "$$chosen" ]; then
		echo "Python 3.11 or newer is needed and none was found (Debian's package: python3)" >&2
		exit 1
	fi
	# Debian takes ensurepip out of Python and has it in a package of its own.
	if ! "$$chosen" -c 'import ensurepip' 2>/dev/null; then
		package=$$("$$chosen" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			echo "installing Debian's $$package, without which Python makes no virtual environment (about 15 s) ..."
			log=$$(mktemp)
			{ apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$$package"; } \
				>"$$log" 2>&1 </dev/null || { cat "$$log" >&2; exit 1; }
			rm -f "$$log"
		else
			echo "Python's ensurepip is missing: install Debian's package $$package" >&2
			exit 1
		fi
	fi
	echo "making $(VENV) with the package and its tools (about 30 s the first time) ..."
	"$$chosen" -m venv $(VENV)
	# Dependency groups came with pip 25.1; Debian 12's is older.
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	touch $(READY)

build: venv ## build and fetch the programs that the test cluster runs (6 minutes the first time, then cached)
	$(RUN) -m cluster build

image: venv ## make the container image: build/certwright.tar, tagged localhost/certwright:dev
	$(RUN) -m cluster.image build/certwright.tar

demo: venv ## run the main job on a real API server, ACME CA and DNS server, and leave it running
	echo "demo: starting a cluster and issuing certificates ..."
	$(RUN) -m cluster.demo $(ARGS)

demo-down: venv ## end what the demo left running
	$(RUN) -m cluster down

kind-demo: venv ## the same on a cluster that kind makes, for who has Docker
	$(RUN) -m cluster.kind_demo check
	$(MAKE) image
	$(RUN) -m cluster.kind_demo up

kind-demo-down: venv ## end what it left running, and the cluster
	$(RUN) -m cluster.kind_demo down

test: build ## run the tests
	echo "testing ..."
	$(PYTHON) -m pytest $(ARGS)

check: venv ## check format, lint, types and import contracts
	echo "checking the format ..."
	$(VENV)/bin/ruff format --check
	echo "checking the style ..."
	$(VENV)/bin/ruff check
	echo "checking the types ..."
	$(VENV)/bin/mypy
	MYPYPATH=tests $(VENV)/bin/mypy --package cluster
	echo "checking the import contracts ..."
	$(VENV)/bin/lint-imports

format: venv ## put the code into its format and mend what can be mended
	echo "formatting ..."
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

bench: build ## measure: certificates a second, API writes, ACME requests, CPU, memory
	echo "measuring ..."
	$(RUN) -m bench $(ARGS)

clean: ## remove what was made here; built programs stay in the cache of the user
	echo "removing $(VENV), caches and build results ..."
	rm -rf $(VENV) build dist .cache .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
