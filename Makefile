# Building, installing, trying and testing mod_minimix. `make help` lists the targets.

CARGO ?= cargo
LUA ?= 5.4
PREFIX ?= /usr/local
DESTDIR ?=

NAME = minimix_core
TARGET = target
BUILT = $(TARGET)/release/lib$(NAME).so
MODULE = $(TARGET)/module/$(NAME).so
PYTHON = $(TARGET)/venv/bin/python
CONTAINER_ENGINE ?= podman
IMAGE = localhost/minimix-prosody

LUA_FEATURE = lua$(subst .,,$(LUA))
MODULE_FEATURES = --no-default-features --features module,$(LUA_FEATURE)
CORE_FEATURES = --no-default-features
VENDORED_FEATURES = --no-default-features --features vendored,$(LUA_FEATURE)
CARGO_FLAGS = --locked --target-dir $(TARGET)

MODULES_DIR = $(PREFIX)/lib/prosody/modules
WRAPPER_DIR = $(MODULES_DIR)/mod_minimix
CORE_DIR = $(PREFIX)/lib/lua/$(LUA)

export CARGO LUA CONTAINER_ENGINE

.DEFAULT_GOAL = build
# Two cargo runs at once would only wait for each other, and a test must find what was built before it.
.NOTPARALLEL:

##@ Building

.PHONY: build
build: ## The core as target/module/minimix_core.so, for LUA (5.4)
	@command -v $(CARGO) >/dev/null || { echo "no $(CARGO): run 'make deps-build' first" >&2; exit 1; }
	$(CARGO) build --release $(CARGO_FLAGS) $(MODULE_FEATURES)
	@scripts/replace $(BUILT) $(MODULE)

.PHONY: install
install: build ## Wrapper and core to where Prosody finds them; DESTDIR and PREFIX (/usr/local) are honoured
	@ls lua/mod_minimix/*.lua >/dev/null
	@set -e; for file in lua/mod_minimix/*.lua; do scripts/replace $$file $(DESTDIR)$(WRAPPER_DIR)/$${file##*/}; done
	@scripts/replace $(MODULE) $(DESTDIR)$(CORE_DIR)/$(NAME).so
	@scripts/plugin-paths $(MODULES_DIR) $(CORE_DIR)

.PHONY: uninstall
uninstall: ## Takes away what install put there
	rm -rf $(DESTDIR)$(WRAPPER_DIR)
	rm -f $(DESTDIR)$(CORE_DIR)/$(NAME).so

.PHONY: clean
clean: ## Removes all that was built or downloaded
	rm -rf $(TARGET)

##@ Trying

.PHONY: run
run: deps-run build ## A Prosody with the module on loopback, with accounts and a room to try it; ^C ends it
	@python3 prosody-test/playground.py

##@ Testing

.PHONY: test
test: ## Everything, on a fresh Debian too; says at the end how long each part took
	@scripts/test-all

.PHONY: fmt
fmt: ## The format of the Rust files
	$(CARGO) fmt --all --check

.PHONY: clippy
clippy: ## Rust lints, for the core, the module and the tests
	$(CARGO) clippy $(CARGO_FLAGS) --all-targets $(CORE_FEATURES) -- -D warnings
	$(CARGO) clippy $(CARGO_FLAGS) $(MODULE_FEATURES) -- -D warnings
	$(CARGO) clippy $(CARGO_FLAGS) --all-targets $(VENDORED_FEATURES) -- -D warnings

.PHONY: pure
pure: ## The core builds without Lua and without a warning
	$(CARGO) clippy $(CARGO_FLAGS) $(CORE_FEATURES) -- -D warnings
	@scripts/check-pure

.PHONY: cargo-test
cargo-test: ## All cargo tests of the core alone, and the unit tests with the binding and a vendored Lua
	$(CARGO) test $(CARGO_FLAGS) $(CORE_FEATURES)
	$(CARGO) test $(CARGO_FLAGS) --lib $(VENDORED_FEATURES)

