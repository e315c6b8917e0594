# `make run` and `make test` set up whatever they miss on Debian or Ubuntu. They need Rust 1.95 or newer (rustup).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.PHONY: help run test plugins build clean packages rust tools venv venv-tests browser redis node dns guest-rust

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
test: packages tools venv venv-tests browser redis node dns guest-rust ## Check formatting and lints, and run every test.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo nextest run --workspace --locked
	cargo test --workspace --doc --locked

# Python and JavaScript components are kept by their content in target/plugin-cache. Rust ones are committed: the same source and
# compiler give the same bytes, so a difference means that one of the two was changed alone.
plugins: packages tools venv node ## Build the example plugins from their sources, and compare the committed components.
	cargo build --workspace --bins --locked
	export FRAMEX_GATEWAY_CACHE=$(CURDIR)/target/plugin-cache
	mkdir -p "$$FRAMEX_GATEWAY_CACHE"
	for name in redact token-stream; do
		"$${CARGO_TARGET_DIR:-target}/debug/framex-gateway" plugin build plugins/$$name
	done
	for name in text-stats reading-time; do
		built=$$FRAMEX_GATEWAY_CACHE/$$name.wasm
		plugins/build-rust.sh plugins/$$name "$$built"
		cmp "$$built" plugins/$$name/$$name.wasm || { echo "plugins/$$name: the source or the compiler has changed; run plugins/build-rust.sh plugins/$$name and commit both" >&2; exit 1; }
	done

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

# What the tests judge OpenAPI documents with.
venv-tests: .venv/tests-installed

.venv/tests-installed: tests/requirements.txt .venv/installed
	@.venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@

# What the tests look at the documentation page with. Ubuntu's packages of these names are other ones that need snap.
browser:
	@command -v chromedriver >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null && exit 0
	if command -v apt-get >/dev/null; then
		$(SUDO) apt-get update -q
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium chromium-driver
	fi
	command -v chromedriver >/dev/null || { echo "The tests need Chromium or Chrome, and chromedriver of the same version; please install them." >&2; exit 1; }

# Whom the tests ask for names.
dns:
	@command -v dnsmasq >/dev/null && exit 0
	if command -v apt-get >/dev/null; then
		$(SUDO) apt-get update -q
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends dnsmasq-base
	fi
	command -v dnsmasq >/dev/null || { echo "The tests need dnsmasq; please install it." >&2; exit 1; }

# What the tests share limits in. Each test starts a server of its own, so the one that the package may start is of no use.
redis:
	@command -v redis-server >/dev/null && exit 0
	if command -v apt-get >/dev/null; then
		$(SUDO) apt-get update -q
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends redis-server
	fi
	command -v redis-server >/dev/null || { echo "The tests need redis-server (or Valkey under that name); please install it." >&2; exit 1; }

# What builds plugins in JavaScript.
node:
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' && exit 0
	if command -v apt-get >/dev/null; then
		$(SUDO) apt-get update -q
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nodejs npm
	fi
	node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "Plugins in JavaScript need Node.js 20 or newer with npm; please install it." >&2; exit 1; }

# What builds plugins in Rust: rustup's target, or else Debian's compiler.
guest-rust: packages rust
	@[ -d "$$(rustc --print target-libdir --target wasm32-wasip2 2>/dev/null)" ] && exit 0
	[ -x target/guest-tools/rust/usr/bin/rustc ] && exit 0
	rustup target add wasm32-wasip2 || { mkdir -p target/guest-tools; plugins/build-rust.sh plugins/text-stats target/guest-tools/text-stats.wasm; }

venv: .venv/installed

# Made anew when the requirements change; the stamp is written last, so a broken installation is repeated.
.venv/installed: conf/demo/requirements.txt | packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "FrameX needs Python 3.11 or newer; say which with make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r conf/demo/requirements.txt
	touch $@
