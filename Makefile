# `make` says what there is to make. Everything made lies in .venv and .cache; `make clean` removes both.

PYTHON ?= python3
# Which channel `make run` uses: `local` is the one built from this machine's parts, under conda-forge's name.
CHANNEL ?= local
# More for pytest, as in: make test TESTS="tests/channel -k lua"
TESTS ?=

VENV := .venv
BIN := $(VENV)/bin
RUN := $(CURDIR)/.cache/run

# An environment that was moved here, or whose interpreter is gone, is made again.
ifneq ($(shell cat $(VENV)/.made 2>/dev/null),$(shell $(BIN)/python -c 'print("$(CURDIR)")' 2>/dev/null))
$(shell rm -f $(VENV)/.made $(VENV)/.installed)
endif

# Shell scripts, by suffix or by shebang; what tests keep as samples is left alone.
SHELL_FILES = $(shell find .ci conda_execute examples recipe tests -name __pycache__ -prune -o -path tests/headers -prune \
    -o -type f -print 2>/dev/null | xargs awk 'FNR == 1 && (FILENAME ~ /\.sh$$/ || /^\#!.*[\/ ](ba|da)?sh$$/) \
    { print FILENAME } { nextfile }')

# Byte code of the tests is kept: each worker would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

# Each worker gets a half, in order, and takes from the other when it is done: what a module prepares is prepared once.
PYTEST := $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal

CHECKS := ruff mypy mypy-darwin mypy-win32 shellcheck

.PHONY: help run site test coverage lint $(CHECKS) bench stress cluster older powercuts channel clean
.DELETE_ON_ERROR:

help:
	@echo 'make run      run the examples with the local channel (CHANNEL=conda-forge: with the real one)'
	@echo 'make site     build the documentation as a site, in .cache/site'
	@echo 'make test     lint, then every test (TESTS="..." adds words for pytest)'
	@echo 'make coverage every test, and how much of the code they run'
	@echo 'make lint     ruff, mypy and shellcheck'
	@echo 'make older    test the embedded engine with the py-rattler of a current conda'
	@echo 'make bench    measure, and print the figures'
	@echo 'make stress   repeat hundreds of times what must never go wrong'
	@echo 'make cluster  try what hosts that share a disk do to each other (as root)'
	@echo 'make powercuts  cut the power of ext4, xfs and btrfs a hundred times each (as root)'
	@echo 'make clean    remove everything that was made'

$(VENV)/.made: .ci/venv
	@echo '== making $(VENV)'
	@.ci/venv '$(PYTHON)' $(VENV)
	@printf '%s' '$(CURDIR)' > $@

$(VENV)/.installed: $(VENV)/.made setup.py pyproject.toml conda_execute/__init__.py conda_execute/launch/posix/conda-execute
	@echo '== installing conda-execute and what its tests need into $(VENV)'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[test]'
	@touch $@

channel: $(VENV)/.installed
	@echo '== looking for the local channel'
	@$(BIN)/python -m tests.channel.build

run: $(VENV)/.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" .ci/examples '$(CHANNEL)' '$(RUN)'

site: $(VENV)/.installed
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

lint: $(VENV)/.installed
	@echo '== $(CHECKS)'
	@$(MAKE) --no-print-directory --jobs=4 $(CHECKS)

ruff:
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

# Says nothing when all is well.
mypy:
	@$(BIN)/mypy --no-error-summary

mypy-darwin mypy-win32: mypy-%:
	@$(BIN)/mypy --no-error-summary --platform $* --no-warn-unreachable --cache-dir .mypy_cache/$* conda_execute

shellcheck:
	@$(BIN)/shellcheck $(SHELL_FILES)

test: lint
	@echo '== pytest'
	@$(PYTEST) $(TESTS)

coverage: $(VENV)/.installed
	@rm -f .coverage .coverage.*
	@$(PYTEST) --cov --cov-report=term:skip-covered $(TESTS)

# The py-rattler that conda-rattler-solver keeps in the base environment, in an environment of its own.
older: $(VENV)/.installed
	@[ -x .cache/older/bin/python ] || .ci/venv '$(PYTHON)' .cache/older
	@.cache/older/bin/python -m pip install -qq --disable-pip-version-check --editable '.[test]' 'py-rattler<0.27'
	@.cache/older/bin/python -m pytest -q -n auto --maxprocesses 4 -p no:cacheprovider tests/test_rattler.py \
	    tests/test_backends.py tests/test_explain.py tests/test_interruptible.py tests/test_lock.py tests/test_network.py \
	    tests/test_pypi.py $(TESTS)

stress: $(VENV)/.installed
	@$(BIN)/python -m pytest -m stress $(TESTS)

powercuts: $(VENV)/.installed
	@$(BIN)/python -m tests.faults.powercuts

# As root. sshfs and ip are Debian's and installed here; Slurm and glusterfs are only fetched, and seen by the trials'
# hosts alone. What cannot be had is skipped, with the reason. TASKS=1000 sets the size of arrays (300).
cluster: $(VENV)/.installed
	@{ command -v sshfs && command -v ip; } > /dev/null || \
	    { apt-get update -qq && apt-get install -y -qq sshfs openssh-sftp-server iproute2; } || \
	    echo 'sshfs and ip cannot be installed: the trials that need them are skipped'
	@$(BIN)/python -m pytest -m cluster $(TESTS) tests/cluster
	@$(BIN)/python -m tests.protocol.table

bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build *.egg-info .coverage .coverage.*
	find . -name __pycache__ -prune -exec rm -rf {} +
