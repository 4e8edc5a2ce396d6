# `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

SETUP := tests/setup
WEB := control-plane/web
BROWSER := tests/browser
# Seconds for each fuzz target, and for the test of the operators' API alone.
TIME ?= 60
# First seed of the simulation.
FROM ?= 1
# Tests of `cargo test` that run at once. Those with real programs wait more than they compute: four finish a cluster's tests in
# 100 s on two cores, where two take 183 s.
export RUST_TEST_THREADS ?= 4
# Options for the server, as in: make run ARGS="--listen 127.0.0.1:9000"
ARGS ?=

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: run
run: tools web ## Build everything and start the server on 127.0.0.1:8080, in development mode
	cargo build --profile quick --locked --package railgun
	exec target/quick/railgun dev $(ARGS)

.PHONY: build
build: tools protoc web ## The programs, with the page in them, in target/release
	cargo build --release --locked --package railgun --package railgun-control --package railgun-media

.PHONY: cluster
cluster: tools web ## A cluster for trials: etcd, two replicas, two media nodes and HAProxy
	@$(SETUP)/check-tools.sh protoc etcd haproxy
	cargo build --release --locked --package railgun-control --package railgun-media
	exec deploy/cluster/run.sh target/release

.PHONY: test
test: tools test-tools web mls-peer-program ## Every test, in Rust and in a real browser
	# With the tests, since these want other features of three libraries: programs alone would be built once more below.
	cargo build --workspace --locked --bins --tests
	cargo test --workspace --locked
	cargo test --workspace --locked --features railgun-corpus/targets --test corpus
	target/debug/railgun-sim --interleavings --warp 3 --seeds 80 --time 45
	tests/api/run.sh target/debug
	deploy/check.sh target/debug
	cd $(WEB) && npm test --silent
	$(SETUP)/npm-install.sh $(BROWSER)
	cd $(BROWSER) && npm test --silent

.PHONY: test-api
test-api: tools test-tools web ## The operators' API against its own description, for TIME seconds
	cargo build --workspace --locked --bins
	TIME=$(TIME) tests/api/run.sh target/debug

.PHONY: lint
lint: tools protoc ## Formatting, imports, dependencies, clippy with and without etcd, documentation, types of the page and SDK
	cargo fmt --all --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	cargo fmt --manifest-path tests/mls-peer/Cargo.toml --check
	node tests/lint/imports.mjs
	node tests/lint/walks.mjs
	node tests/lint/documents.mjs
	tests/lint/deny.sh
	cargo clippy --workspace --all-targets --features railgun-steps/steps,railgun-corpus/targets --locked -- -D warnings
	PROTOC=/nonexistent cargo clippy --package railgun-media --package railgun-control --package railgun \
		--no-default-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	$(SETUP)/npm-install.sh $(WEB)
	cd $(WEB) && npm run check --silent

.PHONY: bench
bench: tools web ## What a forwarded packet costs, and how long joining takes; ARGS=guide: the guide, with what is shipped
ifeq ($(ARGS),guide)
	@$(SETUP)/check-tools.sh protoc
	@$(SETUP)/install-test-tools.sh --guide
	$(SETUP)/npm-install.sh $(BROWSER)
	cargo build --release --locked --package railgun --package railgun-control --package railgun-media
	tests/guide/run.py target/release
else
	cargo build --release --locked --package railgun-bench --package railgun
	target/release/railgun-bench $(or $(ARGS),all)
endif

.PHONY: guide
guide: test-tools ## After make test: the guide of bare metal as written, on eleven hosts in namespaces; needs root
	@$(SETUP)/install-test-tools.sh --guide
	$(SETUP)/npm-install.sh $(BROWSER)
	tests/guide/run.py target/debug

.PHONY: images
images: ## After make test: the images on a base of Debian's packages, each run until it is healthy; needs root
	@$(SETUP)/install-test-tools.sh --guide
	deploy/containers/try.sh target/debug

.PHONY: steps
steps: ## Instructions of each step of the packet path, beside those on record; needs valgrind
	@$(SETUP)/check-tools.sh cargo cc valgrind
	cargo build --release --locked --package railgun-bench
	cargo build --release --locked --package railgun-steps --features steps
	target/release/railgun-bench steps $(ARGS)

.PHONY: steps-check
steps-check: ## After make test: fails if a step takes 5 % more instructions than on record
	@$(SETUP)/check-tools.sh cargo cc valgrind
	cargo build --release --locked --package railgun-steps --features steps
	target/debug/railgun-bench steps --program target/release/railgun-steps --rise-max 5

.PHONY: simulate
simulate: tools protoc ## Whole clusters in virtual time for TIME seconds, seeds from FROM on
	cargo build --profile simulate --locked --package railgun-simulation
	target/simulate/railgun-sim --seeds 1000000000 --from $(FROM) --time $(TIME) $(ARGS)

# A second implementation of MLS, and its tests. The tests of `make test` run it as a process.
.PHONY: mls-peer-program
mls-peer-program: tools
	cargo test --quiet --locked --manifest-path tests/mls-peer/Cargo.toml --target-dir target/mls-peer
	cargo build --quiet --locked --manifest-path tests/mls-peer/Cargo.toml --target-dir target/mls-peer

.PHONY: mls-peer
mls-peer: mls-peer-program ## The SDK's MLS in one group with a second implementation, mls-rs, which is built for it
	cd $(WEB)/sdk && RAILGUN_MLS_PEER=1 npx vitest run tests/e2ee-mls-interop.test.ts tests/e2ee-mls-leaves.test.ts tests/e2ee-mls-rs-

.PHONY: fuzz
fuzz: ## Each fuzz target for TIME seconds; needs a nightly compiler and cargo-fuzz
	tests/fuzz/run.sh $(TIME)

.PHONY: web
web: tools ## The page's bundle, which the control-plane serves
	$(SETUP)/npm-install.sh $(WEB)
	cd $(WEB) && npm run build --silent

.PHONY: packages
packages: build ## Debian packages of the three programs, in target/packages
	deploy/packages/build.sh target/release target/packages

.PHONY: book
book: ## The documents as a site in target/book; needs mdbook for more than its sources
	node docs/book.mjs

.PHONY: settings
settings: ## docs/configuration.md and deploy/samples, from the table of settings
	RAILGUN_UPDATE=1 cargo test --quiet --package railgun-settings --lib documents

.PHONY: web-types
web-types: ## The SDK's payload types, from the types of the servers
	RAILGUN_UPDATE=1 cargo test --quiet --package railgun-protocol --lib typescript

.PHONY: tools
tools:
	@$(SETUP)/check-tools.sh cargo cc node npm

.PHONY: protoc
protoc:
	@$(SETUP)/check-tools.sh protoc

.PHONY: test-tools
test-tools:
	@$(SETUP)/install-test-tools.sh
