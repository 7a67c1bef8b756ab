# Everything that is done with this project.  `make` alone lists it.
# Each target does its own set-up; a fresh machine needs Python 3.11 and make, no more.

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/bin/uv)
RUN := $(UV) run --no-sync
SYNCED := .venv/.synced

export TF_CPP_MIN_LOG_LEVEL ?= 3
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check format docs fuzz new-rule clean
.PHONY: bench bench-agreement bench-control bench-determinism bench-fuzz bench-healthy bench-hostile bench-input-scale
.PHONY: bench-latency bench-load bench-reading bench-recovery bench-rules bench-rules-cost bench-variability

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: $(SYNCED) ## fetch uv where it is missing, and install what uv.lock names into .venv

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet uv==$(UV_VERSION)

$(SYNCED): pyproject.toml uv.lock $(filter .tools/%,$(UV))
	$(UV) sync --locked
	@touch $@

demo: setup ## diagnose a stuck VGG on a real service, end to end, in a few minutes
	$(RUN) python -m scripts.demo

serve: setup ## the whole service on http://127.0.0.1:8000
	$(RUN) unstuck serve

test: setup ## every test (Debian's chromium is needed for those in the browser)
	$(RUN) pytest -n 2 --dist loadfile

check: setup ## formatting, lint, types, import contract, images, generated pages up to date
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) hadolint Dockerfile
	$(RUN) check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(RUN) python scripts/generate_docs.py --check
	$(RUN) python -m app.settings | cmp - docs/settings.md

format: setup ## format the code and mend what the linter can
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

docs: setup ## write the generated pages under docs/
	$(RUN) python scripts/generate_docs.py
	$(RUN) python -m app.settings > docs/settings.md

bench: setup ## founding cases and keras.applications: verdict, fix, seconds, memory (resumes; an hour)
	$(RUN) python -m benchmarks.cases --resume --write

bench-agreement: setup ## verdicts against training for real, on every kind of task (resumes; an hour)
	$(RUN) python -m benchmarks.agreement --resume --write

bench-control: setup ## how often the probe's control learns its task, and a linear model (resumes; an hour)
	$(RUN) python -m benchmarks.control --write

bench-healthy: setup ## healthy networks drawn at random: how often one is called sick (resumes; an hour)
	$(RUN) python -m benchmarks.healthy --resume --write

bench-determinism: setup ## the same file twice: the reports must be the same
	$(RUN) python -m benchmarks.determinism

bench-variability: setup ## how far the probe's numbers vary with the seed and the threads (resumes; half an hour)
	$(RUN) python -m benchmarks.variability --write

bench-input-scale: setup ## how often the scale of the training data is told right (resumes; 15 minutes)
	$(RUN) python -m benchmarks.input_scale --write

bench-rules-cost: setup ## processor seconds of reading and of every rule, on large and on deep files
	$(RUN) python -m benchmarks.rules_cost

bench-latency: setup ## seconds from the end of an upload to a static report, on a warm service
	$(RUN) python -m benchmarks.static_latency

bench-reading: setup ## files of every Keras, rebuilt, against what their own framework computes (15 minutes)
	$(RUN) python -m benchmarks.reading --write

bench-load: setup ## 200 clients, five minutes each: embedded and with Celery, with probes and without; latency, memory
	$(RUN) python -m benchmarks.load --write

bench-recovery: setup ## seconds until a job runs again after each fault (resumes; half an hour)
	$(RUN) python -m benchmarks.recovery --write --resume

bench-rules: setup ## how often each rule fires on healthy models, and finds its own planted fault
	$(RUN) python -m benchmarks.rules --write

fuzz: bench-fuzz ## another name for bench-fuzz

bench-fuzz: setup ## damaged files by the ten thousand: only declared errors may come out (resumes; an hour)
	$(RUN) python -m benchmarks.fuzz --resume

bench-hostile: setup ## hostile and broken files in the sandbox: breaches, worst seconds and memory (a minute)
	$(RUN) python -m benchmarks.hostile --write

new-rule: setup ## the skeleton of a rule: make new-rule ID=narrow-waist GROUP=architecture
	$(RUN) python -m scripts.new_rule $(ID) $(or $(GROUP),architecture)
	$(RUN) ruff check --fix --quiet analyzers/registry.py
	$(RUN) ruff format --quiet analyzers/registry.py analyzers/rules tests/rules

clean: ## delete what is built: virtual environment, caches, zoo files, results
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .import_linter_cache tests/zoo/.cache benchmarks/results
