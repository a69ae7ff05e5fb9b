# What can be done here: `make help`. Needs python3 (3.11 or later, with venv and pip) and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := build/pip/bin/python -m pip --python $(BIN)/python --disable-pip-version-check --quiet
INSTALL := $(PIP) install --no-compile --require-hashes --requirement
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-annotate $(LOCKFLAGS)

PACKAGES := $(VENV)/packages/bin
PAGE_TYPES := tools/page_types

export PIP_NO_INPUT := 1
unexport PYTHONDONTWRITEBYTECODE  # without its bytecode, every process that the tests start would compile the package

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test soak check lint types packages generate chart bench docs screenshots build release lock clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

run: $(VENV)/$(if $(EXTRAS)$(MONGO_URI),.extras,.runtime) ## Start a server from this tree (EXTRAS=all: one that can send mail and traces, too)
	$(BIN)/tracker serv

test: $(VENV)/.dev ## Run the tests (ARGS="tests/cli -k version" for some of them)
	$(BIN)/pytest --numprocesses auto --dist worksteal $(ARGS)

soak: $(VENV)/.dev ## Run for long what `make test` runs for a while, and the pairs that it leaves out (over half an hour)
	SOAK=1 $(BIN)/pytest --numprocesses auto --dist worksteal --timeout 1800 -o faulthandler_timeout=2000 -m soak $(ARGS)
	$(BIN)/python -m tests.histories --store mongo --acquisitions 5000 --harm-databases

check: lint types packages test ## All that must pass before a change is merged

lint: $(VENV)/.dev ## Check style, import arrows, protos, and that generated files are fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.generate --lint
	$(BIN)/python -m tools.generate --check

types: $(VENV)/.dev ## Check types, also in the scripts of pages if npm is there
	$(BIN)/mypy
	@if $(MAKE) --silent --no-print-directory $(PAGE_TYPES)/node_modules/.package-lock.json; then $(PAGE_TYPES)/node_modules/.bin/tsc --project $(PAGE_TYPES); \
	else echo 'WARNING: npm can not install TypeScript here: types in the scripts of pages are not checked'; fi

packages: $(VENV)/.packages ## Check the image's recipe, the workflows, and the Helm chart with what is made of it
	$(PACKAGES)/hadolint Dockerfile
	$(PACKAGES)/zizmor --offline --quiet .github
	$(PACKAGES)/python -m tools.chart --check

$(PAGE_TYPES)/node_modules/.package-lock.json: $(PAGE_TYPES)/package-lock.json
	@npm ci --prefix $(PAGE_TYPES) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

generate: $(VENV)/.dev ## Write the messages and OpenAPI documents from proto/
	$(BIN)/python -m tools.generate

chart: $(VENV)/.packages ## Write the manifests for Kubernetes from the Helm chart
	$(PACKAGES)/python -m tools.chart

bench: $(VENV)/.dev ## Measure the API, locks beside etcd, watches, imports, the store on MongoDB, how it grows, and pages (see bench/)
	$(BIN)/python -m bench.api
	$(BIN)/python -m bench.locks
	$(BIN)/python -m bench.watch
	$(BIN)/python -m bench.webhooks
	$(BIN)/python -m bench.archive
	$(BIN)/python -m bench.mongo
	$(BIN)/python -m bench.size
	$(BIN)/python -m bench.size --mongo
	$(BIN)/python -m bench.storm
	$(BIN)/python -m bench.pages

