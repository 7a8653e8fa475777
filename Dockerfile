# One image for the agent, the aggregator and the command line: `docker build -t exit137 .`
FROM docker.io/library/maven:3-eclipse-temurin-25 AS build
WORKDIR /src
COPY . .
RUN mvn -B -ntp -q -Dmaven.test.skip=true -pl cli -am package && bin/make-runtime /opt/exit137

# The base has glibc and certificates, but no shell and no package manager.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /opt/exit137 /opt/exit137
# Only the agent needs root, to read the kernel's log.
USER 65532:65532
ENV MALLOC_ARENA_MAX=1
EXPOSE 9137 9138 9139
# A daemon also takes JDK_JAVA_OPTIONS=@/opt/exit137/agent.args or aggregator.args, for its heap and its cache.
ENTRYPOINT ["/opt/exit137/runtime/bin/java", "@/opt/exit137/jvm.args", "dev.exit137.cli.Main"]
CMD ["--help"]
LABEL org.opencontainers.image.title="exit137" \
      org.opencontainers.image.description="Who killed my container, and why: the kernel's own OOM evidence as events" \
      org.opencontainers.image.version="0.1.0"
