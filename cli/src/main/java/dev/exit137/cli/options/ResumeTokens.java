package dev.exit137.cli.options;

import dev.exit137.cli.options.EventKinds.Kind;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Where the streams of a watch go on: each kind of events has a stream of its own, at a place of its own.
 *
 * @param tokens by kind
 */
public record ResumeTokens(Map<Kind, String> tokens) {
    public ResumeTokens {
        tokens = Map.copyOf(tokens);
    }

    /** The token for a kind of events; empty if the stream of that kind starts now. */
    public Optional<String> of(Kind kind) {
        return Optional.ofNullable(tokens.get(kind));
    }

    /** The form that the option takes: one token alone, several as {@code oom=TOKEN,exit=TOKEN}. */
    public static String text(Map<Kind, String> tokens) {
        return tokens.size() == 1
                ? tokens.values().iterator().next()
                : tokens.entrySet().stream()
                        .map(each -> each.getKey().name().toLowerCase(Locale.ROOT) + "=" + each.getValue())
                        .collect(Collectors.joining(","));
    }

    /** Converts the option's text. A token without a kind is for every kind: all kinds share one store. */
    public static final class Converter implements ITypeConverter<ResumeTokens> {
        @Override
        public ResumeTokens convert(String text) {
            Map<Kind, String> tokens = new EnumMap<>(Kind.class);
            for (String part : text.split(",", -1)) {
                boolean named = false;
                for (Kind kind : Kind.values()) {
                    String name = kind.name().toLowerCase(Locale.ROOT) + "=";
                    if (part.startsWith(name)) {
                        tokens.put(kind, part.substring(name.length()));
                        named = true;
                    }
                }
                if (!named && text.contains(",")) {
                    throw new TypeConversionException(
                            "'" + part + "' has no kind: give one token, or oom=TOKEN,exit=TOKEN");
                }
                if (!named) {
                    for (Kind kind : Kind.values()) {
                        tokens.put(kind, part);
                    }
                }
            }
            return new ResumeTokens(tokens);
        }
    }
}
