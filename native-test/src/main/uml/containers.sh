# The plan of the boot with a container runtime: the tests themselves run in the node. Starting a Go program takes a tenth
# of a second here, and each pod takes many of them: the storm is most of the time.

"$JAVA_HOME/bin/java" $EXIT137_JAVA_OPTS -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
  -Dbasedir="$BED_REPO/native-test" -Dbed.work=/run/work \
  -cp "$(cat "$BED_TOOLS/classpath")" dev.exit137.nativetest.InBed dev.exit137.nativetest.ContainersTest \
  > $out/tests 2> $out/tests.log || say "the tests did not come to their end"
cp -r /run/work/containers $out/
