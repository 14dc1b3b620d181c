# make demo   see it work          make test   everything that must hold
# make help   lists the rest
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

SWIFT ?= swift
FIRN := .build/release/firn
PARQUET_TOOL := .build/release/parquet-tool
DEMO_SECONDS ?= 10
SOAK_ROUNDS ?= 200
KILLS ?= 500

# System libraries that Firn links, and pkg-config, through which SwiftPM finds them.
APT_LIBRARIES := libsqlite3-dev libzstd-dev zlib1g-dev libsnappy-dev liblz4-dev libbrotli-dev pkg-config
APT_TESTS := curl tzdata
APT_PYTHON := python3 python3-venv
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/firn-tests
VENV := $(CACHE)/venv
PYTHON := $(VENV)/bin/python
REQUIREMENTS := Tests/python/requirements.txt
PYTEST := cd Tests/python && PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest

.PHONY: help demo test test-swift test-python test-packages soak overload fuzz sanitize bench bench-acks bench-parquet build $(PARQUET_TOOL) lint format clean packages swift-present venv bench-ingest bench-commit bench-latency matrix committers changes test-engines bench-metadata bench-compact bench-sustained bench-query

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: build ## Stream records in, query, time-travel, compact: the whole product in a few seconds
	$(FIRN) demo --seconds $(DEMO_SECONDS)

build: packages swift-present ## The release binary, .build/release/firn
	$(SWIFT) build -c release --product firn

# The Parquet module by itself, for tests and benches.
$(PARQUET_TOOL): packages swift-present
	$(SWIFT) build -c release --product parquet-tool

test: test-swift test-python ## Every test, from a fresh clone

# Output goes straight through, so that the closing line of the run stays visible.
test-swift: packages test-packages swift-present ## Unit tests
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build

test-python: build $(PARQUET_TOOL) venv ## The binary from outside, checked with PyIceberg, DuckDB and Polars
	$(PYTEST)

soak: build venv ## Kills with a full account: SOAK_ROUNDS=200 of one table, KILLS=500 with real clients
	cd Tests/python && FIRN_SOAK_ROUNDS=$(SOAK_ROUNDS) FIRN_KILLS=$(KILLS) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m pytest -s test_soak.py test_exactly_once*.py test_power_loss.py

OVERLOAD_SECONDS ?= 300
overload: build venv ## Ten times more load than fits (OVERLOAD_SECONDS=300), with a full account
	cd Tests/python && FIRN_OVERLOAD_SECONDS=$(OVERLOAD_SECONDS) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m pytest -s test_overload.py

matrix: build venv ## Every partition transform, type, evolution, delete and version, read by five engines
	cd Tests/python && FIRN_MATRIX=full PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest test_matrix.py

COMMITTER_SECONDS ?= 600
committers: build venv ## Firn beside PyIceberg, and beside itself, on one table (COMMITTER_SECONDS=600 each)
	cd Tests/python && COMMITTER_SECONDS=$(COMMITTER_SECONDS) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m pytest -s test_concurrent_committers.py

CHANGE_SECONDS ?= 600
changes: build venv ## Deletes, upserts and ingest against compaction (CHANGE_SECONDS=600 each)
	cd Tests/python && CHANGE_SECONDS=$(CHANGE_SECONDS) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m pytest -s test_compaction_against_changes.py

# Too large for every run: 970 MB in two environments, whose packages do not get on with each other.
ENGINES := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/firn-engines
test-engines: build venv $(ENGINES)/spark/.stamp $(ENGINES)/sail/.stamp ## Spark and Sail through the REST catalog (Java 17)
	@command -v java >/dev/null || { echo "Spark needs Java 17, such as openjdk-17-jre-headless" >&2; exit 1; }
	$(PYTEST) test_rest_spark.py test_rest_engines.py

$(ENGINES)/%/.stamp: Tests/python/requirements-%.txt
	@if cmp -s $< $@; then touch $@; exit 0; fi; \
	rm -rf $(@D); \
	python3 -m venv $(@D); \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<; \
	cp $< $@

bench-metadata: build ## What a small commit costs on tables of up to a million files and 10,000 snapshots
	$(FIRN) bench commit

bench-acks: build ## Durable acknowledgements of 1 KiB beside Redis and NATS, where they are installed
	python3 Bench/acks.py

