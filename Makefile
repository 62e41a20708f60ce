# The only way in: each target makes .venv if need be.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-slow check results bench peers docs clean

install: $(STAMP)

$(STAMP): pyproject.toml packages/tuningfork-fused/pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' --editable packages/tuningfork-fused
	touch $(STAMP)

demo: install
	$(BIN)/tuningfork demo demo-out

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# What takes long: all hostile models and exports, a crash at every operation of each verb, the longest recipes.
test-slow: install
	$(BIN)/python -m pytest -n 2 -m slow

# The site, in docs/_build/html. Warnings are errors; tutorials are run, and kept until they change.
docs: install
	rm -rf docs/reference/generated  # what the library no longer has
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going -n -b html docs docs/_build/html

# Every figure of the bundled model on the shared galaxies, from the weights in the package.
results: install
	$(BIN)/python benchmarks/results.py

# The speed tables of docs/performance.md, beside Zoobot where `make peers` has made its environment.
bench: install
	$(BIN)/python benchmarks/starting.py
	$(BIN)/python benchmarks/packing.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/predicting.py

peers:
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check 'zoobot==2.9.0' 'galaxy-datasets==0.0.25' lightning timm webdataset

clean:
	rm -rf $(VENV) .venv-peers demo-out build dist docs/_build
