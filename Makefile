# Targets: run, check, format, test, test-later, test-vm, soak, fuzz, bench, build, clean. Each target first installs missing tools with
# bin/setup.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.PHONY: run build check format test test-later test-vm soak fuzz bench clean

# Maven's own libraries cause warnings of newer Java versions at every start.
MVN = JAVA_HOME="$$(bin/find-java --jdk)" \
  MAVEN_OPTS="--enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow $${MAVEN_OPTS:-}" \
  mvn -B -ntp

SOURCES := pom.xml $(wildcard */pom.xml) $(shell find */src/main -type f)
STAMP := target/built

# Runs agent and aggregator in one process and prints the events. Further flags: make run ARGS='--listen 127.0.0.1:9200'
run: $(STAMP)
	@exec bin/exit137 run $(ARGS)

# Builds everything except the tests, even if no source seems to have changed.
build:
	@bin/setup build
	@echo 'building exit137'
	@rm -rf cli/target/dist
	@$(MVN) -q -Dmaven.test.skip=true package
	@mkdir -p target && touch $(STAMP)

# Tags of slow tests: they start a JVM, fuzz, or need a real kernel.
SLOW := process | fuzz | kernel

# Runs the fast tests, and builds the jars, so that later targets need not compile. For one module and its dependencies:
# make check MODULE=oom-report
MODULE ?=
check:
	@bin/setup check
	@$(MVN) -T 2 $(if $(MODULE),-pl $(MODULE) -am) -DexcludedGroups='$(SLOW)' verify

# Formats the sources as `make check` requires.
format:
	@bin/setup build
	@$(MVN) -q -Pbench spotless:apply

# Runs every test, also those on a real kernel; the fast ones run first.
test: check
	@bin/setup test
	@$(MVN) -Dgroups='$(SLOW)' verify

# Runs the tests of `make check` with the clock of their JVMs shifted by DAYS. No other clock is shifted.
DAYS ?= 400
test-later:
	@bin/setup later
	@$(MVN) -Plater -Dlater.days=$(DAYS) -DexcludedGroups='$(SLOW)' test

# Boots Debian nodes in QEMU. On each kernel services and processes end in every way; what was recorded is replayed in Java.
# On the node `arm64` the agent itself tells two kills. About 5 minutes for each. `make check` replays the recordings of
# native-test/vm; RECORD=true replaces them. One node: make test-vm NODES=6.1
NODES ?= 5.10 6.1 6.12 arm64
RECORD ?= false
test-vm: $(STAMP)
	@bin/setup vm
	@for node in $(NODES); do \
	  if [ $$node = arm64 ]; then native-test/vm/vm.sh arm64 cli/target/dist; continue; fi; \
	  native-test/vm/vm.sh record $$node target/vm/recording-$$node; \
	  $(MVN) -q -pl agent -am -Dtest=RecordedNodesTest -Dsurefire.failIfNoSpecifiedTests=false \
	    -Dexit137.vm.recording="$(CURDIR)/target/vm/recording-$$node" test; \
	  if [ $(RECORD) = true ]; then native-test/vm/vm.sh keep $$node target/vm/recording-$$node; fi; \
	done

# Runs the long form of the test campaigns; `make test` runs a short form. Each run has another seed: make soak TIMES=20
TIMES ?= 5
soak:
	@bin/setup build
	@$(MVN) -Dgroups=soak -Dsoak.times=$(TIMES) test

# Measures the reader and the parsers, `analyze` on a log of 1 GB, the agent's cost on a node, and the aggregator under
# load. Takes some minutes. make bench ONLY=load measures only the aggregator, ONLY=footprint only the agent's cost,
# ONLY=trace that of the kernel's trace of signals and the time to an ExitEvent.
ONLY ?=
bench:
	@bin/setup bench
	@rm -rf cli/target/dist bench/target/lib
	@$(MVN) -q -Pbench -Dmaven.test.skip=true package
	@"$$(bin/find-java --jdk)/bin/java" --sun-misc-unsafe-memory-access=allow \
	  --enable-native-access=ALL-UNNAMED -cp 'bench/target/lib/*' dev.exit137.bench.Bench . $(ONLY)

# Fuzzes each target for ten minutes; `make test` fuzzes it for three seconds. make fuzz SECONDS=60
SECONDS ?= 600
fuzz:
	@bin/setup build
	@$(MVN) -pl oom-report -am -Dtest=FuzzTest -Dfuzz.seconds=$(SECONDS) -Dsurefire.failIfNoSpecifiedTests=false test

clean:
	@bin/setup build
	@$(MVN) -q -Pbench clean

$(STAMP): $(SOURCES)
	@$(MAKE) --no-print-directory build
