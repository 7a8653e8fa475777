package dev.exit137.cli.commands;

import dev.exit137.cli.render.CodeText;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.exitreport.words.ExitCodes;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Explains exit codes. */
@Command(name = "codes", description = "Says what an exit code usually means, 0 to 255. It needs no aggregator.")
public final class CodesCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "N",
            description = "The exit code, 0 to 255 (default: a table of all).")
    private Optional<String> code;

    public CodesCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        List<String> lines =
                code.isPresent() ? CodeText.page(ExitCodes.of(number(code.get()))) : CodeText.table(ExitCodes.all());
        for (String line : lines) {
            terminal.print(line);
        }
        return 0;
    }

    private int number(String text) {
        try {
            int number = Integer.parseInt(text);
            if (number >= 0 && number <= ExitCodes.MAX) {
                return number;
            }
        } catch (NumberFormatException e) {
            // The rule below says it.
        }
        throw new ParameterException(
                command.commandLine(),
                "'" + text + "' is not an exit code: give a number from 0 to " + ExitCodes.MAX + ", or none for all"
                        + remedy(text));
    }

    /** A status as waitpid(2) or PowerShell gives it has the code in it. */
    private static String remedy(String text) {
        return text.matches("-\\d{1,3}") && Integer.parseInt(text) >= -ExitCodes.MAX
                ? "; a program that ends with " + text + " has the code " + (Integer.parseInt(text) & ExitCodes.MAX)
                : "";
    }
}
