# Every target sets up what it needs in .venv by itself.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo app web space test lint docs study oldest format clean

help:
	@echo "make demo    classify the photos in samples/ and draw annotated copies in runs/demo"
	@echo "make app     serve the page: live camera, photos, batches, videos; ARGS='--host 0.0.0.0' gives it options"
	@echo "make web     write the live page that needs no server into WEB=runs/web; ARGS gives options"
	@echo "make space   put what a Hugging Face Space needs into SPACE=runs/space"
	@echo "make test    run all tests"
	@echo "make lint    ruff check and format, mypy"
	@echo "make docs    build the documentation in site/; read it by python3 -m http.server -d site"
	@echo "make study   train the runs of recipes/studies on DATA=DIR; MINUTES=9 stops in time, and the next call goes on"
	@echo "make oldest  test the light core with the oldest versions that it allows"
	@echo "make format  let ruff mend what it can"
	@echo "make clean   remove .venv and caches"

demo: $(VENV)/.predict
	$(BIN)/fer predict samples --annotate runs/demo

app: $(VENV)/.app
	$(BIN)/fer app $(ARGS)

WEB ?= runs/web

web: $(VENV)/.web
	$(BIN)/fer web --out $(WEB) $(ARGS)

SPACE ?= runs/space

space:
	mkdir -p $(SPACE)
	cp -r app fer recipes weights samples LICENSE app/README.md app/requirements.txt app/space.py $(SPACE)
	find $(SPACE) -name __pycache__ -type d -prune -exec rm -rf {} +

test: $(VENV)/.dev
	$(BIN)/pytest -n 2 --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

DATA ?= ../shared/data/ferplus
MINUTES ?= 0
STUDIES ?= comparison student paper ablation

study: $(VENV)/.dev
	$(BIN)/fer study $(STUDIES) --data $(DATA) --minutes $(MINUTES)

OLDEST ?= .venv-oldest

# The light core with the oldest versions that pyproject.toml allows, on the oldest Python.
oldest:
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --upgrade pip
	$(OLDEST)/bin/pip install --quiet -c tests/oldest.txt '.[video]' pyarrow pandas
	$(OLDEST)/bin/fer predict samples

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and f"expected Python 3.10 or newer, not {sys.version}")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

# A stamp per set of extras: installed again when pyproject.toml changes.
$(VENV)/.predict: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e .
	@touch $@

$(VENV)/.app: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[app]'
	@touch $@ $(VENV)/.predict $(VENV)/.web

$(VENV)/.web: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[web]'
	@touch $@ $(VENV)/.predict

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[docs]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[dev]'
	@touch $@ $(VENV)/.predict $(VENV)/.app $(VENV)/.web $(VENV)/.docs
