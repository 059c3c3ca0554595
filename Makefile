# zarrds. Newcomers need `make demo` and `make test`; developers also `make check`, `make docs`,
# `make bench` and `make clean`.
# Each target brings its own environment (.venv) up to date first. Needed: make and Python >= 3.11.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# two processes share the tests, a file to each in turn, in the order of tests/conftest.py
SHARED := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test check docs bench clean

demo: $(VENV)/.installed-demo  ## a climatology on a small cluster: data, checks and a map in quickstart-output/
	$(RUN) examples/quickstart.py

test: $(VENV)/.installed-test  ## the default test suite, doctests and README examples included
	$(RUN) -m pytest $(SHARED)

check: $(VENV)/.installed-test  ## everything a change must pass
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m mypy tests/typed_use.py
	$(RUN) .ci/check_types.py
	$(RUN) .ci/check_docstrings.py
	$(VENV)/bin/lint-imports
	$(RUN) -m pytest $(SHARED)

docs: $(VENV)/.installed-docs  ## the documentation site, in build/docs/index.html; examples run, links are checked
	$(RUN) -m sphinx --fail-on-warning --keep-going --quiet -j 2 -d build/doctrees docs build/docs
	$(RUN) .ci/check_site.py build/docs

bench: $(VENV)/.installed-bench  ## zarrds beside a bare loop and its peers: build/performance.json, docs/performance.md
	$(RUN) benchmarks/run.py --json build/performance.json --document docs/performance.md

clean:
	rm -rf $(VENV) quickstart-output build docs/reference/api dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: one stamp file for each set of packages, renewed when pyproject.toml changes -----------------

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'zarrds needs Python >= 3.11: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-demo: $(VENV)/.created pyproject.toml
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[plot]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.installed-docs: $(VENV)/.created pyproject.toml
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.installed-bench: $(VENV)/.created pyproject.toml
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@ $(VENV)/.installed-demo