.PHONY: lint
lint: ## Lua lints
	@test -e lua/mod_minimix/mod_minimix.lua || { echo "lua/mod_minimix is missing" >&2; exit 1; }
	luacheck --quiet lua tests/lua benches prosody-test/modules

.PHONY: bench
bench: build storage-bench page-bench ## What the module costs, as ratios, what 10 000 accounts cost, and an archive; not part of test
	LUA_CPATH="$(TARGET)/module/?.so;;" lua$(LUA) benches/hook.lua
	$(CARGO) bench $(CARGO_FLAGS) $(VENDORED_FEATURES)

.PHONY: storage-bench
storage-bench: build ## What the records of many accounts cost a server; ACCOUNTS (10 000) says how many
	@test -x $(PYTHON) || { echo "no $(PYTHON): run 'make deps' first" >&2; exit 1; }
	@$(PYTHON) prosody-test/storage.py $(if $(ACCOUNTS),--accounts $(ACCOUNTS))

.PHONY: page-bench
page-bench: deps-database build ## What a page of an archive of 10 000 messages costs a server; KIND="internal" chooses the storage
	@test -x $(PYTHON) || { echo "no $(PYTHON): run 'make deps' first" >&2; exit 1; }
	@$(PYTHON) prosody-test/pages.py $(if $(KIND),--storage $(KIND)) $(if $(MESSAGES),--messages $(MESSAGES))

.PHONY: cost
cost: build ## What a message costs, counted in instructions, is within its limits
	@LUA_CPATH="$(TARGET)/module/?.so;;" lua$(LUA) benches/hook.lua --check

.PHONY: hygiene
hygiene: ## Rules that no compiler knows
	@scripts/hygiene
	@scripts/xep-map

.PHONY: check-core
check-core: build ## The core brings no Lua along and exports nothing but its entry
	@scripts/check-core $(MODULE)

.PHONY: lua-test
lua-test: build ## The binding and the wrapper in a real Lua, and once more under valgrind
	@scripts/lua-test $(TARGET)/module
	@scripts/memcheck $(TARGET)/module

# Each block of code that is run is counted, at the compiler's own places (tests/fuzz/work.rs).
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS = -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 -Cllvm-args=-sanitizer-coverage-trace-pc-guard
FUZZ_CARGO = RUSTFLAGS="$(FUZZ_FLAGS)" FUZZ_COUNTS=1 $(CARGO) test --profile fuzz --locked --target-dir $(TARGET)/fuzz \
	--target $(FUZZ_HOST) $(CORE_FEATURES)
FUZZ_LUA = LUA_CPATH="$(TARGET)/module/?.so;;" lua$(LUA) tests/lua/fuzz/run.lua
SECONDS = 60
SEED = 1
CORE_STORIES = 1800
LUA_STORIES = 600

.PHONY: fuzz-core
fuzz-core: ## CORE_STORIES (1800) of random hostile events in the core: nothing breaks, none costs more than it pays for
	FUZZ_STORIES=$(CORE_STORIES) FUZZ_SEED=$(SEED) $(FUZZ_CARGO) --test fuzz -- --nocapture

.PHONY: fuzz-lua
fuzz-lua: build ## LUA_STORIES (600) of the whole module in a real Lua: odd tables, re-entrance, errors, waits, reloads
	$(FUZZ_LUA) stories $(LUA_STORIES) $(SEED)

.PHONY: soak
soak: build ## Both kinds, for SECONDS (60) each, with seeds that nobody has seen
	FUZZ_SECONDS=$(SECONDS) FUZZ_SEED=$$(date +%s)000000 $(FUZZ_CARGO) --test fuzz -- --nocapture
	$(FUZZ_LUA) seconds $(SECONDS) $$(date +%s)000

