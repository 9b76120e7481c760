GO ?= go
BIN := bin/trstctl
TESTFLAGS ?=

.PHONY: build test check run bench

build:
	$(GO) build -o $(BIN) ./cmd/trstctl

test:
	$(GO) vet ./...
	$(GO) test -timeout 40m $(TESTFLAGS) ./...

check:
	$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
