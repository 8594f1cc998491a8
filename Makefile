# Everything a newcomer needs is `make demo` and `make test`; `make help` lists the rest.

CARGO ?= cargo
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

.DEFAULT_GOAL := help
.PHONY: help dist deb release demo test check format lint unit deny advisories supply hammer model fuzz fuzz-api bench budget budget-update stages crowd scale clean setup console openapi endure nodes nodes-limits book

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## Install, or name, what this machine lacks
	@scripts/setup.sh test

console: ## Build the front end, which becomes part of the program
	@scripts/console.sh

demo: ## Build and run the whole gateway on loopback, with curl lines to paste
	@scripts/setup.sh demo
	$(CARGO) run --release --locked -- demo

test: setup format lint deny supply unit ## Formatting, lints, licences, the list of parts, and the whole test suite

check: format lint ## Formatting and lints only

format:
	$(CARGO) fmt --all --check

# The fuzz targets have a lock file of their own, which a new dependency has to reach as well.
lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@$(CARGO) metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

# Examples in the documentation first, so that what is printed last is the verdict on the suite itself.
unit:
	$(CARGO) test --locked --quiet --doc
	$(CARGO) test --locked --no-fail-fast --lib --bins --tests

# Advisories need the network, and change without a change of ours: they are a job of their own, not part of the tests.
deny: ## Licences, sources and bans of what comes in with dependencies
	@scripts/setup.sh supply
	@PATH="$$PWD/target/supply/bin:$$PATH" $(CARGO) deny --locked --log-level error check bans licenses sources
	@scripts/sbom.py --allowed

# ADVISORY_DB names a Git repository with the database, where that of RustSec can not be reached.
advisories: ## Whether anything is known against what comes in with dependencies
	@scripts/setup.sh supply
	@scripts/advisories.sh

supply: ## Have the list of parts and the workflow files judged by validators that are not ours
	@scripts/setup.sh supply
	@scripts/supply.sh

hammer: ## Revoke keys five hundred times while fifty threads use them (about a minute)
	HAMMER=50x500 $(CARGO) test --locked --test main c23_no_request_that_starts_after_the_answer_is_accepted

model: ## Go on longer through every order of lease, feed and cache than the tests do (some minutes, some gigabytes)
	PORTCULLIS_MODEL_SECONDS=$${PORTCULLIS_MODEL_SECONDS:-4} $(CARGO) test --locked --lib store::nodes::model -- --nocapture

fuzz-api: setup ## Let the API fuzzer try everything some hundred times (thirty of each take about two minutes)
	FUZZ_API=$${FUZZ_API:-200} $(CARGO) test --locked --test main fuzzing_api

# FUZZ_SECONDS=600 for longer, TARGETS="path query" for some of them.
fuzz: ## Try each fuzz target for a minute, and fail with what is found (docs/fuzzing.md)
	@scripts/fuzz.sh $(TARGETS)

dist: ## Build the program to run in earnest, optimised for a recorded load: target/dist/portcullis (about fifteen minutes)
	@scripts/dist.sh

deb: dist ## Make a Debian package of that program: target/debian/portcullis_*.deb
	deploy/debian/build.sh

# RELEASE=--twice builds it a second time in another folder, and compares.
release: ## Make the files of a release from what is committed: target/release-files (docs/release.md)
	@scripts/setup.sh release
	@scripts/release.sh $(RELEASE)

# PINGORA=1 builds and measures Pingora too; COMPARE has further options of the script, as `--peers nginx --rounds 15`.
bench: ## Measure the policy alone, then a request and a connection beside nginx, HAProxy and Caddy
	@scripts/setup.sh $(if $(PINGORA),bench-pingora,bench)
	$(CARGO) bench --locked --bench policy --features jemalloc
	scripts/dist.sh
	benches/compare/compare.py target/dist/portcullis $(if $(PINGORA),--pingora) $(COMPARE)

budget: ## Hold the instructions that a request takes to benches/budget/budget.toml
	@scripts/setup.sh budget
	benches/budget/budget.py

budget-update: ## Count them, and write that file
	@scripts/setup.sh budget
	benches/budget/budget.py --write

stages: ## What each stage of a request costs by itself: instructions and nanoseconds
	@scripts/setup.sh budget
	benches/budget/stages.py

crowd: ## What a request costs by function where many are under way at once, over HTTP/2 and TLS
	@scripts/setup.sh budget
	@scripts/setup.sh bench
	benches/budget/crowd.py

scale: ## Measure many keys and many routes: starts, memory, CPU per request (about ten minutes)
	@scripts/setup.sh bench
	$(CARGO) bench --locked --bench routes --features jemalloc
	$(CARGO) build --release --locked --features jemalloc
	benches/scale/scale.py target/release/portcullis

endure: ## Change everything under load, stream gibibytes, stand crowds; count what failed (about ten minutes)
	@scripts/setup.sh bench
	$(CARGO) build --release --locked --features jemalloc
	benches/endure/change.py target/release/portcullis
	benches/endure/bodies.py target/release/portcullis
	benches/endure/slow.py target/release/portcullis

# NODES has further options of all four scripts, as `--seed 7`.
nodes: ## Prove what several nodes promise: revocation, counts and restarts while nodes fail (about twenty minutes)
	@scripts/setup.sh test
	$(CARGO) build --release --locked --features jemalloc
	benches/endure/nodes.py --selftest
	benches/endure/nodes.py target/release/portcullis --too-early --revocations 300 --seconds 15 --faults
	for store in sqlite postgres; do \
	  benches/endure/nodes.py target/release/portcullis --store $$store $(NODES); \
	  benches/endure/rolling.py target/release/portcullis --store $$store $(NODES); \
	  benches/endure/rolling.py target/release/portcullis --store $$store --clients follow $(NODES); \
	  benches/endure/usage.py target/release/portcullis --store $$store $(NODES); \
	done

nodes-limits: ## One key over three gateways at ten times its limit, Redis killed meanwhile (about three minutes)
	@scripts/setup.sh test
	$(CARGO) build --release --locked --features jemalloc
	benches/endure/limits.py target/release/portcullis

openapi: ## Write the OpenAPI document as the program has it: docs/openapi.json
	$(CARGO) run --locked --quiet -- openapi > target/openapi.json
	mv target/openapi.json docs/openapi.json

# Links from the pages to files beside docs/ lead there in the built book too.
book: ## Build the documentation as a website: target/book/docs/index.html
	@command -v mdbook >/dev/null || { echo "mdbook is missing: cargo install --locked mdbook" >&2; exit 1; }
	mdbook build docs
	cp -r config deploy target/book/

clean: ## Remove what was built
	$(CARGO) clean
	find console/dist -mindepth 1 ! -name .gitignore -delete
	rm -rf console/node_modules