.PHONY: full-state
full-state: ## What one event costs does not grow with what is kept
	$(FUZZ_CARGO) --test full_state -- --nocapture

.PHONY: prosody-test
prosody-test: build ## Real Prosodies and real clients; STORIES="kick ban" chooses
	@test -x $(PYTHON) || { echo "no $(PYTHON): run 'make deps' first" >&2; exit 1; }
	@$(PYTHON) prosody-test/run.py $(STORIES)

.PHONY: database-test
database-test: deps-database build ## What outlasts a restart, once more with SQLite and with PostgreSQL
	@set -e; for storage in sqlite postgresql; do \
		$(PYTHON) prosody-test/run.py --storage $$storage $(or $(STORIES),restart start bookmark archiv); \
		$(PYTHON) prosody-test/faults.py --storage $$storage $(or $(FAULTS),"A restarted" "A killed for" "local rooms"); \
	done

.PHONY: fault-test
fault-test: $(if $(filter ejabberd,$(REMOTE)),deps-ejabberd) $(if $(CONTAINER),deps-container) build ## What people miss when servers and wires fail; FAULTS="cut killed" chooses, or REMOTE=ejabberd, or CONTAINER=1
	@test -x $(PYTHON) || { echo "no $(PYTHON): run 'make deps' first" >&2; exit 1; }
	@$(if $(CONTAINER),prosody-test/container/image $(IMAGE))
	@$(PYTHON) prosody-test/faults.py --remote $(or $(REMOTE),prosody) $(if $(CONTAINER),--image $(IMAGE)) $(FAULTS)

.PHONY: attack-test
attack-test: deps-attacks build ## What hostile rooms and sessions do to somebody else on the server; ATTACKS="show block" chooses, BEFORE=<commit> compares
	@test -x $(PYTHON) || { echo "no $(PYTHON): run 'make deps' first" >&2; exit 1; }
	@$(if $(BEFORE),scripts/build-before $(BEFORE) $(TARGET)/before)
	@$(PYTHON) prosody-test/attacks.py $(if $(BEFORE),--before $(TARGET)/before) $(ATTACKS)

.PHONY: interop
interop: build ## Smack's tests of group chats: what passes without the module passes with it
	@test -x $(PYTHON) && test -e $(TARGET)/interop/pom.xml || { echo "no Smack in $(TARGET)/interop: run 'make deps' first" >&2; exit 1; }
	@$(PYTHON) prosody-test/interop.py

.PHONY: ejabberd-test
ejabberd-test: deps-ejabberd build ## The same stories in rooms of an ejabberd, which it installs; STORIES chooses
	@$(PYTHON) prosody-test/run.py --remote ejabberd $(STORIES)

.PHONY: irc-test
irc-test: deps-irc build ## Stories of IRC channels behind a gateway, both of which it installs
	@$(PYTHON) prosody-test/run.py --remote irc $(STORIES)

.PHONY: container-test
container-test: deps-container build ## The stories with the newest Prosody of Debian in containers; see prosody-test/README.md
	@prosody-test/container/image $(IMAGE)
	@$(PYTHON) prosody-test/run.py --image $(IMAGE) $(STORIES)

##@ What a machine needs

.PHONY: deps deps-build deps-run deps-ejabberd deps-irc deps-database deps-attacks deps-container
deps: ## Installs what `make test` needs, says in one line what
	@scripts/deps test
deps-build: ## The same for `make` alone
	@scripts/deps build
deps-run: ## The same for `make run`
	@scripts/deps run
deps-ejabberd: ## The same for `make ejabberd-test`
	@scripts/deps ejabberd
deps-irc: ## The same for `make irc-test`
	@scripts/deps irc
deps-database: ## The same for `make database-test`
	@scripts/deps database
deps-attacks: ## The same for `make attack-test`
	@scripts/deps attacks
deps-container: ## The same for `make container-test`
	@scripts/deps container

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile
