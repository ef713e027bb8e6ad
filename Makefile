# A thin face over meson. `make demo` and `make test` install what Debian packages are missing (as root or with sudo).
PREFIX ?= /usr/local
BUILD  ?= build

.PHONY: all build deps-build deps-test test check demo bench torture soak fuzz install clean

all: build

build: deps-build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --prefix=$(PREFIX) -Dtests=false >/dev/null
	@ninja -C $(BUILD) --quiet
	@echo "built $(BUILD)/step and $(BUILD)/step-ca"

deps-build:
	@tools/deps build

deps-test:
	@tools/deps build test peer

# Everything: unit tests, end-to-end, interop; under sanitizers too; every fuzzer for some seconds.
test: deps-test
	@tools/test

# The quick part of it, for the edit loop.
check: deps-test
	@tools/test --quick

demo: build
	@tools/demo $(BUILD)

bench: deps-test
	@tools/bench

torture: deps-test
	@tools/torture

# Mixed load on one step-ca, and what it should refuse: for hours.
soak: deps-test
	@test -f build-test/build.ninja || meson setup build-test -Dwerror=true >/dev/null
	@ninja -C build-test --quiet
	@python3 tests/fault/soak.py build-test/tests/fault/caload $(or $(SOAK_MINUTES),120)

# FUZZ_SECONDS for each target (default 60); FUZZ=name for one target.
fuzz: deps-test
	@tools/fuzz $(or $(FUZZ_SECONDS),60) $(FUZZ)

install:
	@test -f $(BUILD)/build.ninja || { echo "run 'make build' first" >&2; exit 1; }
	meson configure $(BUILD) --prefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet

clean:
	rm -rf build build-*
