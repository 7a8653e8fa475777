# One image for the agent, the aggregator and the command line: `docker build -t exit137 .`
FROM docker.io/library/maven:3-eclipse-temurin-25 AS build
WORKDIR /src
COPY . .
RUN mvn -B -ntp -q -Dmaven.test.skip=true -pl cli -am package

FROM docker.io/library/eclipse-temurin:25-jre
COPY bin/exit137 bin/find-java /opt/exit137/bin/
COPY --from=build /src/cli/target/dist/lib /opt/exit137/lib
RUN ln -s /opt/exit137/bin/exit137 /usr/local/bin/exit137
EXPOSE 9137
ENTRYPOINT ["/usr/local/bin/exit137"]
CMD ["--help"]
