package dev.exit137.cli.documents;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * One Markdown file of the repository.
 *
 * @param file its path from the root
 * @param blocks what stands between fences, each line whole: a backslash at its end joins it with the next
 * @param prose the lines outside of them
 */
record Document(Path file, List<String> blocks, List<String> prose) {
    static final Path ROOT = Path.of(System.getProperty("exit137.root")).normalize();

    private static final Pattern CODE = Pattern.compile("`([^`]+)`");
    private static final Pattern WORD = Pattern.compile("'([^']*)'|\"([^\"]*)\"|([^\\s'\"]+)");

    /** Those that people read: at the top, in docs and with the manifests. */
    static List<Document> all() throws IOException {
        var found = new ArrayList<Document>();
        for (String directory : List.of(".", "docs", "k8s")) {
            try (Stream<Path> files = Files.list(ROOT.resolve(directory))) {
                for (Path file : files.filter(each -> each.toString().endsWith(".md"))
                        .sorted()
                        .toList()) {
                    found.add(read(ROOT.relativize(file.normalize())));
                }
            }
        }
        return found;
    }

    static Document read(Path file) throws IOException {
        var blocks = new ArrayList<String>();
        var prose = new ArrayList<String>();
        boolean fenced = false;
        for (String line : Files.readString(ROOT.resolve(file))
                .replace("\\\n", " ")
                .lines()
                .toList()) {
            if (line.strip().startsWith("```")) {
                fenced = !fenced;
            } else {
                (fenced ? blocks : prose).add(line);
            }
        }
        return new Document(file, blocks, prose);
    }

    /** What stands between backquotes, those that a line break divides included. */
    List<String> code() {
        return CODE.matcher(String.join(" ", prose))
                .results()
                .map(match -> match.group(1))
                .toList();
    }

    /** Every call of the program, in words: in blocks first in a line or behind a pipe, in prose between backquotes. */
    List<List<String>> calls(String program) {
        return Stream.concat(
                        blocks.stream()
                                .map(line -> line.replaceFirst("^\\s*\\$ ", "").replaceFirst("(^|\\s)#.*", ""))
                                .flatMap(line -> Stream.of(line.split(" [|;&]+ "))),
                        code().stream())
                .map(String::strip)
                .filter(line -> line.startsWith(program + " "))
                .map(line -> words(line.replaceFirst("\\s([|&]|>.*)$", "")))
                .toList();
    }

    private static List<String> words(String line) {
        return WORD.matcher(line).results().map(Document::unquoted).toList();
    }

    private static String unquoted(MatchResult word) {
        return Stream.of(word.group(1), word.group(2), word.group(3))
                .filter(group -> group != null)
                .findFirst()
                .get();
    }

    /** As GitHub makes them of headings. */
    List<String> anchors() {
        return prose.stream()
                .filter(line -> line.matches("#+ .*"))
                .map(line -> line.replaceFirst("#+ ", "").toLowerCase(Locale.ROOT))
                .map(heading -> heading.replaceAll("[^\\p{L}\\p{N} _-]", "").replace(' ', '-'))
                .toList();
    }
}
