# Every target runs in .venv, which `make install` creates from pyproject.toml and requirements.lock.

# The first Python on the path that TensorFlow supports. `make install PYTHON=/path/to/python` uses another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

BIN := .venv/bin
INSTALLED := .venv/.installed
PACKAGES := benchmarker plugins architectures reports
TOOLS := build/tools
PYPI := https://pypi.org/pypi/pip/24.0/json
CODE := $(PACKAGES) tests benchmarks examples docs quickstart.py

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-long test-statistics test-clusters test-clusters-long test-ray \
	test-pages test-airflow lint docs demo bench kill soak mutation fuzz gpu-check gallery constraints \
	audit-dependencies sbom licences clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/make \1\t\2/' | expand -t 20

install: $(INSTALLED) ## Create .venv with everything at the tested versions

# Every file that is installed must have a hash of the lock; three packages come as source, and pip fetches what builds them.
# pip compiles the packages that it installs, but not an editable one; where PYTHONDONTWRITEBYTECODE is set, every process
# would compile that again.
$(INSTALLED): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is required, and none is on the path" >&2; exit 1; }
	@echo "Installing into .venv (takes a minute or two) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

quickstart: $(INSTALLED) ## Train three networks on the embedded data and print the leaderboard
	$(BIN)/python quickstart.py -a registries/quickstart.yaml -s 8901

# Two processes, because most tests keep one core busy. All tests of a file run in one process and share its fixtures.
test: $(INSTALLED) ## Run all tests but the long ones and the simulations
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: $(INSTALLED) ## Run the tests that repeat a check on another backend, or at length
	$(BIN)/python -m pytest -m long -n 2 --dist loadfile --no-loadscope-reorder

test-clusters: $(INSTALLED) ## Run studies on Slurm, Ray and a disk of two machines (needs root, slurm-wlm, munge, sshfs)
	$(BIN)/python -m pytest -m clusters

# The same study with 24 cells and six generators; a hundred tasks are cancelled.
test-clusters-long: $(INSTALLED) ## Cancel a hundred tasks of a study on Slurm, requeue others, and lose eight nodes
	CANCELLED=100 LIMIT=2 SEEDS=6 EPOCHS=40 PATIENCE=5400 $(BIN)/python -m pytest -m clusters tests/plugins/clusters/test_slurm.py

# Not in continuous integration: it takes many minutes. REMOVED=3 is a short form.
test-ray: $(INSTALLED) ## Remove twenty nodes of a Ray cluster under tasks, and twenty under a study; REMOVED=3 for fewer
	REMOVED=$(or $(REMOVED),20) $(BIN)/python -m pytest -m ray tests/plugins/clusters/test_ray_cluster.py

test-statistics: $(INSTALLED) ## Simulate thousands of studies to measure false verdicts and power
	$(BIN)/python -m pytest -m statistics tests/statistics

test-pages: $(INSTALLED) ## Check the HTML report with axe-core (needs Chromium, its driver and npm)
	test -f build/axe/node_modules/axe-core/axe.min.js || \
		npm install --prefix build/axe --ignore-scripts --no-audit --no-fund axe-core@4.14.1
	$(BIN)/python -m pytest -m long -n 0 tests/reports/test_accessibility.py

test-airflow: $(INSTALLED) build/airflow/.installed ## Let Airflow, in an environment of its own, run a DAG that benchmarker writes
	AIRFLOW=$(CURDIR)/build/airflow $(BIN)/python -m pytest -n 0 tests/plugins/serving/test_airflow.py

build/airflow/.installed: # Airflow needs other versions of some packages
	$(PYTHON) -m venv build/airflow
	build/airflow/bin/python -m pip install --quiet 'apache-airflow>=3.3,<4'
	@touch $@

lint: $(INSTALLED) ## Check style, types, imports and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/codespell

docs: $(INSTALLED) ## Build the documentation site in build/docs, offline
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/docs

demo: $(INSTALLED) build/airflow/.installed ## Train, export, prune, predict, serve, show a page and run a DAG on small data (needs Chromium)
	AIRFLOW=$(CURDIR)/build/airflow $(BIN)/python examples/etl_train_serve/demo.py

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

gpu-check: $(INSTALLED) ## Compare the bits of every network trained twice on a GPU, and of cells that share it
	$(BIN)/python -m benchmarks.gpu_check $(GPU_CHECK)

gallery: $(INSTALLED) ## Make docs/reference/gallery.md from a study (needs Chromium, pdflatex, pdftoppm); STUDY=results/quickstart
	$(BIN)/python docs/gallery/make.py $(or $(STUDY),results/quickstart)

# Pins that the old files have stay as they are; UPGRADE=1 takes the newest versions within the ranges.
constraints: $(TOOLS) ## Pin what pyproject.toml asks for in requirements.lock and constraints.txt; UPGRADE=1 renews
	echo '-e .' | $(TOOLS)/bin/uv pip compile - --group pyproject.toml:dev --universal --python-version 3.11.5 \
		--generate-hashes --no-annotate --no-emit-package galaxy-benchmarker --quiet \
		--custom-compile-command 'make constraints' $(if $(UPGRADE),--upgrade,--constraint constraints.txt) \
		--output-file requirements.lock
	{ sed -n '/^#/p' constraints.txt; \
		sed -nE 's/^([A-Za-z0-9._-]+==[^ ;]+).*/\1/p' requirements.lock | grep -v '^setuptools=='; } > build/new.txt
	mv build/new.txt constraints.txt

$(TOOLS): # Programs for maintainers, which nothing else needs
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv pip-audit cyclonedx-bom

audit-dependencies: $(TOOLS) ## Ask PyPI for known vulnerabilities of the pinned dependencies (needs the network)
	@$(PYTHON) -c "from urllib.request import urlopen; urlopen('$(PYPI)', timeout=30)" 2>/dev/null || { \
		echo "error: $(PYPI) cannot be read from here, so nothing was checked; try again where it can be" >&2; exit 2; }
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

sbom: $(INSTALLED) $(TOOLS) ## Write what .venv consists of to build/sbom.cdx.json (CycloneDX)
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON \
		--output-file build/sbom.cdx.json .venv/bin/python

licences: $(INSTALLED) ## Write docs/reference/licences.md
	$(BIN)/python docs/licences.py > docs/reference/licences.md

clean: ## Remove build products and caches, but neither results nor .venv
	rm -rf build dist docs/reference/generated .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
