# Everything that a person runs. Caches lie outside the checkout, so that a second clone starts warm.

CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/windlass
export CARGO_TARGET_DIR ?= $(CACHE)/target
CARGO ?= cargo
DENY_VERSION := 0.20.2
DENY := $(CACHE)/tools/bin/cargo-deny
NAME ?= all
TREE ?=
ARGS ?=
FUZZ := agent/fuzz api/fuzz cdn/fuzz cdn/mirror/fuzz cdn/origins/fuzz publisher/fuzz

.PHONY: help demo test check fmt clippy deny tidy fuzz parts build bench ours

demo check clippy tidy fuzz parts build bench: | ours

# Clones share what cargo builds, and cargo takes another clone's for ours where our files are older. So a clone that was
# not the last one here says first that its files are new.
ours:
	@mkdir -p "$(CARGO_TARGET_DIR)"
	@test "$$(cat "$(CARGO_TARGET_DIR)/checkout" 2>&1)" = "$(CURDIR)" || git ls-files -z | xargs -0 touch -c
	@echo "$(CURDIR)" > "$(CARGO_TARGET_DIR)/checkout"

help: ## lists these commands
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## shows the whole way on this machine, in one process; ARGS='--once' ends by itself
	@$(CARGO) build --locked --quiet --bin windlass
	@"$(CARGO_TARGET_DIR)/debug/windlass" demo $(ARGS)

test: check parts ## every check and every test, on real parts
	$(CARGO) test --locked --workspace --no-fail-fast

check: fmt clippy deny tidy ## what a machine can hold: form, lints, licences, the rules of the house

fmt:
	$(CARGO) fmt --all -- --check

clippy:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

deny: $(DENY)
	$(DENY) --log-level error check bans licenses sources

tidy:
	$(CARGO) test --locked --quiet -p windlass --test it -- tidy::

# Fuzz targets are workspaces of their own, with our versions. What is only checked is not linked, so the harness, which is
# C++, is said to lie elsewhere.
fuzz: $(FUZZ:=/Cargo.lock) ## checks that the fuzz targets compile; minutes the first time
	for one in $(FUZZ); do \
		CUSTOM_LIBFUZZER_PATH=/none/libfuzzer.a $(CARGO) check --quiet --manifest-path $$one/Cargo.toml || exit 1; done

%/fuzz/Cargo.lock: Cargo.lock
	cp $< $@

$(DENY):
	$(CARGO) install --locked --quiet cargo-deny --version $(DENY_VERSION) --no-default-features --root "$(CACHE)/tools"

parts: ## finds, installs or builds the real parts that tests need
	$(CARGO) run --locked --quiet -p testbed -- prepare

build: ## release binaries of the four programs and the command line
	$(CARGO) build --locked --release -p windlass -p api -p publisher -p mirror
	$(CARGO) build --locked --profile agent -p agent
	@ls -l "$(CARGO_TARGET_DIR)"/release/windlass* "$(CARGO_TARGET_DIR)"/agent/windlass-agent | grep -v '\.d$$'

bench: build parts ## one line a figure, against a named anchor; NAME=poll-304 selects one, TREE=FOLDER is packed as well
	$(CARGO) run --locked --release --quiet -p bench -- "$(or $(NAME),all)" $(if $(TREE),"$(TREE)")
