# Every target runs in .venv, which `make install` creates from pyproject.toml and constraints.txt.

# The first Python on the path that TensorFlow supports. `make install PYTHON=/path/to/python` uses another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

BIN := .venv/bin
INSTALLED := .venv/.installed
PACKAGES := benchmarker plugins architectures reports
CODE := $(PACKAGES) tests benchmarks examples docs quickstart.py

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-long test-statistics lint docs bench kill soak mutation fuzz gpu-check gallery constraints clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/make \1\t\2/' | expand -t 20

install: $(INSTALLED) ## Create .venv with everything at the tested versions

# pip understands --group since 25.1, which is newer than the pip that comes with Python 3.11. pip compiles the packages that
# it installs, but not an editable one; where PYTHONDONTWRITEBYTECODE is set, every process would compile that again.
$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is required, and none is on the path" >&2; exit 1; }
	@echo "Installing into .venv (takes a minute or two) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

quickstart: $(INSTALLED) ## Train three networks on the embedded data and print the leaderboard
	$(BIN)/python quickstart.py -a registries/quickstart.yaml -s 8901

# Two processes, because most tests keep one core busy. All tests of a file run in one process and share its fixtures.
test: $(INSTALLED) ## Run all tests but the long ones and the simulations
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: $(INSTALLED) ## Run the tests that repeat a check on another backend, or at length
	$(BIN)/python -m pytest -m long -n 2 --dist loadfile --no-loadscope-reorder

test-statistics: $(INSTALLED) ## Simulate thousands of studies to measure false verdicts and power
	$(BIN)/python -m pytest -m statistics tests/statistics

lint: $(INSTALLED) ## Check style, types, imports and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/codespell

docs: $(INSTALLED) ## Build the documentation site in build/docs, offline
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/docs

bench: $(INSTALLED) ## Measure speed and memory against other programs
	$(BIN)/python -m benchmarks.run

kill: $(INSTALLED) ## Kill real runs at more than twenty moments, resume them and compare the bits
	$(BIN)/python -m pytest -m kill

soak: $(INSTALLED) ## Kill a study a hundred times and audit it; KILLS=20 for fewer
	$(BIN)/python -m tests.soak $(if $(KILLS),--kills $(KILLS))

mutation: $(INSTALLED) ## Change the code in hundreds of places and see whether a test notices; SAMPLE=0 for all places
	TF_CPP_MIN_LOG_LEVEL=3 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.mutation $(if $(SAMPLE),--sample $(SAMPLE)) $(MODULES)

fuzz: $(INSTALLED) ## Feed mutated files to every parser; SECONDS=3600 for an hour each
	$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS))

gpu-check: $(INSTALLED) ## Train every network twice on a GPU and compare the bits
	$(BIN)/python -m benchmarks.gpu_check $(GPU_CHECK)

gallery: $(INSTALLED) ## Make docs/reference/gallery.md from a study (needs Chromium, pdflatex, pdftoppm); STUDY=results/quickstart
	$(BIN)/python docs/gallery/make.py $(or $(STUDY),results/quickstart)

constraints: ## Rewrite constraints.txt from the ranges in pyproject.toml
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/constraints/bin/python -m pip install --quiet --editable . --group dev
	{ sed -n '/^#/p' constraints.txt; \
		build/constraints/bin/python -m pip freeze --all --exclude-editable | grep -vE '^(pip|setuptools)=='; } > build/new.txt
	mv build/new.txt constraints.txt

clean: ## Remove build products and caches, but neither results nor .venv
	rm -rf build dist docs/reference/generated .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
