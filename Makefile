# Everything a contributor types. `make` alone lists it.
#
# Tools are built from their modules into bin/ at the versions below, so that
# everybody, and CI, sees the same findings; nothing has to be installed first
# but Go, and Docker for the images.

STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
BUF           := github.com/bufbuild/buf/cmd/buf@v1.75.0
PROTOC_GEN_GO := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
VERSITYGW     := github.com/versity/versitygw/cmd/versitygw@v1.8.0

# nats-server is not in this list: go.mod names its version, because the binary
# embeds it, and the image has to run what the tests ran.
NATS_SERVER   := github.com/nats-io/nats-server/v2

BIN   := $(CURDIR)/bin
IMAGE := $(CURDIR)/dist/image
TAG   ?= dev

# A stamp a tool and version: a new version above is a new file, and so it is
# built once and not before it is needed.
stamp = $(BIN)/.$(subst /,_,$(1))

# What goes into an image has to run without a C library, and says nothing of
# the machine that it was built on.
STATIC := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w'

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## build the binary: ./bin/trailbell
	$(STATIC) -o $(BIN)/trailbell ./cmd/trailbell

.PHONY: test
test: ## run the tests
	go test ./...

.PHONY: race
race: ## run the tests under the race detector (needs a C compiler)
	go test -race ./...

.PHONY: bench
bench: ## measure the pipeline beside its floor, gunzip alone
	go run ./cmd/trailbell bench

.PHONY: demo
demo: ## see it ring: a made-up trail with planted attacks, no AWS needed
	go run ./cmd/trailbell demo

.PHONY: fmt
fmt: $(call stamp,$(BUF)) ## format the Go code and the schemas
	gofmt -w $(GO_FILES)
	cd proto && $(BIN)/buf format -w

# Only what git knows or could know: scratch files that are ignored may look as
# they like.
GO_FILES = $$(git ls-files --cached --others --exclude-standard '*.go' | while read -r f; do if [ -f "$$f" ]; then echo "$$f"; fi; done)

.PHONY: lint
lint: lint-format lint-go lint-proto ## formatting, vet, staticcheck, schemas, go.mod

.PHONY: lint-format
lint-format:
	@unformatted=$$(gofmt -l $(GO_FILES)); \
	if [ -n "$$unformatted" ]; then echo "not formatted; run make fmt:"; echo "$$unformatted"; exit 1; fi

.PHONY: lint-go
lint-go: $(call stamp,$(STATICCHECK))
	go vet ./...
	$(BIN)/staticcheck ./...
	go mod tidy -diff
	go mod verify

# Generated code is committed, so that `go run` and `go install` need no
# generator. It is generated again beside the tree and compared: a check must
# not repair what it checks.
.PHONY: lint-proto
lint-proto: $(call stamp,$(BUF)) $(call stamp,$(PROTOC_GEN_GO))
	cd proto && $(BIN)/buf lint
	cd proto && $(BIN)/buf format -d --exit-code
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	(cd proto && PATH="$(BIN):$$PATH" $(BIN)/buf generate -o "$$fresh") && \
	if ! diff -r -x '*.proto' -x 'buf*.yaml' "$$fresh" proto; then \
		echo "the generated code is not that of the schemas; run make proto and commit"; exit 1; fi

.PHONY: proto
proto: $(call stamp,$(BUF)) $(call stamp,$(PROTOC_GEN_GO)) ## generate the Go code of proto/
	cd proto && PATH="$(BIN):$$PATH" $(BIN)/buf generate

.PHONY: images
images: ## build the container images of deploy/compose.yaml
	@rm -rf $(IMAGE)
	@mkdir -p $(IMAGE)/trailbell/empty $(IMAGE)/nats/empty $(IMAGE)/s3/empty
	$(STATIC) -o $(IMAGE)/trailbell/trailbell ./cmd/trailbell
	@$(MAKE) --no-print-directory images-dependencies
	docker build -q -t trailbell:$(TAG) -f deploy/image/trailbell.Dockerfile $(IMAGE)/trailbell

# The images that are not Trailbell's own code.
.PHONY: images-dependencies
images-dependencies: $(call stamp,$(VERSITYGW))
	@mkdir -p $(IMAGE)/nats/empty $(IMAGE)/s3/empty
	$(STATIC) -o $(IMAGE)/nats/nats-server $(NATS_SERVER)
	cp $(BIN)/versitygw $(IMAGE)/s3/versitygw
	docker build -q -t trailbell-nats:$(TAG) -f deploy/image/nats.Dockerfile $(IMAGE)/nats
	docker build -q -t trailbell-s3:$(TAG) -f deploy/image/s3.Dockerfile $(IMAGE)/s3

# A tool is built outside of this module: its dependencies are its own.
define tool
$(call stamp,$(1)):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' $(1)
	@touch $$@
endef
$(foreach t,$(STATICCHECK) $(BUF) $(PROTOC_GEN_GO) $(VERSITYGW),$(eval $(call tool,$(t))))
