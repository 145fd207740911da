# grpc-lb: every line is a thin call of npm, nx, docker, kubectl or a script in .ci/ and k8s/. `make` lists the targets.

# Empty for GNU make; a BSD make includes a file that names GNU make.
-include ${.MAKE.PID:D.ci/not-gnu.mk}

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# What a target needs comes before it, and targets given together follow each other, also under -j.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# No value of a variable reaches a shell as code. Recipes read a value from the environment ("$$FOR"), never from make's own
# expansion; a value given on the command line is taken as it is written, so that its $(…) is text; and the variables of this
# file cannot be replaced.
$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
override SHELL := /bin/sh
override .SHELLFLAGS := -c

# What npm installs comes first: its node is Node 24, whatever the machine has. The npm that installs runs on the machine's.
override MACHINE_PATH := $(subst $(CURDIR)/node_modules/.bin:,,$(value PATH))
override PATH := $(CURDIR)/node_modules/.bin:$(MACHINE_PATH)
override NX_TUI := false
export MACHINE_PATH PATH NX_TUI
override BIN := ./node_modules/.bin
override NODE := $(BIN)/node
# What the programs need, and what development needs beyond that.
override RUNTIME := node_modules/.runtime
override INSTALLED := node_modules/.installed
# What generates the reference, apart from the workspace.
override REFERENCE := .ci/reference/node_modules/.package-lock.json

##@ Try it, with no cluster

.PHONY: help
help: ## list the targets
	@tty=; columns=; if [ -t 1 ]; then columns=$$({ stty size </dev/tty; } 2>/dev/null | cut -d ' ' -f 2); [ -n "$$NO_COLOR" ] || tty=1; fi; \
	awk -v tty="$$tty" -v columns="$${columns:-0}" 'BEGIN { FS = ":.*## "; if (tty) { b = "\033[1m"; c = "\033[36m"; o = "\033[0m" } } \
	  function show(text,  words, n, i, used) { n = split(text, words, " "); used = 18; \
	    for (i = 1; i <= n; i++) { \
	      if (i > 1 && columns > 40 && used + 1 + length(words[i]) > columns) { printf "\n%18s", ""; used = 18 } \
	      printf " %s", words[i]; used += 1 + length(words[i]) } print "" } \
	  /^##@ / { printf "\n%s%s%s\n", b, substr($$0, 5), o } \
	  /^[a-z0-9-]+:.*## / { printf "  %s%-16s%s", c, $$1, o; show($$2) } \
	  END { printf "\n%sBegin with:%s make demo\n", b, o }' Makefile

.PHONY: doctor
doctor: ## show which tools are installed, which are missing, and how to get them; FOR=kube-deploy checks one target
	@PATH="$$MACHINE_PATH" sh k8s/doctor.sh --for "$$FOR"

.PHONY: demo
demo: $(RUNTIME) ## show the problem and its cures on this machine; SCENE=kill STRATEGIES=all POLICY=least_request, ARGS='…' goes to the lab
	@set -f; exec $(NODE) apps/lab/src/demo/main.ts $$ARGS

.PHONY: live
live: $(INSTALLED) ## show the strategies on a page in the browser, until Ctrl-C; its buttons change the pods; STRATEGIES=… PORT=…
	@set -f; exec $(NODE) apps/lab/src/demo/live/main.ts $$ARGS

.PHONY: policies
policies: $(RUNTIME) ## compare the balancing policies on a slow, a failing and a frozen server; ARGS=--outlier-detection
	@set -f; exec $(NODE) apps/lab/src/policies/main.ts $$ARGS

.PHONY: test
test: $(INSTALLED) ## run the tests; a project whose files did not change has its result from the cache
	@$(NODE) .ci/test-all.ts

##@ On a cluster: NAMESPACE=… chooses where, default is the current context's

.PHONY: docker-build
docker-build: needs-docker-build $(INSTALLED) ## build the images; IMAGE_PREFIX=registry/team/ NODE_IMAGE=… PLATFORM=linux/arm64
	@$(NODE) k8s/image/build.ts

.PHONY: docker-push
docker-push: needs-docker-push $(INSTALLED) ## push the images; needs IMAGE_PREFIX=registry/team/
	@$(NODE) k8s/image/push.ts

.PHONY: kube-load
kube-load: needs-kube-load $(INSTALLED) ## load the images into the kind, minikube or k3d cluster of the current context
	@$(NODE) k8s/cluster/load.ts

.PHONY: kube-deploy
kube-deploy: needs-kube-deploy $(INSTALLED) ## deploy the images of the last build; STRATEGY=resolver, envoy … (k8s/README.md); POLICY=least_request … COMPONENTS=monitoring,network-policy …
	@$(NODE) k8s/cluster/deploy.ts

.PHONY: kube-logs
kube-logs: needs-kube-logs $(INSTALLED) ## show the logs of the two clients side by side; TAIL_LINES=10 FOLLOW=false
	@$(NODE) k8s/cluster/logs.ts

.PHONY: kube-verdict
kube-verdict: needs-kube-verdict $(INSTALLED) ## judge how the calls of the two clients are balanced; exits 1 if not as they must be; ARGS=--json
	@set -f; exec $(NODE) k8s/cluster/verdict.ts $$ARGS

.PHONY: kube-compare
kube-compare: needs-kube-compare $(INSTALLED) ## compare the strategies in a namespace of its own; STRATEGIES=clusterip,resolver REPORT=file.md ARGS=--json
	@set -f; exec $(NODE) k8s/cluster/compare.ts $$ARGS

