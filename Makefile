# `make run` and `make test` set up whatever they miss on Debian or Ubuntu. They need Rust 1.95 or newer (rustup).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.PHONY: help run test build clean packages rust tools venv

# FrameX needs Python 3.11 or newer.
PYTHON ?= $(firstword $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name; done) python3.11)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: packages rust venv ## Build the gateway and run it in front of a FrameX instance and a FastAPI service.
	cargo build --release --locked -p framex-gateway
	exec conf/demo/run

# The black-box tests run the program. `--workspace` builds it too; building it alone would choose other features of
# shared dependencies and compile most of them twice.
test: packages tools venv ## Check formatting and lints, and run every test.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo nextest run --workspace --locked
	cargo test --workspace --doc --locked

build: packages rust ## Build the program: target/release/framex-gateway.
	cargo build --release --locked -p framex-gateway

clean: ## Remove everything that was built or installed here.
	rm -rf target .venv run

# Each package, and a command that works when it is there.
packages:
	@missing=()
	need() { local packages=$$1; shift; "$$@" >/dev/null 2>&1 </dev/null || missing+=($$packages); }
	need 'gcc libc6-dev' bash -c 'echo "#include <stdio.h>" | cc -E -'
	need cmake cmake --version
	need $(PYTHON) $(PYTHON) --version
	need $(PYTHON)-venv $(PYTHON) -c 'import ensurepip, venv'
	need curl curl --version
	need openssl openssl version
	[ $${#missing[@]} = 0 ] && exit 0
	echo "Installing $${missing[*]}"
	command -v apt-get >/dev/null || { echo "There is no apt-get here; please install them yourself." >&2; exit 1; }
	$(SUDO) apt-get update -q
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$${missing[@]}"

rust:
	@cargo --version >/dev/null 2>&1 || { echo "Rust is missing: install Rust 1.95 or newer with rustup, then try again." >&2; exit 1; }

tools: rust
	@{ cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 || rustup component add rustfmt clippy
	command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest --version 0.9.143

venv: .venv/installed

# Made anew when the requirements change; the stamp is written last, so a broken installation is repeated.
.venv/installed: conf/demo/requirements.txt | packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "FrameX needs Python 3.11 or newer; say which with make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r conf/demo/requirements.txt
	touch $@
