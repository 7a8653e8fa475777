package dev.exit137.cli.house;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noCodeUnits;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noFields;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.log.ProgramLog;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import picocli.CommandLine;

/** The rules of docs/architecture.md, for all that the program ships. */
class HouseTest {
    private static final JavaClasses PROGRAM = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.exit137");

    private static final DescribedPredicate<JavaClass> OURS = resideInAPackage("dev.exit137..");

    private static final DescribedPredicate<JavaClass> OPTIONAL = JavaClass.Predicates.belongToAnyOf(
                    Optional.class, OptionalInt.class, OptionalLong.class)
            .as("Optional");

    private static DescribedPredicate<JavaClass> oursOutside(String... packages) {
        return OURS.and(DescribedPredicate.not(resideInAnyPackage(packages)))
                .as("ours, outside of " + String.join(", ", packages));
    }

    private static ArchRule mayUse(String room, String... others) {
        String[] allowed = new String[others.length + 1];
        allowed[0] = room;
        System.arraycopy(others, 0, allowed, 1, others.length);
        return noClasses().that().resideInAPackage(room).should().dependOnClassesThat(are(oursOutside(allowed)));
    }

    @Test
    void everyModuleIsHere() {
        assertThat(PROGRAM.stream()
                        .map(JavaClass::getPackageName)
                        .map(name -> name.split("\\.")[2])
                        .distinct())
                .containsExactlyInAnyOrder("proto", "oomreport", "exitreport", "daemon", "agent", "aggregator", "cli");
    }

    @Test
    void noPackageIsInACycle() {
        slices().matching("dev.exit137.(**)").should().beFreeOfCycles().check(PROGRAM);
    }

    @Test
    void theContractUsesNothingOfOurs() {
        mayUse("dev.exit137.proto..").check(PROGRAM);
    }

    @Test
    void theReportsUseTheContractAlone() {
        mayUse("dev.exit137.oomreport..", "dev.exit137.proto.v1..").check(PROGRAM);
        mayUse("dev.exit137.exitreport..", "dev.exit137.proto.v1..").check(PROGRAM);
    }

    @Test
    void bothDaemonsShareTheContractAndWhatTheyBothNeed() {
        mayUse("dev.exit137.daemon..", "dev.exit137.proto..").check(PROGRAM);
        mayUse(
                        "dev.exit137.agent..",
                        "dev.exit137.proto..",
                        "dev.exit137.daemon..",
                        "dev.exit137.oomreport..",
                        "dev.exit137.exitreport..")
                .check(PROGRAM);
        mayUse("dev.exit137.aggregator..", "dev.exit137.proto..", "dev.exit137.daemon..")
                .check(PROGRAM);
    }

    @Test
    void analyzeReadsALogWithoutAnAgent() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.exit137.cli.analyze..", "dev.exit137.cli.render.report..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.exit137.agent..", "dev.exit137.aggregator..")
                .check(PROGRAM);
    }

    @Test
    void theReportsArePure() {
        classes()
                .that()
                .resideInAnyPackage("dev.exit137.oomreport..", "dev.exit137.exitreport..")
                .should()
                .onlyDependOnClassesThat(are(resideInAnyPackage(
                        "dev.exit137.oomreport..",
                        "dev.exit137.exitreport..",
                        "dev.exit137.proto.v1..",
                        "com.google.protobuf..",
                        "java.lang..",
                        "java.util",
                        "java.util.function",
                        "java.util.regex",
                        "java.util.stream",
                        "java.math",
                        "java.nio",
                        "java.nio.charset",
                        "java.time..",
                        "org.jspecify.annotations")))
                .check(PROGRAM);
        noClasses()
                .that()
                .resideInAnyPackage("dev.exit137.oomreport..", "dev.exit137.exitreport..")
                .should()
                .dependOnClassesThat()
                .areAssignableTo(Thread.class)
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(ThreadLocal.class)
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(java.time.InstantSource.class)
                .orShould()
                .callMethod(System.class, "nanoTime")
                .check(PROGRAM);
    }

    @Test
    void onlyTheBottomOfTheAgentCallsNativeCode() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.exit137.agent.linux")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("com.kenai.jffi..")
                .check(PROGRAM);
        mayUse("dev.exit137.agent.linux", "dev.exit137.daemon.procfs", "dev.exit137.oomreport.parse")
                .check(PROGRAM);
    }

    @Test
    void theStoreKnowsNoCallsAndNoCallers() {
        mayUse("dev.exit137.aggregator.store", "dev.exit137.proto..", "dev.exit137.daemon..")
                .check(PROGRAM);
    }

    @Test
    void onlyTheCompositionRootsReadTheSystemsClock() {
        Clocks.notRead()
                .check(PROGRAM.that(
                        DescribedPredicate.not(JavaClass.Predicates.belongToAnyOf(Terminal.class, ProgramLog.class))));
    }

    @Test
    void aReaderOfTheSystemsClockIsSeen() {
        JavaClasses readers = new ClassFileImporter().importClasses(Clocks.Readers.class);
        assertThat(Clocks.notRead().evaluate(readers).getFailureReport().getDetails())
                .hasSize(Clocks.Readers.class.getDeclaredMethods().length);
    }

    @Test
    void aTimeThatIsHandedOnIsNoClock() {
        Clocks.notRead().check(new ClassFileImporter().importClasses(Clocks.NoReaders.class));
    }

    @Test
    void noTwoTypesHaveOneName() {
        Map<String, String> twice = PROGRAM.stream()
                .filter(type -> type.isTopLevelClass()
                        && !resideInAPackage("dev.exit137.proto..").test(type))
                .filter(type -> !type.getSimpleName().equals("package-info"))
                .collect(Collectors.groupingBy(
                        JavaClass::getSimpleName,
                        TreeMap::new,
                        Collectors.mapping(JavaClass::getName, Collectors.joining(", "))));
        twice.values().removeIf(names -> !names.contains(", "));
        assertThat(twice).isEmpty();
    }

    @Test
    void anOptionalIsAResultAndNeverKeptOrHandedIn() {
        noFields()
                .that()
                .areDeclaredInClassesThat()
                .resideOutsideOfPackage("dev.exit137.proto..")
                // picocli fills them.
                .and()
                .areNotAnnotatedWith(CommandLine.Option.class)
                .and()
                .areNotAnnotatedWith(CommandLine.Parameters.class)
                .and()
                .areNotAnnotatedWith(CommandLine.ArgGroup.class)
                .should()
                .haveRawType(OPTIONAL)
                .check(PROGRAM);
        noCodeUnits()
                .that()
                .areDeclaredInClassesThat()
                .resideOutsideOfPackage("dev.exit137.proto..")
                // A lambda takes what a stream or a future hands to it.
                .and()
                .doNotHaveModifier(JavaModifier.SYNTHETIC)
                .should()
                .haveRawParameterTypes(DescribedPredicate.anyElementThat(OPTIONAL))
                .check(PROGRAM);
    }

    @Test
    void everyPackageSaysWhatItIsAboutAndWhereNullMayBe() {
        assertThat(PROGRAM.stream().map(JavaClass::getPackage).distinct())
                .filteredOn(rooms -> !rooms.getName().startsWith("dev.exit137.proto"))
                .allSatisfy(room -> assertThat(room.isAnnotatedWith(NullMarked.class))
                        .as(room.getName())
                        .isTrue());
    }

    @Test
    void everyLoggerIsCalledLog() {
        fields().that()
                .haveRawType(Logger.class)
                .and()
                .areStatic()
                .should()
                .haveName("LOG")
                .check(PROGRAM);
    }
}
