# The commands of the project; `make help` lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help

ARGS ?=
UV ?= uv
COMPILE = $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(LOCK_ARGS)

.PHONY: help run test check audit bench faults soak viewer .venv lock

help: ## list the targets
	@sed -n 's/^\([a-z.]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

run: .venv/.runtime ## set up and start the archive with a demonstration study (ARGS="..." adds options)
	@if command -v npm >/dev/null; then (sleep 10; exec scripts/fetch-viewer) </dev/null >/dev/null 2>&1 & fi; \
	exec .venv/bin/vna serve --demo $(ARGS)

viewer: ## fetch the viewer, which the archive then serves at /viewer/ (needs npm)
	@scripts/fetch-viewer

test: .venv/.dev ## set up and run all tests (ARGS="tests/dimse -k store" chooses)
	@scripts/install-test-packages
	@scripts/fetch-viewer || echo "The tests of the viewer are skipped."
	@scripts/fetch-npm-peers || echo "The tests with HL7 packages of npm are skipped."
	@exec scripts/in-namespace .venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/.dev ## format, lint, types, import rules
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache

audit: ## ask PyPI for known vulnerabilities of the pinned packages; one that was not looked up is a failure too
	@scripts/audit-dependencies

bench: .venv/.dev ## measure against Orthanc, dcmtk and nginx, print ratios
	@scripts/install-test-packages orthanc-postgresql wrk
	@exec scripts/in-namespace .venv/bin/python -m benchmarks $(ARGS)

faults: .venv/.dev ## try every fault many times, write the table of docs/reliability.md (FAULT_ROUNDS, FAULT_SEED, ARGS)
	@scripts/install-test-packages
	@rm -f .fault-results
	@FAULTS=long FAULT_RESULTS=$(CURDIR)/.fault-results scripts/in-namespace .venv/bin/python -m pytest -q \
		$(or $(ARGS),tests/faults); code=$$?; \
		.venv/bin/python -m tests.faults.table .fault-results docs/reliability.md && exit $$code

soak: .venv/.dev ## an hour of mixed load in which nothing may grow (SECONDS=3600, SOAK_FOLDER=docs/soak)
	@scripts/install-test-packages
	@SECONDS=$(or $(SECONDS),3600) exec scripts/in-namespace .venv/bin/python -m tests.faults.soak

.venv: .venv/.runtime ## set up the environment only

.venv/.runtime: requirements.lock pyproject.toml
	@scripts/setup-venv requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml
	@scripts/setup-venv requirements-dev.lock
	@touch .venv/.runtime $@

lock: ## write the lock files anew from pyproject.toml (LOCK_ARGS="--upgrade" takes newer versions)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: make lock UV=/path/to/uv"; exit 1; }
	$(COMPILE) --group dev --output-file requirements-dev.lock
	$(COMPILE) --group build --constraint requirements-dev.lock --output-file requirements.lock
	echo 'pip-audit>=2.10.1,<3' | $(UV) pip compile - --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" $(LOCK_ARGS) --output-file requirements-audit.lock
