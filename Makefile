# Every target makes the virtual environment it needs; `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Test processes. They mostly wait for servers, so one more than there are cores, up to eight.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 8 ? n + 1 : 8)))

.DEFAULT_GOAL := help
.PHONY: help venv demo tools test e2e e2e-tools image sbom check generate bench lock format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x")'
	@echo "Installing into $(VENV): some minutes, once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[all,testing]' --group test --group check --group generate
	@touch $@

venv: $(STAMP) ## Make the virtual environment with everything pinned

demo: $(STAMP) ## Run the main job: secrets into a real OpenBao and into the local store
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/store-plugin demo

tools: ## Build the servers that tests run against (needs Go; once, some minutes)
	$(PYTHON) tools/build.py $(TOOLS)

test: $(STAMP) ## Run all tests against the real servers (WORKERS=n processes; 0: in one)
	@$(PYTHON) tools/build.py --optional
	@$(PYTHON) -m tools.containers --optional
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --max-worker-restart 0 $(PYTEST_ARGS)

e2e: $(STAMP) ## Run the image's tests and the end to end in containers (as root; part of test)
	@$(PYTHON) tools/build.py --optional
	@$(PYTHON) -m tools.containers --optional
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/image tests/e2e

e2e-tools: ## Install podman and make the base image that those need (Debian, as root; once)
	$(PYTHON) -m tools.containers

image: $(STAMP) ## Build the image: IMAGE_ARGS="--variant vault --tag NAME", --help for all
	$(BIN)/python -m tools.image $(IMAGE_ARGS)

sbom: $(STAMP) ## Write what is in the wheel and in the image, as CycloneDX, into build/sbom/
	$(BIN)/python -m tools.sbom $(SBOM_ARGS)

check: $(STAMP) ## Formatting, lint, types, import contracts, drift of generated code, advisories
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --verbose
	$(MAKE) --no-print-directory generate GENERATE_ARGS=--check
	$(BIN)/python -m tools.audit

generate: $(STAMP) ## Make the code that is made from proto/ (GENERATE_ARGS=--check: only compare)
	$(BIN)/python -m tools.generate $(GENERATE_ARGS)

bench: $(STAMP) ## Measure against the floors of the same run and print the figures
	$(BIN)/python -m bench $(BENCH_ARGS)

format: $(STAMP) ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP) ## Renew constraints.txt and requirements/ from pyproject.toml (review the result)
	$(PYTHON) tools/lock.py
	$(BIN)/python -m tools.hashes

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
