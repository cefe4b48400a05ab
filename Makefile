# The front door: `make help` lists what there is. Meson builds into build/.

.DEFAULT_GOAL := help
.PHONY: help run test build web pictures cluster test-cluster test-compose bench fuzz soak fmt clean install

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

run: install build ## build, then the whole system on http://127.0.0.1:3000 with a small catalogue
	@scripts/web
	@PURSER_DEMO=$${PURSER_DEMO:-on} exec build/purser run

test: ## everything that can fail, in under 15 minutes; ONLY=name runs one stage
	@scripts/install test
	@scripts/test $(ONLY)

build: install ## leaves build/purser
	@test -f build/build.ninja || { echo "purser: building into build/, which takes a minute or two the first time"; meson setup build > /dev/null; }
	@ninja -C build --quiet system > build/ninja.log || { cat build/ninja.log; exit 1; }

web: ## the web app and the API reference, into build/web
	@scripts/web

pictures: build ## every page and state of the web app, in four forms, into build/screenshots
	@scripts/install test
	@scripts/web
	@scripts/npm-tests
	@rm -rf build/screenshots
	@cd tests && PATH=$$PWD/../build/node/node_modules/.bin:$$PATH node --test --test-reporter=spec pictures/pictures.test.mjs

cluster: build ## engines, two gateways, two of each service, Nginx on http://127.0.0.1:8080
	@scripts/install engines
	@scripts/web
	@scripts/cluster run

test-cluster: build ## every suite on the cluster, the long ones too, in some twenty minutes; ONLY=name runs one
	@scripts/install test
	@scripts/npm-tests
	@scripts/test-cluster $(ONLY)

test-compose: ## the cluster in containers, on any machine that can run them
	@scripts/test-compose

bench: build ## tables of speed and size, of one process and of a cluster, with peers
	@scripts/install bench
	@bench/run
	@bench/cluster

fuzz: ## every fuzz target, 60 s each; EACH=N for N s
	@scripts/install test
	@scripts/fuzz $(or $(EACH),60)

soak: build ## ten minutes under load, the cluster's suites, every picture, a failure of every call, then a minute for each fuzz target
	@scripts/install test
	@scripts/soak

fmt: ## clang-format over the lines of C that differ from the last commit
	@scripts/install fmt
	@git clang-format --quiet --force --extensions c,h HEAD

clean: ## removes what was built, not the data
	@rm -rf build

install:
	@scripts/install run