docs: $(VENV)/.packages ## Make the documentation a site in build/docs
	rm -rf build/docs-source && mkdir -p build && cp -R docs build/docs-source
	cp README.md build/docs-source/index.md && cp CHANGELOG.md CONTRIBUTING.md build/docs-source
	sed -i -E -e 's#\]\(docs/#](#g' -e 's#\]\(\.\./(C[A-Z]*\.md)#](\1#g' \
		-e 's#\[([^]]*)\]\((\.\./|LICENSE|proto)[^)]*\)#\1#g' build/docs-source/*.md  # other files are not in the site
	sed -i -E 's#\[([^]]*)\]\(\.\./\.\./[^)]*\)#\1#g' build/docs-source/intakes/*.md
	$(PACKAGES)/zensical build --config-file zensical.toml --clean
	@! grep -rlE '<(script|link|img|iframe)[^>]+(src|href)="?https?://' --include=*.html build/docs || { echo 'these pages load from other hosts'; exit 1; }

screenshots: $(VENV)/.dev ## Shoot every page at three widths, in light and dark, and renew the pictures in docs/ (needs Chromium)
	$(BIN)/python -m tools.screenshots

build: $(VENV)/.dev ## Make the wheel and the sdist in dist/, and ./bin/tracker
	rm -rf dist build/venv bin
	$(BIN)/python -m build --no-isolation
	$(PYTHON) -m venv build/venv
	build/venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		--requirement requirements/runtime.txt
	build/venv/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-index dist/*.whl
	mkdir bin
	ln -s ../build/venv/bin/tracker bin/tracker
	./bin/tracker version

# What is in the wheel and in the sdist is dated by the commit, so that whoever builds them again gets the same bytes.
build release: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 315532800)

# The single file is for the minor version of Python and the machine that it is made with, as its libraries are.
SINGLE = dist/tracker-$(shell $(PYTHON) -c 'import platform as p; print("python" + p.python_version().rpartition(".")[0], p.machine(), sep="-")').pex

release: build $(VENV)/.packages ## Make what a release has in dist/: wheel, sdist, a single file that needs only Python, and a bill of materials
	$(PACKAGES)/pex --venv-repository build/venv tracker-server --console-script tracker --venv prepend --sh-boot \
		--output-file $(SINGLE)  # its first run unpacks it, and others cost a fifth of what they would cost without
	$(PACKAGES)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/tracker.cdx.json build/venv
	cd dist && sha256sum * >SHA256SUMS
	./$(SINGLE) version

lock: $(VENV)/.dev ## Pin the dependencies anew (LOCKFLAGS=--upgrade for newer ones)
	$(LOCK) pyproject.toml --extra mcp --extra mongo --extra notify --extra oidc --output-file requirements/runtime.txt
	$(LOCK) pyproject.toml --extra mcp --extra oidc --constraint requirements/runtime.txt --output-file requirements/server.txt
	$(LOCK) pyproject.toml --extra mcp --extra mongo --extra notify --extra oidc --extra otel --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --extra mcp --extra mongo --extra notify --extra oidc --extra otel --constraint requirements/runtime.txt --constraint requirements/dev.txt --output-file requirements/image.txt
	$(LOCK) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) --group clients --output-file requirements/clients.txt
	$(LOCK) --group packages --output-file requirements/packages.txt

clean: ## Remove all that was made, but no data
	rm -rf $(VENV) dist build bin .cache .hypothesis .schemathesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf tests/wires/grpc_js/node_modules tests/intakes/clients_js/node_modules $(PAGE_TYPES)/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +

# The environments: first what a server of this machine needs, on top of it the other extras, and what a developer needs.
# The project itself is installed as a link to this tree. Pip and what builds the link stay outside, and write no
# bytecode: Python does, of the modules that are used.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv --without-pip $(VENV)

build/pip/.ready: requirements/build.txt
	$(PYTHON) -m venv build/pip
	build/pip/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --require-hashes --requirement $<
	@touch $@

$(VENV)/.runtime: requirements/server.txt pyproject.toml | $(VENV)/bin/python build/pip/.ready
	$(INSTALL) $<
	build/pip/bin/python -m hatchling build --target wheel:editable --clean --directory build/link >/dev/null
	$(PIP) install --no-compile --no-deps --no-index --force-reinstall build/link/*.whl
	@touch $@

$(VENV)/.extras: requirements/image.txt $(VENV)/.runtime
	$(INSTALL) $<
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt requirements/clients.txt | build/pip/.ready
	$(INSTALL) requirements/dev.txt
	$(PYTHON) -m venv $(VENV)/clients
	$(VENV)/clients/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		--requirement requirements/clients.txt
	@touch $@

$(VENV)/.packages: requirements/packages.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/packages
	$(PACKAGES)/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	@touch $@
