# Targets for people: run, test, build, clean. Each sets up what the machine lacks (bin/setup).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.PHONY: run test build clean

# Maven's own libraries make a newer Java warn on every start.
MVN = JAVA_HOME="$$(bin/find-java --jdk)" \
  MAVEN_OPTS="--enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow $${MAVEN_OPTS:-}" \
  mvn -B -ntp

SOURCES := pom.xml $(wildcard */pom.xml) $(shell find */src/main -type f)
STAMP := target/built

# Agent and aggregator in one process, events to the terminal. Further flags: make run ARGS='--listen 127.0.0.1:9200'
run: $(STAMP)
	@exec bin/exit137 run $(ARGS)

# Everything but the tests, also when nothing seems to have changed.
build:
	@bin/setup build
	@echo 'building exit137'
	@rm -rf cli/target/dist
	@$(MVN) -q -Dmaven.test.skip=true package
	@mkdir -p target && touch $(STAMP)

# Every test, those on a real kernel included.
test:
	@bin/setup test
	@$(MVN) verify

clean:
	@bin/setup build
	@$(MVN) -q clean

$(STAMP): $(SOURCES)
	@$(MAKE) --no-print-directory build