FUZZ_SECONDS ?= 60
FUZZ := $(CACHE)/fuzz
# Coverage needs both sanitizers in one flag and a debug build; the canary proves that there is feedback.
fuzz: packages swift-present ## Coverage-guided fuzzing of the Parquet module, FUZZ_SECONDS=60 a target
	FIRN_FUZZ=1 $(SWIFT) build -Xswiftc -O --sanitize=fuzzer --sanitize=address \
	    -Xswiftc -sanitize=fuzzer,address --scratch-path $(FUZZ)/build --product Fuzz
	Fuzz/run $(FUZZ) $(FUZZ_SECONDS)

sanitize: packages swift-present ## The Parquet tests under the address and the thread sanitizer
	ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --sanitize=address --scratch-path $(CACHE)/asan \
	    --filter 'ParquetTests|ColumnarTests|BaseTests'
	$(SWIFT) test --sanitize=thread --scratch-path $(CACHE)/tsan --filter ParquetTests

bench: build ## Acknowledged MB/s per core and p99 acknowledgement time
	$(FIRN) bench ingest --workload clicks
	$(FIRN) bench ingest --workload flights

bench-parquet: $(PARQUET_TOOL) venv ## Parquet encode and decode beside pyarrow, DuckDB and Polars (data: FIRN_BENCH)
	$(PYTHON) Bench/parquet_peers.py

bench-ingest: build venv ## NDJSON over HTTP to committed files beside DuckDB's conversion (data: FIRN_BENCH)
	$(PYTHON) Bench/ingest_peers.py

bench-commit: build venv ## Milliseconds to commit 10,000 rows beside DuckLake and PyIceberg (data: FIRN_BENCH)
	$(PYTHON) -m pip install --quiet duckdb-extension-ducklake==1.5.5
	$(PYTHON) Bench/commit_peers.py

bench-compact: build venv ## Compaction of 200 small files beside Polars, DuckDB, DuckLake and Delta (data: FIRN_BENCH)
	$(PYTHON) -m pip install --quiet deltalake duckdb-extension-ducklake==1.5.5
	$(PYTHON) Bench/compact_peers.py

bench-query: build venv ## Queries of 5 million rows in fresh processes beside DuckDB, PyIceberg and Polars (data: FIRN_BENCH)
	$(PYTHON) -m pip install --quiet duckdb-extension-iceberg==1.5.5 duckdb-extension-avro==1.5.5
	$(PYTHON) Bench/query_peers.py

bench-sustained: build ## Ten minutes of ingest into 50 partitions without and with compaction, every snapshot counted
	$(FIRN) bench sustained

bench-latency: build ## Acknowledgement times at half load (data: FIRN_BENCH)
	python3 Bench/half_load.py

lint: swift-present ## Check the format of every Swift file
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests Package.swift

format: swift-present ## Rewrite every Swift file in the format
	$(SWIFT) format --in-place --parallel --recursive Sources Tests Package.swift

clean: ## Remove what was built and the demo's warehouse (the Python environment stays in the cache)
	rm -rf .build demo-warehouse

swift-present:
	@command -v $(SWIFT) >/dev/null || { echo "Swift 6.2 or newer is needed: https://www.swift.org/install" >&2; exit 1; }

# Installs only what is missing, so a prepared machine needs neither root nor a network.
packages: PACKAGES = $(APT_LIBRARIES)
test-packages: PACKAGES = $(APT_TESTS)
packages test-packages:
	@missing=""; \
	for package in $(PACKAGES); do \
	    dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "installing$$missing"; \
	    $(SUDO) apt-get update -qq; \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	fi

# Remade when the pins change. The stamp is written last, so a broken installation is tried again.
venv: test-packages $(VENV)/.stamp

$(VENV)/.stamp: $(REQUIREMENTS)
	@if cmp -s $(REQUIREMENTS) $@; then touch $@; exit 0; fi; \
	rm -f $@; \
	mkdir -p $(CACHE); \
	if [ ! -x $(PYTHON) ]; then \
	    python3 -m venv $(VENV) >/dev/null 2>&1 || { \
	        rm -rf $(VENV); \
	        $(SUDO) apt-get update -qq; \
	        $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(APT_PYTHON); \
	        python3 -m venv $(VENV); \
	    }; \
	fi; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS); \
	cp $(REQUIREMENTS) $@
