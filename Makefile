# make run       everything, then serves on http://localhost:8000 (PORT=9000 make run for another)
# make test      the tests that need nothing but Python
# make help      the rest
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DJHTML := $(BIN)/djhtml --tabwidth 2
STATIC := $(shell find static -type f 2>/dev/null)

# A first look needs no configuration: a key of this machine's own, plain http on localhost. A .env file, if there
# is one, comes first; see .env.example.
ENV := set -a; asked="$(PORT)"; if [ -f .env ]; then . ./.env; fi; \
	CASEBOOK_SECRET_KEY=$${CASEBOOK_SECRET_KEY:-$$(cat var/secret-key)}; \
	CASEBOOK_HTTPS=$${CASEBOOK_HTTPS:-0}; PORT=$${asked:-$${PORT:-8000}}; set +a;

.PHONY: run prepare lock vendor test test-fast coverage mutate test-browser test-front pictures bench bench-short faults faults-short soak soak-short lint format check help clean

run: prepare
	@$(ENV) exec $(BIN)/gunicorn -c python:evidence.gunicorn_conf evidence.wsgi

prepare: $(VENV)/.installed var/secret-key var/static/.collected
	@echo "Loading the evidence"
	@$(ENV) $(BIN)/python manage.py prepare

# What is installed is what the lock files name, by hash; `make lock` makes them.
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Casebook needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make run PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "Installing what Casebook runs on into $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(INSTALL) requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what testing takes (once)"
	@$(BIN)/python $(INSTALL) requirements-dev.lock
	@touch $@

# The lock files anew, from what the requirements pin: every file of every package by its hash, for any Python and
# system. Whoever changes a requirement runs it.
UV := uv==0.13.9
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" var/lock/bin/uv pip compile --quiet \
	--universal --python-version 3.11 --generate-hashes --no-annotate
lock:
	@[ -x var/lock/bin/uv ] && [ "$$(cat var/lock/is)" = "$(UV)" ] || { rm -rf var/lock && $(PYTHON) -m venv var/lock && \
		var/lock/bin/python -m pip install --quiet --disable-pip-version-check $(UV) && echo "$(UV)" > var/lock/is; }
	@for each in requirements requirements-dev .ci/requirements .ci/requirements-cff benchmarks/requirements; do \
		$(LOCK) $$each.txt -o $$each.lock || exit 1; echo "$$each.lock"; done

var/secret-key:
	@mkdir -p var
	@umask 077; $(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))' > $@

var/static/.collected: $(STATIC) $(VENV)/.installed | var/secret-key
	@echo "Collecting and compressing static files (once)"
	@$(ENV) $(BIN)/python manage.py collectstatic --noinput --clear --verbosity 0
	@touch $@

# The scripts of others that we serve, fetched anew; static/vendor/README.md says what they must be.
PLOTLY := plotly.js-basic-dist-min@4.1.1
vendor:
	@rm -rf var/vendor && mkdir -p var/vendor
	@npm pack --silent --pack-destination var/vendor $(PLOTLY) > var/vendor/name
	@tar xzf var/vendor/$$(cat var/vendor/name) -C var/vendor
	@sum=$$(sha256sum var/vendor/package/plotly-basic.min.js | cut -d' ' -f1); echo "$(PLOTLY) $$sum"; \
		grep -q "$$sum" static/vendor/README.md || { echo "This is not the hash in static/vendor/README.md; nothing is changed."; exit 1; }
	@cp var/vendor/package/plotly-basic.min.js static/vendor/
	@cp var/vendor/package/LICENSE static/vendor/plotly-basic.LICENSE

# One process for each core, up to eight: each loads the evidence into a database of its own. A process with nothing
# left to do takes tests from one that has. WORKERS=0 tests in one process, which a debugger needs.
WORKERS ?= auto
TESTS ?= not browser and not front
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal -m "$(TESTS)"

test: $(VENV)/.installed-dev
	@$(PYTEST)
	@echo "Left out: the tests in a real browser (make test-browser, needs Chromium), those of the shipped nginx"
	@echo "configuration (make test-front, needs nginx), and the same suite on"
	@echo "PostgreSQL and Redis (DATABASE_URL=... REDIS_URL=... make test)."

test-fast: TESTS = not browser and not front and not slow
test-fast: $(VENV)/.installed-dev
	@$(PYTEST)

coverage: $(VENV)/.installed-dev
	@$(PYTEST) --cov --cov-report=term

