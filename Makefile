# grpc-lb: every line is a thin call of npm, nx, docker, kubectl or a script in k8s/. `make` lists the targets.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# What a target needs comes before it, and targets given together follow each other, also under -j.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# What npm installs comes first: its node is Node 24, whatever the machine has. The npm that installs runs on the machine's.
MACHINE_PATH := $(subst $(CURDIR)/node_modules/.bin:,,$(PATH))
export PATH := $(CURDIR)/node_modules/.bin:$(MACHINE_PATH)
export NX_TUI := false
BIN := ./node_modules/.bin
NODE := $(BIN)/node
INSTALLED := node_modules/.installed
STEP := @step() { if [ -t 1 ] && [ -z "$$NO_COLOR" ]; then printf '\n\033[1m== %s\033[0m\n' "$$1"; else printf '\n== %s\n' "$$1"; fi; }; step
# Tests wait for processes and sockets, so one file more than processors is not too many; Node itself runs one less.
CONCURRENCY := $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2))
TESTS := 'protos/**/*.test.ts' 'libs/**/*.test.ts' 'apps/**/*.test.ts' 'k8s/**/*.test.ts' '.ci/**/*.test.ts'

##@ Try it, with no cluster

.PHONY: help
help: ## list the targets
	@tty=; if [ -t 1 ] && [ -z "$$NO_COLOR" ]; then tty=1; fi; awk -v tty="$$tty" 'BEGIN { FS = ":.*## "; if (tty) { b = "\033[1m"; c = "\033[36m"; o = "\033[0m" } } \
	  /^##@ / { printf "\n%s%s%s\n", b, substr($$0, 5), o } \
	  /^[a-z0-9-]+:.*## / { printf "  %s%-13s%s %s\n", c, $$1, o, $$2 }' Makefile

.PHONY: doctor
doctor: ## say which tools are there, which are missing, and how to get them; FOR=kube-deploy asks about one target
	@PATH="$(MACHINE_PATH)" sh k8s/doctor.sh --for '$(FOR)'

.PHONY: demo
demo: $(INSTALLED) ## show the problem and its cures on this machine; STRATEGIES=all POLICY=least_request, ARGS='…' goes to the lab
	@$(NODE) apps/lab/src/demo/main.ts $(ARGS)

.PHONY: policies
policies: $(INSTALLED) ## compare the balancing policies on a slow, a failing and a frozen server; ARGS=--outlier-detection
	@$(NODE) apps/lab/src/policies/main.ts $(ARGS)

.PHONY: test
# Hundreds of programs start in it, each with the types of its files stripped: Node keeps what comes of that, by content.
test: export NODE_COMPILE_CACHE := $(CURDIR)/node_modules/.cache/node
test: $(INSTALLED) ## run the tests
	@$(NODE) --test --test-reporter=spec --test-timeout=120000 --test-concurrency=$(CONCURRENCY) $(TESTS)

##@ On a cluster: NAMESPACE=… chooses where, default is the current context's

.PHONY: docker-build
docker-build: needs-docker-build $(INSTALLED) ## build the images; IMAGE_PREFIX=registry/team/ NODE_IMAGE=… PLATFORM=linux/arm64
	@told=$$($(BIN)/nx run-many -t bundle --output-style=static 2>&1) || { echo "$$told" >&2; exit 1; }
	@$(NODE) k8s/image/build.ts

.PHONY: docker-push
docker-push: needs-docker-push $(INSTALLED) ## push the images; needs IMAGE_PREFIX=registry/team/
	@$(NODE) k8s/image/push.ts

.PHONY: kube-load
kube-load: needs-kube-load $(INSTALLED) ## load the images into kind, minikube, k3d or ../shared/sandbox, as the current context says
	@$(NODE) k8s/cluster/load.ts

.PHONY: kube-deploy
kube-deploy: needs-kube-deploy $(INSTALLED) ## deploy the images that were built last; STRATEGY=clusterip, headless-dns, resolver, etcd or consul; POLICY=least_request …
	@$(NODE) k8s/cluster/deploy.ts

