PYTHON ?= python3
BIN := .venv/bin

.PHONY: check demo format lock setup soak test
setup:
	@scripts/setup.sh $(PYTHON)

demo: setup
	@$(BIN)/franklin run flights_delay strategy=ddp

# In two workers: what one waits for, the other computes. Spark has one session for all, the servers are one set.
test: setup
	@$(BIN)/pytest -n 2

soak: setup
	@$(BIN)/pytest -m soak

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock:
	@scripts/lock.sh
