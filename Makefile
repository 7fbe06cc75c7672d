# demo and test need only Python, pip and make; everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
# As many tests side by side as there are processors; one that is done takes of the others' work.
SIDE := -n auto --dist worksteal

.PHONY: demo test test-peers test-long test-neon lint types format docs clean

demo: .venv/demo
	$(BIN)/python examples/photograph.py --out demo

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/pytest $(SIDE) -m "not peers and not long"

test-peers: .venv/peers
	$(BIN)/pytest $(SIDE) -m "peers and not long"

test-long: .venv/peers
	CONVGRAD_TESTS=long $(BIN)/pytest $(SIDE)

# The kernels as AArch64 code, emulated: says so and tests nothing where qemu is missing.
test-neon: .venv/test
	$(BIN)/python tests/emulated.py -m "not long" tests/kernels/test_passes.py tests/kernels/test_arrays.py \
		tests/kernels/test_plan.py

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test
	$(BIN)/pyright

format: .venv/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Rewrites the pages that the engine writes.
docs: .venv/test
	$(BIN)/python docs/make_seed_page.py

clean:
	rm -rf .venv demo report.html

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[photo]'
	touch $@

.venv/test: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

.venv/peers: .venv/test
	$(BIN)/pip install --quiet --editable '.[test,peers]'
	touch $@
