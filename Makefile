# Targets for people: run, check, test, test-later, soak, fuzz, bench, build, clean. Each sets up what the machine lacks
# (bin/setup).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.PHONY: run build check test test-later soak fuzz bench clean

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

# Tags of the tests that take long: they start a JVM, fuzz, or are on a real kernel.
SLOW := process | fuzz | kernel

# What fails fast: every test but those. It makes the jars, too: what runs next has nothing to compile. One module alone, with
# the modules that it uses: make check MODULE=oom-report
MODULE ?=
check:
	@bin/setup check
	@$(MVN) $(if $(MODULE),-pl $(MODULE) -am) -DexcludedGroups='$(SLOW)' verify

# Every test, those on a real kernel included; the fast ones first.
test: check
	@bin/setup test
	@$(MVN) -Dgroups='$(SLOW)' verify

# The tests of `make check` on a later day. The clock of their JVMs alone is shifted.
DAYS ?= 400
test-later:
	@bin/setup later
	@$(MVN) -Plater -Dlater.days=$(DAYS) -DexcludedGroups='$(SLOW)' test

# The long form of the campaigns of which `make test` runs a short one; each time with another seed: make soak TIMES=20
TIMES ?= 5
soak:
	@bin/setup build
	@$(MVN) -Dgroups=soak -Dsoak.times=$(TIMES) test

# How fast it is, in one table: the reader and the parsers, `analyze` on a log of 1 GB, and the aggregator under load. Takes
# some minutes; make bench ONLY=load measures the aggregator alone, ONLY=footprint what an agent costs.
ONLY ?=
bench:
	@bin/setup bench
	@rm -rf cli/target/dist bench/target/lib
	@$(MVN) -q -Pbench -Dmaven.test.skip=true package
	@"$$(bin/find-java --jdk)/bin/java" --sun-misc-unsafe-memory-access=allow \
	  --enable-native-access=ALL-UNNAMED -cp 'bench/target/lib/*' dev.exit137.bench.Bench . $(ONLY)

# What `make test` does for three seconds, for ten minutes per target: make fuzz SECONDS=60
SECONDS ?= 600
fuzz:
	@bin/setup build
	@$(MVN) -pl oom-report -am -Dtest=FuzzTest -Dfuzz.seconds=$(SECONDS) -Dsurefire.failIfNoSpecifiedTests=false test

clean:
	@bin/setup build
	@$(MVN) -q -Pbench clean

$(STAMP): $(SOURCES)
	@$(MAKE) --no-print-directory build