# The files of evidence/statistics/ and evidence/questions/ that differ from BASE (by default from origin/main, on main
# from the last release), or FILES.
mutate: $(VENV)/.installed-dev
	@$(BIN)/python .ci/mutate.py $(if $(BASE),--base $(BASE)) $(FILES)

test-browser: $(VENV)/.installed-dev var/static/.collected
	@$(BIN)/python -m pytest -m browser

test-front: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -m front

# The pictures of docs/curating.md, taken anew in a real browser.
pictures: $(VENV)/.installed-dev var/static/.collected
	@$(BIN)/python -m pytest -m browser tests/browser/test_whole_way.py --take-pictures

SIZES ?= 1000 100000 1000000

var/bench/venv/.installed: benchmarks/requirements.lock
	@echo "Installing what Casebook is measured against (once)"
	@$(PYTHON) -m venv var/bench/venv
	@var/bench/venv/bin/python $(INSTALL) benchmarks/requirements.lock
	@touch $@

bench: $(VENV)/.installed-dev var/static/.collected var/bench/venv/.installed
	@CASEBOOK_SECRET_KEY=benchmark CASEBOOK_HTTPS=0 $(BIN)/python -m benchmarks.run --sizes $(SIZES)
	@CASEBOOK_SECRET_KEY=benchmark CASEBOOK_HTTPS=0 $(BIN)/python -m benchmarks.vitals

bench-short: $(VENV)/.installed-dev var/static/.collected var/bench/venv/.installed
	@CASEBOOK_SECRET_KEY=benchmark CASEBOOK_HTTPS=0 $(BIN)/python -m benchmarks.run --sizes 1000 --short

# Faults, each with servers and data of its own; needs PostgreSQL's and Redis's programs, a C compiler, and root for
# full disks. NAMES=... tries those alone (python -m faults.run --list).
faults: $(VENV)/.installed-dev var/static/.collected
	@$(BIN)/python -m faults.run $(NAMES); status=$$?; $(BIN)/python -m faults.report; exit $$status

faults-short: $(VENV)/.installed-dev var/static/.collected
	@$(BIN)/python -m faults.run --short

# Load and abuse, see docs/reliability.md. All of it needs root, Redis, PostgreSQL, nginx and iproute2, and takes an
# hour and a half; the short form needs Redis alone, and takes three minutes.
soak: $(VENV)/.installed-dev
	@$(BIN)/python -m soak

soak-short: $(VENV)/.installed-dev
	@$(BIN)/python -m soak --short

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(DJHTML) --check templates

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(DJHTML) templates

check: lint var/secret-key
	@$(ENV) $(BIN)/python manage.py makemigrations --check --dry-run
	@CASEBOOK_SECRET_KEY=$$(cat var/secret-key) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(ENV) $(BIN)/python manage.py reconstruct_review sener-2025 --check

clean:
	@rm -rf $(VENV) var .pytest_cache .ruff_cache .hypothesis

help:
	@echo "make run           install, load, serve on port 8000 (PORT=9000 make run for another)"
	@echo "make prepare       the same without serving"
	@echo "make test          tests that need nothing but Python"
	@echo "make test-fast     most of them in a quarter of the time, while working"
	@echo "make coverage      make test, and which lines and branches it reached"
	@echo "make mutate        what no test of statistics/ and questions/ notices in changed files; BASE=commit, FILES=names"
	@echo "make test-browser  tests in a real Chromium"
	@echo "make pictures      the pictures of docs/curating.md, in a real Chromium"
	@echo "make bench         measure beside other tools, an hour; SIZES=\"1000 100000\" takes ten minutes"
	@echo "make bench-short   only that the measuring runs and that all answers agree"
	@echo "make faults        kills, stops, hangs, fills and cuts short, and writes the table of docs/reliability.md; half an hour"
	@echo "make faults-short  a few of the faults, some minutes"
	@echo "make soak          hostile requests, four times the load it holds, the front, several hosts (root; an hour and more)"
	@echo "make soak-short    3,000 hostile requests and a short overload (needs Redis)"
	@echo "make check         lint, formatting, missing migrations, deployment settings, the simulated fixture"
	@echo "make format        let ruff and djhtml mend what they can"
	@echo "make lock          after a change of requirements: the lock files anew, with the hash of each package"
	@echo "make clean         remove the virtual environment AND var/, the local database with it"
