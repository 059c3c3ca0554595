# zarrds. Newcomers need `make demo` and `make test`; `make` alone lists all targets.
# Each target brings its own environment (.venv) up to date first. Needed: make and Python >= 3.11.

PYTHON ?= python3
VENV := .venv
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := $(VENV)/$(BIN)/python
# two processes share the tests, a file to each in turn, in the order of tests/conftest.py
SHARED := -n 2 --dist loadfile --no-loadscope-reorder

# processes that tests start would compile each module anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check docs coverage package lowest upstream hooks changelog bench clean

help:  ## what can be made
	@awk -F ':.*## *' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.installed-demo  ## a climatology on a small cluster: data, checks and a map in quickstart-output/
	$(RUN) examples/quickstart.py

test: $(VENV)/.installed-test  ## the default test suite, doctests and README examples included
	$(RUN) -m pytest $(SHARED)

check: $(VENV)/.installed-test  ## everything a change must pass; TESTS=no: all but the tests
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m codespell_lib
	$(RUN) -m mypy
	$(RUN) -m mypy tests/typed_use.py
	$(RUN) .ci/check_types.py
	$(RUN) .ci/check_docstrings.py
	$(VENV)/$(BIN)/lint-imports
	$(if $(filter no,$(TESTS)),,$(RUN) -m pytest $(SHARED))

docs: $(VENV)/.installed-docs  ## the documentation site, in build/docs/index.html; examples run, links are checked
	$(RUN) -m sphinx --fail-on-warning --keep-going --quiet -j 2 -d build/doctrees docs build/docs
	$(RUN) .ci/check_site.py build/docs

coverage: $(VENV)/.installed-test  ## branch coverage of the default tests; lines in build/coverage/html
	@mkdir -p build/coverage
	$(RUN) -m pytest $(SHARED) --cov --cov-report=term --cov-report=html

package: $(VENV)/.installed-test  ## sdist and wheel in build/dist, installed and tried in a fresh environment
	$(RUN) .ci/check_package.py build/dist $(if $(TAG),--tag '$(TAG)')

lowest: build/lowest/.installed  ## the default tests with the lowest versions that pyproject.toml admits
	build/lowest/$(BIN)/python -m pytest $(SHARED) $(OLD_MATPLOTLIB)

upstream: build/upstream/.installed  ## the default tests with pre-releases of what zarrds builds on
	build/upstream/$(BIN)/python -m pytest $(SHARED)

hooks: $(VENV)/.installed-dev  ## checks before each commit (pre-commit)
	$(RUN) -m pre_commit install

changelog: $(VENV)/.installed-dev  ## what the pieces in docs/changes give together; nothing is written
	$(RUN) -m towncrier build --draft

bench: $(VENV)/.installed-bench  ## zarrds beside a bare loop and its peers: build/performance.json, docs/performance.md
	$(RUN) benchmarks/run.py --json build/performance.json --document docs/performance.md

clean:  ## remove the environments and all that was built
	rm -rf $(VENV) quickstart-output build docs/reference/api dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: one stamp file for each set of packages, renewed when pyproject.toml changes -----------------

INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'zarrds needs Python >= 3.11: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-demo: $(VENV)/.created pyproject.toml
	$(INSTALL) -e '.[plot]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml
	$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.installed-demo $(VENV)/.installed-test

$(VENV)/.installed-docs: $(VENV)/.created pyproject.toml
	$(INSTALL) -e '.[docs]'
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.installed-bench: $(VENV)/.created pyproject.toml
	$(INSTALL) -e '.[bench]'
	@touch $@ $(VENV)/.installed-demo

# environments of their own for other versions of the same packages, which uv chooses
WITH_UV = $(PYTHON) -m venv $(@D) && $(@D)/$(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
  $(@D)/$(BIN)/python -m uv pip install --quiet --python $(@D)/$(BIN)/python --upgrade -e '.[test]'

# old versions of matplotlib call functions that the pyparsing of today deprecates
OLD_MATPLOTLIB := -W ignore::pyparsing.warnings.PyparsingDeprecationWarning

build/lowest/.installed: pyproject.toml
	$(WITH_UV) --resolution lowest-direct
	@touch $@

build/upstream/.installed: pyproject.toml
	$(WITH_UV) --prerelease allow
	@touch $@
