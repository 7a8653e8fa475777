package dev.exit137.cli.house;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitAccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaConstructor;
import com.tngtech.archunit.lang.ArchRule;
import java.time.Clock;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.Calendar;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** Which calls read the system's clock: a part of the program that makes one cannot be tested on another day. */
final class Clocks {
    private static final Set<String> OF_THE_SYSTEM = Set.of(
            "java.lang.System.currentTimeMillis",
            "java.time.InstantSource.system",
            "java.time.Clock.systemUTC",
            "java.time.Clock.systemDefaultZone",
            "java.time.Clock.system",
            "java.time.Clock.tickMillis",
            "java.time.Clock.tickSeconds",
            "java.time.Clock.tickMinutes",
            "java.util.Calendar.getInstance",
            "com.google.protobuf.util.Timestamps.now");

    /** A date without an argument is that of today; {@code Instant.now(clock)} has one. */
    private static final Set<String> TODAY = Set.of("java.util.Date", "java.util.GregorianCalendar");

    private Clocks() {}

    /** No call and no reference of a method. */
    static ArchRule notRead() {
        return noClasses()
                .should()
                .accessTargetWhere(new DescribedPredicate<JavaAccess<?>>("the system's clock is read") {
                    @Override
                    public boolean test(JavaAccess<?> access) {
                        return access.getTarget() instanceof CodeUnitAccessTarget target && isClock(target);
                    }
                });
    }

    private static boolean isClock(CodeUnitAccessTarget target) {
        String owner = target.getOwner().getName();
        boolean withoutArguments = target.getRawParameterTypes().isEmpty();
        return OF_THE_SYSTEM.contains(owner + "." + target.getName())
                || owner.startsWith("java.time.")
                        && target.getName().equals("now")
                        && (withoutArguments
                                || target.getRawParameterTypes().getFirst().isEquivalentTo(ZoneId.class))
                || target.getName().equals(JavaConstructor.CONSTRUCTOR_NAME)
                        && TODAY.contains(owner)
                        && withoutArguments;
    }

    /** Each method reads it once. */
    static final class Readers {
        Instant instant() {
            return Instant.now();
        }

        Supplier<Instant> instants() {
            return Instant::now;
        }

        LocalDate date() {
            return LocalDate.now();
        }

        ZonedDateTime zoned(ZoneId zone) {
            return ZonedDateTime.now(zone);
        }

        long millis() {
            return System.currentTimeMillis();
        }

        LongSupplier millisEach() {
            return System::currentTimeMillis;
        }

        InstantSource source() {
            return InstantSource.system();
        }

        Clock clock() {
            return Clock.systemUTC();
        }

        Clock ticks(ZoneId zone) {
            return Clock.tickSeconds(zone);
        }

        Date oldDate() {
            return new Date();
        }

        Supplier<Date> oldDates() {
            return Date::new;
        }

        Calendar calendar() {
            return Calendar.getInstance();
        }

        Calendar gregorian() {
            return new GregorianCalendar();
        }
    }

    /** None does. */
    static final class NoReaders {
        Instant ofClock(Clock clock) {
            return Instant.now(clock);
        }

        Instant ofSource(InstantSource clock) {
            return clock.instant();
        }

        long interval() {
            return System.nanoTime();
        }

        Date ofMillis(long millis) {
            return new Date(millis);
        }

        Instant ofSecond(long second) {
            return Instant.ofEpochSecond(second);
        }
    }
}