.PHONY: kube-logs
kube-logs: needs-kube-logs $(INSTALLED) ## show what the two clients print, side by side; TAIL_LINES=10 FOLLOW=false
	@$(NODE) k8s/cluster/logs.ts

.PHONY: istio-inject
istio-inject: needs-istio-inject $(INSTALLED) ## give server and clients a sidecar of Istio; ISTIO_REV=… chooses a revision
	@$(NODE) k8s/cluster/istio.ts inject

.PHONY: istio-eject
istio-eject: needs-istio-eject $(INSTALLED) ## take the sidecars away again
	@$(NODE) k8s/cluster/istio.ts eject

.PHONY: kube-delete
kube-delete: needs-kube-delete $(INSTALLED) ## delete all that kube-deploy made
	@$(NODE) k8s/cluster/delete.ts

##@ Develop

.PHONY: init
init: $(INSTALLED) ## install what the build needs, from the lock file
	@echo 'everything is installed'

.PHONY: protoc
protoc: $(INSTALLED) ## generate the code of the .proto files
	@$(NODE) protos/generate.ts

.PHONY: format
format: $(INSTALLED) ## format everything
	@$(BIN)/biome check --write .
	@$(BIN)/buf format --write protos

.PHONY: check
check: lint test ## lint and test: all that must hold before a commit

.PHONY: lint
lint: $(INSTALLED) ## format, lint, layers, types, protos, generated code
	$(STEP) 'format and lint'
	@$(BIN)/biome check --error-on-warnings .
	$(STEP) 'types'
	@$(BIN)/tsc -b
	$(STEP) 'protos'
	@$(BIN)/buf lint protos
	@$(BIN)/buf format --diff --exit-code protos
	@if base=$$(git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet main); then \
	  $(BIN)/buf breaking protos --against ".git#ref=$$base,subdir=protos"; \
	else echo 'no branch main to compare with: breaking changes are not looked for'; fi
	$(STEP) 'generated code'
	@fresh=$$(mktemp -d) && trap 'rm -r "$$fresh"' EXIT && $(NODE) protos/generate.ts "$$fresh" && \
	  { diff -r "$$fresh/gen" protos/gen || { echo 'protos/gen is not fresh; run: make protoc' >&2; exit 1; }; }

.PHONY: bench
bench: $(INSTALLED) ## run the benchmarks; fails when one misses a bound
	@missed=0; for file in libs/*/bench/*.bench.ts apps/*/bench/*.bench.ts k8s/bench/*.bench.ts; do \
	  if [ -f "$$file" ]; then echo "== $$file"; $(NODE) "$$file" $(ARGS) || missed=1; fi; \
	done; exit $$missed

.PHONY: e2e
e2e: needs-e2e $(INSTALLED) ## run the end-to-end tests on the current context's cluster
	@$(NODE) --test --test-concurrency=3 --test-reporter=spec libs/discovery/e2e/*.e2e.ts
	@$(NODE) --test --test-isolation=none --test-reporter=spec k8s/e2e/resolver.e2e.ts
	@$(NODE) --test --test-isolation=none --test-reporter=spec k8s/e2e/policies.e2e.ts
	@$(NODE) --test --test-isolation=none --test-reporter=spec k8s/e2e/registries.e2e.ts
	@$(NODE) --test --test-isolation=none --test-reporter=spec k8s/e2e/suite.e2e.ts

# One line for each tool that a target needs and that is missing, before anything is done.
needs-%:
	@sh k8s/doctor.sh --for $* --quiet

$(INSTALLED): package-lock.json
	@PATH="$(MACHINE_PATH)" sh k8s/doctor.sh --for init --quiet
	@echo 'installing what the build needs, from package-lock.json (once)'
	@PATH="$(MACHINE_PATH)" npm ci --no-audit --no-fund --loglevel=error
	@case $$($(NODE) --version 2>/dev/null) in v24.*) ;; *) \
	  echo 'init: node_modules/.bin/node is no Node 24; npm must be allowed to run install scripts: npm config set ignore-scripts false' >&2; \
	  exit 1 ;; esac
	@touch $@
