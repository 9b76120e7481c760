GO ?= go
BIN := bin/trstctl
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
TESTFLAGS ?=

# Real programs that tests run against must be there where they could be installed; elsewhere tests that need them are skipped, and say so.
TRSTCTL_REAL_PARTS ?= $(shell [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo required)

.PHONY: run build test check bench jepsen

# A local cluster of three nodes in ./run, in the foreground. It comes back with its data.
run: build
	$(BIN) dev --nodes 3 --dir ./run

build:
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/trstctl

test:
	$(GO) vet ./...
	@parts="$(TRSTCTL_REAL_PARTS)"; \
	GO="$(GO)" TRSTCTL_REAL_PARTS="$$parts" test/parts/install.sh || { parts=; echo "test/parts: not all could be installed: tests that need the rest are skipped" >&2; }; \
	TRSTCTL_REAL_PARTS="$$parts" $(GO) test -count=1 -timeout 60m $(TESTFLAGS) ./...

# What a commit should pass besides the tests.
check:
	$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }

# Figures of a fresh local cluster; BENCHFLAGS="--env run/env" for a running one.
bench:
	$(GO) run ./test/bench $(BENCHFLAGS)

# A tour of at most ten minutes through everything that can be broken on purpose. Network namespaces and disks that fail take root; without it, less.
jepsen:
	$(GO) run ./jepsen tour $(JEPSENFLAGS)
