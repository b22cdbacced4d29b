# Every target works on a fresh machine: `setup` is run when it has to be.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The build backend warns on every editable install; that tells a user nothing.
PIP    := PYTHONWARNINGS=ignore $(BIN)/pip install --quiet
SHELL  := /bin/bash

.PHONY: help setup demo test test-export lint format bench bench-kernels bench-frames sanitize clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## .venv with the daemon in it

$(VENV)/.installed: pyproject.toml setup.py $(wildcard kernels/csrc/*.c kernels/csrc/*.h)
	PYTHON=$(PYTHON) deploy/prepare.sh $(VENV)
	$(PIP) --editable .
	$(BIN)/python -m kernels
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.export: $(VENV)/.dev
	$(PIP) --constraint constraints/export.txt --editable '.[dev,export]'
	@touch $@

demo: setup      ## daemon, cloud and camera on this machine; writes demo/index.html
	$(BIN)/edge-daemon demo --output demo

test: $(VENV)/.dev  ## everything that needs neither a GPU nor torch
	$(BIN)/python -m pytest -m 'not export'

test-export: $(VENV)/.export  ## the export tests, with torch on the CPU
	$(BIN)/python -m pytest -m export

lint: $(VENV)/.export  ## ruff, pyright, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## let ruff put the sources in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-kernels bench-frames  ## speed, as ratios in one run

bench-kernels: setup  ## the smoothing kernels against OpenCV's Gaussian blur
	$(BIN)/python -m edge_daemon.bench.kernels
	$(BIN)/python -m edge_daemon.bench.cuda

bench-frames: setup   ## whole frames
	$(BIN)/python -m edge_daemon.bench.frames

# A copy of the kernels whose library checks itself. The sanitizers' own libraries have to be loaded
# before Python; Python leaks at exit, which is not what is looked for.
sanitize: $(VENV)/.dev  ## the kernels' tests under the address and undefined-behaviour sanitizers
	rm -rf build/sanitized && mkdir -p build/sanitized && cp -r kernels build/sanitized
	$(CC) -std=gnu11 -O1 -g -ffp-contract=off -fsanitize=address,undefined \
		-fno-sanitize-recover=all -fno-omit-frame-pointer -shared -fPIC \
		kernels/csrc/*.c -o build/sanitized/kernels/_smooth.so
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=build/sanitized KERNELS_UNDER_TEST=build/sanitized \
		$(BIN)/pytest -p no:cacheprovider --ignore-glob='*cuda*' tests/kernels

clean:           ## remove what the targets above made
	rm -rf $(VENV) demo build *.egg-info kernels/*.so .pytest_cache .ruff_cache
