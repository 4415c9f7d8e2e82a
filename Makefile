# `make` sets up a virtual environment and runs the notebooks; `make help` lists the rest.
# Another Python: make PYTHON=python3.13
PYTHON ?= python3

PY := .venv/bin/python
READY := .venv/ready
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
EXECUTED := $(NOTEBOOKS:notebooks/%.ipynb=.make/%.executed)
# Everything a notebook's outputs depend on beside its own text.
SOURCES := $(shell find emlib -name '*.py' -o -name '*.csv' -o -name '*.toml') .jupyter/nbconvert.json
BOOK := .make/book
# What the book is made of beside notebooks, figures and the package.
PAGES := README.md CONTRIBUTING.md CHANGELOG.md CITATION.cff pyproject.toml $(wildcard docs/*.py docs/*.bib docs/_static/*)
REPORT := .make/report.pdf
# Which notebooks `make notebooks` runs: NB=01_em_on_old_faithful for one.
NB ?= $(NOTEBOOKS)
CHOSEN = $(basename $(notdir $(NB)))
# Processes that share the tests; 0 runs them in this one, for a debugger.
WORKERS ?= logical
# More options for pytest and for `uv pip compile`, say LOCKFLAGS=--upgrade.
PYTESTFLAGS ?=
LOCKFLAGS ?=

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.NOTPARALLEL:  # notebooks share figures/manifest.json

.PHONY: all
all: .make/figures.checked .make/ledger.checked $(BOOK)/index.html ## Set up, run the notebooks that changed, check figures and ledger, build the book (the main job)
	@echo "Notebooks, figures/ and $(BOOK)/index.html are up to date ('make notebooks' runs the notebooks again)."

.PHONY: setup
setup: $(READY) ## Make the virtual environment .venv from requirements.lock

# --no-deps: the lock is complete (pip check holds it so), and an older pip would ask for the newest release of `coverage[toml]`.
$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "emlib needs Python 3.11 or newer, and '$(PYTHON)' is not: name one, as in 'make PYTHON=python3.13'."; exit 1; }
	@echo "Setting up .venv from requirements.lock (a minute or two) ..."
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	  echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu, 'apt install python3-venv' first."; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(PY) -m pip check --quiet --disable-pip-version-check
	@$(PY) -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "emlib.pth").write_text("$(CURDIR)\n")'
	@touch $@

.make/%.executed: notebooks/%.ipynb $(SOURCES) $(READY)
	@mkdir -p .make
	@echo "Running notebooks/$*.ipynb"
	@$(PY) -m nbconvert --to notebook --execute --inplace --config .jupyter/nbconvert.json $<
	@touch $@

.make/figures.checked: $(EXECUTED) $(READY) $(wildcard figures figures/*)
	@mkdir -p .make
	@$(PY) -m emlib figures
	@touch $@

# Two notebooks read what the others show, so they run after them.
READERS := .make/00_reading_guide.executed .make/14_errata.executed
$(READERS): $(filter-out $(READERS),$(EXECUTED))

.make/ledger.checked: $(EXECUTED) $(READY)
	@mkdir -p .make
	@$(PY) -m emlib ledger --missing
	@touch $@

.PHONY: notebooks
notebooks: $(READY) ## Run all notebooks again, or one: make notebooks NB=01_em_on_old_faithful
	$(foreach name,$(CHOSEN),$(if $(wildcard notebooks/$(name).ipynb),,$(error there is no notebooks/$(name).ipynb)))
	@rm -f $(CHOSEN:%=.make/%.executed)
	@$(MAKE) --no-print-directory $(CHOSEN:%=.make/%.executed)
	@$(PY) -m emlib figures

.PHONY: book
book: $(BOOK)/index.html ## Build the web book from the executed notebooks
	@echo "The book is in $(CURDIR)/$(BOOK)/index.html; a browser opens it as a file."

# From nothing each time, warnings as errors: the same sources give the same bytes.
$(BOOK)/index.html: .make/figures.checked .make/ledger.checked $(PAGES) $(READY)
	@echo "Building the book (half a minute) ..."
	@rm -rf $(BOOK) $(BOOK).partial
	@$(PY) docs/pages.py .make/book-source
	@$(PY) -m sphinx -W --keep-going -q -E -b html -c docs -d .make/book-doctrees .make/book-source $(BOOK).partial
	@mv $(BOOK).partial $(BOOK)

.PHONY: report
report: $(REPORT) ## Set notebooks, ledger and bibliography as one PDF and say where it is
	@echo "The report is $(CURDIR)/$(REPORT)."

$(REPORT): .make/figures.checked .make/ledger.checked $(wildcard docs/report.* docs/tables.py docs/references.bib) $(READY)
	@echo "Setting the report (half a minute) ..."
	@$(PY) docs/report.py $@

# By file: the cells of a notebook belong to one kernel.
SHARED := -n $(WORKERS) --dist loadfile

# The matrices of the tests are small: threads would only wait for each other.
.PHONY: test
test: export OPENBLAS_NUM_THREADS = 1
test: $(READY) ## Run the tests with the coverage gate, then compare every notebook with its stored outputs
	@$(PY) -m pytest $(SHARED) --cov=emlib --cov-fail-under=95 $(PYTESTFLAGS)
	@$(PY) -m pytest $(SHARED) --nbval --nbval-current-env --nbval-cell-timeout=120 $(PYTESTFLAGS) notebooks

.PHONY: test-book
test-book: $(BOOK)/index.html ## Build the book and read every page of it in Chromium
	@BOOK=$(BOOK) $(PY) -m pytest $(PYTESTFLAGS) docs/tests

.PHONY: lint
lint: $(READY) ## Check style (notebooks too) and types
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy

# Python that runs the benchmarks: name one of an environment with more packages to compare with. QUICK=1 is a trial run.
BENCH_PYTHON ?= $(PY)
QUICK ?=

.PHONY: bench
bench: $(READY) ## Time emlib beside other packages and write benchmarks/results/; QUICK=1 tries it on small problems
	@PYTHONPATH=. $(BENCH_PYTHON) -m benchmarks $(if $(QUICK),--quick)

.PHONY: lab
lab: $(READY) ## Open JupyterLab at the reading guide
	@$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_reading_guide.ipynb

.PHONY: lock
lock: .make/uv/bin/uv ## Bring requirements.lock up to pyproject.toml; LOCKFLAGS=--upgrade takes the newest of everything
	@.make/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" $(LOCKFLAGS) -o requirements.lock pyproject.toml

.make/uv/bin/uv:
	@$(PYTHON) -m venv .make/uv
	@.make/uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'

.PHONY: clean
clean: ## Remove the virtual environment, stamps and caches
	rm -rf .venv .make .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

.PHONY: help
help: ## List what make can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'
