# Every target works on a fresh machine: `setup` is run when it has to be.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CHENG  := .venv-cheng2020
# The build backend warns on every editable install; that tells a user nothing.
PIP    := PYTHONWARNINGS=ignore $(BIN)/pip install --quiet
SHELL  := /bin/bash

.PHONY: help setup demo test test-export cheng2020 test-cheng2020 lint format bench bench-kernels \
	bench-latency bench-codecs bench-encoders bench-photos sanitize soak fuzz clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## .venv with the daemon in it

$(VENV)/.installed: pyproject.toml setup.py $(wildcard kernels/csrc/*.[ch] edge_daemon/codecs/csrc/*.[ch])
	PYTHON=$(PYTHON) deploy/prepare.sh $(VENV)
	$(PIP) --editable '.[vvc]'
	$(BIN)/python -m kernels
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	deploy/prepare-tests.sh
	$(PIP) --editable '.[vvc,dev]'
	@touch $@

$(VENV)/.export: $(VENV)/.dev
	$(PIP) --constraint constraints/export.txt --editable '.[vvc,dev,export]'
	@touch $@

# CompressAI's own requirements contradict ours (NumPy) or bring what coding never calls (torchvision
# and a dozen more), so it is installed without them; the worker says what it leaves out. It has no
# wheel for aarch64: there, pip builds it, with a C++ compiler and Python's headers.
$(CHENG)/.installed: constraints/cheng2020.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || { echo \
		"CompressAI needs Python 3.10 to 3.12; name one, as in: make cheng2020 PYTHON=python3.11" >&2; exit 1; }
	PYTHON=$(PYTHON) deploy/prepare.sh $(CHENG)
	$(CHENG)/bin/pip install --quiet --constraint $< einops numpy safetensors scipy torch
	$(CHENG)/bin/pip install --quiet --constraint $< --no-deps compressai || { echo \
		"CompressAI could not be installed: where it has no wheel, it needs g++ and python3-dev" >&2; exit 1; }
	$(CHENG)/bin/python edge_daemon/codecs/cheng2020/worker --check
	@touch $@

cheng2020: $(CHENG)/.installed  ## the environment of the learned codec, with CompressAI and torch

demo: setup      ## daemon, cloud and camera on this machine; writes demo/index.html
	$(BIN)/edge-daemon demo --output demo

test: $(VENV)/.dev  ## everything that needs neither a GPU nor torch
	$(BIN)/python -m pytest -m 'not export' -n 2 --dist loadfile --no-loadscope-reorder

test-export: $(VENV)/.export  ## the export tests, with torch on the CPU
	$(BIN)/python -m pytest -m export

test-cheng2020: $(VENV)/.dev $(CHENG)/.installed  ## the learned codec's tests, with an untrained model
	$(BIN)/python -m pytest -m cheng2020

lint: $(VENV)/.export  ## ruff, pyright, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## let ruff put the sources in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-kernels bench-latency bench-codecs  ## speed, as ratios in one run

bench-kernels: setup  ## the smoothing kernels against OpenCV's Gaussian blur
	$(BIN)/python -m edge_daemon.bench.kernels
	$(BIN)/python -m edge_daemon.bench.cuda

bench-latency: $(VENV)/.dev  ## a frame's milliseconds: stages, end to end, and beside the alternatives
	$(BIN)/edge-daemon bench --output build/latency

bench-codecs: $(VENV)/.dev  ## every codec: time, bytes, fidelity; growth over 2,000 frames
	$(BIN)/python -m edge_daemon.bench.codecs
	$(BIN)/python -m edge_daemon.bench.growth

ENCODERS := build/encoders
bench-encoders: $(VENV)/.export  ## image encoders of published size: every precision and backend
	$(BIN)/python -m export.untrained_bundles $(ENCODERS)
	$(BIN)/python -m edge_daemon.bench.encoders nano-icons $(ENCODERS)/* --output $(ENCODERS).json

# Photographs with boxes are not in the repository: edge_daemon/bench/photos.py says what PHOTOS needs.
bench-photos: setup  ## allocations and budgets on photographs of your own: make bench-photos PHOTOS=folder
	$(BIN)/python -m edge_daemon.bench.allocation $(PHOTOS)
	$(BIN)/python -m edge_daemon.bench.budget $(PHOTOS)

# A copy of the sources whose C libraries check themselves. The sanitizers' own libraries have to be
# loaded before Python; Python leaks at exit, which is not what is looked for.
SANE      := build/sanitized
SANITIZED := $(CC) -std=gnu11 -O1 -g -ffp-contract=off -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer -shared -fPIC
sanitize: $(VENV)/.dev  ## the C libraries' tests under the address and undefined-behaviour sanitizers
	rm -rf $(SANE) && mkdir -p $(SANE) && cp -r kernels models edge_daemon $(SANE)
	$(SANITIZED) kernels/csrc/*.c -o $(SANE)/kernels/_smooth.so
	$(SANITIZED) edge_daemon/codecs/csrc/*.c -ljpeg -o $(SANE)/edge_daemon/codecs/_jpeg.so
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=$(SANE) KERNELS_UNDER_TEST=$(SANE) \
		$(BIN)/pytest -p no:cacheprovider --ignore-glob='*cuda*' tests/kernels \
		tests/edge_daemon/codecs/test_codecs_jpeg*.py

SOAK_MINUTES ?= 30
soak: setup  ## three cameras, a flaky link and random kills for SOAK_MINUTES, and the account of it
	$(BIN)/python -m edge_daemon.bench.soak --minutes $(SOAK_MINUTES)

# What the search comes upon stays in the corpus, and is read again by every `make test`.
FUZZ_S ?= 600
fuzz: $(VENV)/.fuzz  ## search for bytes that break the wire's readers, for FUZZ_S seconds
	mkdir -p build
	PYTHONPATH=tests/shared $(BIN)/python tests/fuzz/wire.py tests/fuzz/corpus/wire \
		-dict=tests/fuzz/wire.dict -max_len=4096 -max_total_time=$(FUZZ_S) -artifact_prefix=build/
	HYPOTHESIS_PROFILE=exploring $(BIN)/python -m pytest tests/edge_daemon/test_wire_*.py

$(VENV)/.fuzz: $(VENV)/.dev
	$(PIP) --editable '.[vvc,dev,fuzz]'
	@touch $@

clean:           ## remove what the targets above made
	rm -rf $(VENV) $(CHENG) demo build *.egg-info kernels/*.so edge_daemon/codecs/*.so .pytest_cache .ruff_cache
