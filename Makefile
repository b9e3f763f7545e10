# `make app` opens the studio, `make test` runs every test, `make bench` measures. All set up .venv when it is out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: app test bench lint clean

app: $(VENV)/.runtime
	$(BIN)/streamlit run streamlit_app.py --server.headless false --server.showEmailPrompt false

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.evaluation
	$(BIN)/python -m benchmarks.optimizer
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.start
	$(BIN)/python -m benchmarks.frontier
	$(BIN)/python -m benchmarks.large
	$(BIN)/python -m benchmarks.card
	test -z "$$NST_TORCH_PYTHON" || $(BIN)/python -m benchmarks.baseline
	$(BIN)/python -m benchmarks.gallery
	$(BIN)/python -m benchmarks.gallery_page
	$(BIN)/python -m benchmarks.first_page
	$(BIN)/python -m benchmarks.drafts
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tools.learn_filters kmeans --output $(VENV)/kmeans.npz
	$(BIN)/python -m benchmarks.filters --also kmeans=$(VENV)/kmeans.npz
	$(BIN)/python -m benchmarks.report

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is not. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime
