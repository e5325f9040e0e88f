# Everything that is built lands in build/ and assets/linux/. One set of build
# tags (none) for every target, so that all of them share one build cache.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PATH := $(PATH):/usr/local/go/bin
export GOFLAGS += -buildvcs=false
# A part of the tests: make test PKG=./cache/... ARGS='-run Add -v'. The show then stays out.
ARGS ?=
PKG ?= ./...

.PHONY: help build helpers run test check bench soak golden darwincheck fmt lint licences setup clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the program, the stand-in and the demo artifact into build/
	@script/setup.sh build
	@script/build.sh

helpers: ## Build the Linux programs that the app carries (assets/linux/*.gz)
	@script/helpers.sh

run: ## Start the app; without a screen, show the main job and leave pictures in build/shots/
	@script/setup.sh run
	@script/build.sh
	@script/run.sh

test: ## Run every test, then the show, against a real container engine
	@script/setup.sh test
	@script/build.sh
	@script/test.sh $(PKG) $(ARGS)

check: ## Format, vet, lint, tidiness, licences and the macOS type check: what CI asks first
	@script/setup.sh build
	@script/helpers.sh
	@script/check.sh

darwincheck: ## Type-check every package for macOS, without a Mac
	@go run ./internal/darwincheck

fmt: ## Format the Go files as the check wants them
	@script/tools.sh golangci-lint fmt ./...

lint: ## Run the linters alone
	@script/tools.sh golangci-lint run ./...

licences: ## Write docs/licences.md anew from the modules that the program links
	@go run ./internal/licences -write docs/licences.md

bench: ## Run the benchmarks: ours beside a baseline, in the same run
	@script/setup.sh test
	@script/build.sh
	@script/bench.sh $(PKG)

soak: ## Run the tests that need real time, for half an hour; make soak FOR=40s for less
	@script/soak.sh $(FOR)

golden: ## Write the golden files anew; look at the difference before committing it
	@script/golden.sh

setup: ## Bring, or name, everything that the other targets need
	@script/setup.sh test

clean: ## Remove what was built
	@rm -rf build assets/linux/*.gz
