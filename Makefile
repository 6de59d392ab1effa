# Two environments: .venv (the engine: torch, rasterio, no QGIS) and .venv-qgis (QGIS's own Python, no torch).
# Paths are relative throughout, so that the folder may have any name.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-qgis-versions faults lint docs package screenshots bench options translations qt6 lock clean

PY := .venv/bin/python
QGIS_ENV := QT_QPA_PLATFORM=offscreen
VERMIN := $(PY) -c "import sys, vermin; sys.exit(vermin.main())"
SHIPPED := dubai_landcover_plugin training
# All of the plugin but the engine and the command line runs on QGIS's own Python.
QGIS_SIDE = $(shell find dubai_landcover_plugin -name '*.py' -not -path '*/core/*' -not -path '*/cli/*')

help:
	@echo "make demo                  install what is missing, segment a synthetic town in QGIS, show the result"
	@echo "make demo RASTER=own.tif   the same with a raster of your own"
	@echo "make test                  install what is missing, run all tests"
	@echo "make test-qgis-versions    the QGIS tests with other versions of QGIS (VERSIONS=\"3.34 3.40 3.44\", as root)"
	@echo "make faults                kills, full disks, damaged files, unusual inputs, random sequences: about an hour"
	@echo "make lint                  ruff, mypy, bandit, detect-secrets, vermin"
	@echo "make docs                  the site of the documentation, in build/site"
	@echo "make package               build/dubai_landcover_plugin and its zip"
	@echo "make screenshots           pictures of all dialogs in desktop QGIS, in build/screenshots"
	@echo "make bench                 speed and memory on this machine"
	@echo "make setup                 only install what is missing"
	@echo "make options               write docs/options.md from the requests"
	@echo "make translations          collect the texts to translate, compile the catalogues"
	@echo "make qt6                   look up what the plugin uses of Qt in Qt 6"
	@echo "make landcover-wheels      a folder from which the engine is set up without a network (PYTHON=3.12 FORMATS=1 TORCH=1)"
	@echo "make lock                  raise the versions in requirements/"
	@echo "make clean                 remove what these commands made, environments included"

setup:
	@.ci/setup.sh qgis engine qgis-tests
	@echo "==> Ready. Engine: DUBAI_LANDCOVER_PYTHON=$(CURDIR)/$(PY)"

package: build/help/index.html
	@/usr/bin/env python3 .ci/package.py

# What "Help" opens inside QGIS.
build/help/index.html: mkdocs.yml metadata.txt CHANGELOG.md CONTRIBUTING.md $(wildcard .ci/help* .ci/help_theme/* .ci/site.py) \
		$(wildcard docs/*.md docs/images/* resources/models/*.md)
	@.ci/setup.sh engine
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --config-file .ci/help.yml

demo:
	@.ci/setup.sh qgis engine
	@$(MAKE) --no-print-directory package
	@$(PY) tests/demo.py $(if $(RASTER),--raster "$(RASTER)")

# Both halves run, whatever the first one finds.
test: setup package
	@failed=0; \
	echo "==> Engine tests"; $(PY) -m pytest -q || failed=1; \
	echo "==> QGIS tests"; $(QGIS_ENV) .venv-qgis/bin/python -m pytest -q || failed=1; \
	exit $$failed

# As root, with debootstrap. PYTEST="tests/gui -k panel" limits the tests.
test-qgis-versions: setup package
	@.ci/qgis_versions.sh $(or $(FOLDER),build/qgis-versions) $(or $(VERSIONS),3.34 3.40 3.44)

# Trials run in as many processes as there are processors, each on one thread.
faults: setup package
	@failed=0; \
	$(PY) -m pytest -q --timeout 1200 -m faults tests/faults || failed=1; \
	$(QGIS_ENV) .venv-qgis/bin/python -m pytest -q -m faults tests/gui || failed=1; \
	exit $$failed

lint:
	@.ci/setup.sh engine
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m bandit -q -c pyproject.toml -r $(SHIPPED)
	@$(MAKE) --no-print-directory package
	@find build/dubai_landcover_plugin -type f -not -name '*.pyc' \
		-exec $(PY) -m detect_secrets.pre_commit_hook --no-verify {} +
	@$(VERMIN) --quiet --no-tips --violations --target=3.9- $(QGIS_SIDE)
	@echo "lint: no findings"

# Strict: a link or an anchor that leads nowhere is an error.
docs:
	@.ci/setup.sh engine
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict
	@echo "docs: build/site/index.html"

# To look at: nothing is compared. SCREENSHOTS_IMAGE is a raster to show instead of the synthetic town.
screenshots: setup package
	@.ci/screenshots.sh build/screenshots

bench:
	@.ci/setup.sh engine
	@$(PY) -m tests.benchmarks

options:
	@.ci/setup.sh engine
	@$(PY) .ci/options.py

qt6:
	@.ci/setup.sh engine
	@test -x .venv-qt6/bin/python || { .tools/bin/uv venv -q .venv-qt6 && .tools/bin/uv pip install -q --python .venv-qt6 "PyQt6>=6.5"; }
	@.venv-qt6/bin/python .ci/qt6.py

translations:
	@.ci/setup.sh engine
	@$(PY) .ci/translations.py

# For this system and one version of Python. PYTHON_ARCHIVE=cpython-….tar.gz puts that Python into the folder.
landcover-wheels:
	@.ci/setup.sh engine
	@PYTHON_ARCHIVE='$(PYTHON_ARCHIVE)' .ci/wheels.sh build/landcover-wheels $(or $(PYTHON),3.12) \
		$(if $(FORMATS)$(TORCH),requirements/formats.txt) \
		$(if $(TORCH),requirements/training.txt requirements/torch-cpu.txt)

lock:
	@.ci/setup.sh engine
	@.ci/lock.sh

clean:
	rm -rf build dist .venv .venv-qgis .venv-qt6 .tools .qgis-settings .pytest_cache .mypy_cache .ruff_cache .hypothesis