.PHONY: kube-live
kube-live: needs-kube-live $(INSTALLED) ## show the deployed clients' calls on a page, until Ctrl-C; ALLOW_ACTIONS=true lets it scale and restart; PORT=…
	@$(NODE) k8s/live/main.ts

.PHONY: istio-inject
istio-inject: needs-istio-inject $(INSTALLED) ## inject Istio sidecars into server and clients; ISTIO_REV=… chooses a revision
	@$(NODE) k8s/cluster/istio.ts inject

.PHONY: istio-eject
istio-eject: needs-istio-eject $(INSTALLED) ## remove the sidecars
	@$(NODE) k8s/cluster/istio.ts eject

.PHONY: kube-delete
kube-delete: needs-kube-delete $(INSTALLED) ## delete everything that kube-deploy created
	@$(NODE) k8s/cluster/delete.ts

.PHONY: certs
certs: needs-certs $(INSTALLED) ## create an authority and certificates for a workshop, or renew them; OUT=certs NAMES=server.example.com DAYS=90
	@$(NODE) k8s/certs/main.ts

.PHONY: kit
kit: needs-kit $(INSTALLED) ## pack images and npm's cache into dist/grpc-lb-kit.tar, for a room without a network; KIT_IMAGES='…' adds images
	@$(NODE) k8s/kit/main.ts

##@ Develop

.PHONY: init
init: $(INSTALLED) ## install the dependencies from the lock file
	@echo 'the dependencies are installed'

.PHONY: protoc
protoc: $(INSTALLED) ## generate the code of the .proto files
	@$(NODE) protos/generate.ts

.PHONY: format
format: $(INSTALLED) ## format everything
	@$(BIN)/biome check --write .
	@$(BIN)/buf format --write protos

.PHONY: build
build: $(INSTALLED) ## build the packages that are published, into libs/*/dist
	@$(BIN)/nx run-many -t build --output-style=static

.PHONY: consumers
consumers: build ## install the packed packages into fresh projects, and use them there as their users do
	@$(NODE) .ci/consumers/prepare.ts
	@$(NODE) --test --test-concurrency=2 '.ci/consumers/*.consumer.ts'

.PHONY: docs
docs: $(INSTALLED) $(REFERENCE) ## generate the reference of the packages, HTML in docs/reference; fails on a warning of typedoc
	@$(NODE) .ci/reference/node_modules/typedoc/bin/typedoc --options .ci/reference/typedoc.json

.PHONY: docs-test
docs-test: $(INSTALLED) ## run the workshop's exercises and compare their outputs; TRACK=no-cluster, cluster or all; EXERCISE=01,02 ARGS=--show
	@set -f; exec $(NODE) .ci/exercises/main.ts $$ARGS

.PHONY: grpc-js-versions
grpc-js-versions: build ## try the packages with each version of grpc-js, and write the table in docs/grpc-js-versions.md
	@$(NODE) .ci/grpc-js-versions/main.ts

.PHONY: release
release: $(INSTALLED) ## show the next version, its changes and what would be published; ARGS=--write makes the commit and the tag
	@set -f; exec $(NODE) .ci/release/main.ts $$ARGS

.PHONY: check
check: lint test ## lint and test: all that must hold before a commit

.PHONY: lint
lint: $(INSTALLED) ## check format, lint rules, layers, types, .proto files and generated code
	@$(BIN)/nx run-many -t lint typecheck buf generated breaking --output-style=static

.PHONY: bench
bench: $(INSTALLED) ## run the benchmarks; fails when one misses its bound
	@missed=0; for file in libs/*/bench/*.bench.ts apps/*/bench/*.bench.ts k8s/bench/*.bench.ts; do \
	  if [ -f "$$file" ]; then echo "== $$file"; (set -f; exec $(NODE) "$$file" $$ARGS) || missed=1; fi; \
	done; exit $$missed

.PHONY: compare-cost
compare-cost: $(INSTALLED) ## measure what a call costs directly, through each L7 proxy, and in Istio's mesh; ARGS=--json
	@set -f; exec $(NODE) apps/lab/bench/compare-cost.bench.ts $$ARGS

.PHONY: e2e
e2e: needs-e2e $(INSTALLED) ## run the end-to-end tests on the current context's cluster; STORIES=suite,resolver chooses some
	@$(NODE) k8s/e2e/main.ts

.PHONY: e2e-long
e2e-long: needs-e2e-long $(INSTALLED) ## run what takes long: every strategy with every measurement, long outages of the API server, all exercises
	@STORIES=compare-all,components,monitoring,identity,backup,tracing,autoscale,lookaside,outages,xds GRPC_LB_E2E_LONG=1 $(NODE) k8s/e2e/main.ts
	@TRACK=all $(NODE) .ci/exercises/main.ts

# Before the installation, one line for each missing tool that the target needs. Once all is installed, its program looks for them
# itself, after it has checked its flags.
override NEEDS := docker-build docker-push certs kit kube-load kube-deploy kube-logs kube-verdict kube-compare kube-live istio-inject istio-eject kube-delete e2e e2e-long
.PHONY: $(NEEDS:%=needs-%)
$(NEEDS:%=needs-%): needs-%:
	@[ -e $(INSTALLED) ] || sh k8s/doctor.sh --for $* --quiet

$(RUNTIME): package-lock.json
	@if [ -e $(INSTALLED) ]; then sh .ci/install.sh --include=dev; else sh .ci/install.sh --omit=dev; fi

$(INSTALLED): package-lock.json
	@sh .ci/install.sh --include=dev

$(REFERENCE): .ci/reference/package-lock.json
	@npm ci --prefix .ci/reference --silent --no-audit --no-fund
