package dev.exit137.cli.options;

import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Gives every option its environment twin: {@code --kmsg-path} is {@code EXIT137_KMSG_PATH}. */
public final class EnvironmentDefaults implements IDefaultValueProvider {
  private final Map<String, String> environment;

  public EnvironmentDefaults(Map<String, String> environment) {
    this.environment = environment;
  }

  /** The variable's value; null, so picocli's own default, where it is not set or empty. */
  @Override
  public @Nullable String defaultValue(ArgSpec argument) {
    return twin(argument).map(environment::get).filter(value -> !value.isEmpty()).orElse(null);
  }

  /** The name of the variable; none for --help, --version and what is not an option. */
  public static Optional<String> twin(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option) || option.usageHelp() || option.versionHelp()) {
      return Optional.empty();
    }
    String name = option.longestName().substring(2);
    return Optional.of("EXIT137_" + name.replace('-', '_').toUpperCase(Locale.ROOT));
  }
}
