PYTHON ?= python3
BIN := .venv/bin

.PHONY: check demo format lock setup soak test
setup:
	@scripts/setup.sh $(PYTHON)

demo: setup
	@$(BIN)/franklin run flights_delay strategy=ddp

# In two workers: what one waits for, the other computes. Spark has one session for all, the servers are one set. Each has
# one thread: threads that wait for one another while somebody else has their core took five times as long.
test: setup
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

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
