# What a person or a CI job calls. Every target sets up what it needs; a second set-up costs nothing.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH):/usr/sbin:/sbin

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup setup-demo
setup: ## Install everything that the tests need
	@scripts/setup test
setup-demo:
	@scripts/setup demo

.PHONY: demo demo-clean
demo: setup-demo ## Four real hosts: measured, hardened, verified, and a report
	@rampart demo
demo-clean: ## Remove the demo's hosts
	@rampart lab down --name demo

.PHONY: test
test: setup ## Everything below, with a summary (up to 40 minutes on 2 cores)
	@$(BIN)/python scripts/stages.py

.PHONY: lint unit sanity docs-check package formats lab-test qemu-test
lint unit sanity docs-check package formats lab-test qemu-test: setup
	@$(BIN)/python scripts/stages.py $@
lint: ## ruff, mypy, yamllint, ansible-lint, shellcheck
unit: ## Unit tests
sanity: ## ansible-test sanity
docs-check: ## Generated documents and the changelog are up to date
package: ## Wheel and collection, installed elsewhere
formats: ## OSCAL, OCSF, SARIF and CycloneDX, held against the field's own validators
lab-test: ## Molecule scenarios and end-to-end tests on nspawn hosts (root)
qemu-test: ## What only a kernel of its own shows, on a virtual machine (a quarter of an hour without KVM)

.PHONY: bench soak machines
bench: setup ## Times of hardening (DEV_SEC=path: beside dev-sec's), of a report, and of measuring FLEET_HOSTS (100) hosts
	@$(BIN)/pytest tests/bench -s
machines: setup ## The lab's own virtual machines: TPM, UEFI, LUKS, rails, dcbshim (20 minutes without KVM)
	@$(BIN)/pytest tests/lab -m qemu
soak: setup ## SOAK_ROUNDS (20) rounds of lab up, apply, apply again, down: looks for leftovers and drift
	@$(BIN)/pytest tests/e2e -m "lab and soak" -s

.PHONY: choice-test
choice-test: setup ## Scenarios and end-to-end tests of the roles that a site adds: file_integrity, hardware, intrusion_detection, antivirus (root)
	@$(BIN)/pytest tests/e2e -m choice

.PHONY: default-safe second-opinion
second-opinion: setup ## OpenSCAP (OSCAP_DATASTREAM=path) and Lynis on a hardened virtual machine, against the table
	@$(BIN)/pytest tests/e2e/second_opinion -m second_opinion -s
default-safe: setup ## Record anew which controls a fresh installation passes (root)
	@$(BIN)/python -m tests.e2e.default_safe

.PHONY: docs changelog clean
docs: setup ## Write role READMEs and docs/controls.md anew
	@$(BIN)/python -m rampart.dev.docs
changelog: setup ## Turn the fragments into CHANGELOG.md
	@$(BIN)/antsibull-changelog release
clean: ## Remove what was built; the environment and the lab's caches stay
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .cache report
