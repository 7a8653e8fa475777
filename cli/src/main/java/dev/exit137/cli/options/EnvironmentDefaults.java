package dev.exit137.cli.options;

import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Reads the default of an option from an environment variable: {@code --kmsg-path} from EXIT137_KMSG_PATH. */
public final class EnvironmentDefaults implements IDefaultValueProvider {
    private final Map<String, String> environment;

    public EnvironmentDefaults(Map<String, String> environment) {
        this.environment = environment;
    }

    /** The variable's value; null if it is not set or empty, and picocli then uses the option's own default. */
    @Override
    public @Nullable String defaultValue(ArgSpec argument) {
        return twin(argument)
                .map(environment::get)
                .filter(value -> !value.isEmpty())
                .orElse(null);
    }

    /** The name of the option's variable; empty for --help, --version and positional parameters. */
    public static Optional<String> twin(ArgSpec argument) {
        if (!(argument instanceof OptionSpec option) || option.usageHelp() || option.versionHelp()) {
            return Optional.empty();
        }
        String name = option.longestName().substring(2);
        return Optional.of("EXIT137_" + name.replace('-', '_').toUpperCase(Locale.ROOT));
    }
}
