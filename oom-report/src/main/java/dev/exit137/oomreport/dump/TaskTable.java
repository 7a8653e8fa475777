package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.TextCursor;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.TasksOmitted;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;
import java.util.PriorityQueue;

/**
 * The task table (dump_tasks), read by the names of its columns:
 *
 * <pre>
 * [ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name          (oom_score_adj 2.6.36)
 * [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name     (3.7; nr_pmds 4.1)
 * [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name     (4.15)
 * [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name (6.8)
 * [   1876]     0  1876    59513      118   118784      107             0 tmux: client
 * [2276312] 65535 2276312      242        1    28672        0          -998 pause
 * </pre>
 *
 * <p>Keeps only the tasks with the most memory, however many tasks there are.
 */
final class TaskTable {
    private static final int MAX_TASKS = 100;
    private static final int MAX_COLUMNS = 24;
    private static final int MAX_COMM_BYTES = 64;
    private static final byte[] PID = ascii("pid");

    /** The smallest first; among equals the one that the kernel printed last. */
    private static final Comparator<TaskRow> SMALLEST_FIRST =
            Comparator.comparingLong(TaskRow::rssPages).thenComparing(TaskRow::index, Comparator.reverseOrder());

    private final PriorityQueue<TaskRow> largest = new PriorityQueue<>(SMALLEST_FIRST);
    private final long[] values = new long[TaskColumn.COUNT];
    private TaskColumn[] columns = {};
    /** Whether the name follows the columns; else more numbers may come in between. */
    private boolean nameFollows;

    private boolean hasHeader;
    private boolean ended;
    private long rows;
    private long rssPages;

    /** Reads the line if it is the table's header or one of its rows; returns whether it is. */
    boolean onLine(TextCursor line) {
        if (!line.skip('[')) {
            return false;
        }
        line.skipSpaces();
        return line.skip(PID) ? readHeader(line) : readRow(line);
    }

    private boolean readHeader(TextCursor line) {
        line.skipSpaces();
        if (!line.skip(']')) {
            return false;
        }
        if (hasHeader) {
            ended |= rows > 0; // a table of another report follows
            return true;
        }
        List<TaskColumn> found = new ArrayList<>();
        boolean named = false;
        for (String word = nextWord(line);
                !named && !word.isEmpty() && found.size() < MAX_COLUMNS;
                word = nextWord(line)) {
            named = word.equals("name");
            if (!named) {
                found.add(TaskColumn.named(word));
            }
        }
        if (found.contains(TaskColumn.RSS)) {
            columns = found.toArray(TaskColumn[]::new);
            nameFollows = named;
            hasHeader = true;
            clearRows(); // the rows before were read with guessed columns
        }
        return true;
    }

    private static String nextWord(TextCursor line) {
        line.skipSpaces();
        int start = line.position();
        while (!line.atWordEnd()) {
            line.position(line.position() + 1);
        }
        return line.text(start, line.position());
    }

    private void clearRows() {
        largest.clear();
        rows = 0;
        rssPages = 0;
    }

    private boolean readRow(TextCursor line) {
        long pid = line.nextNumber();
        line.skipSpaces();
        if (pid < 0 || pid > Integer.MAX_VALUE || !line.skip(']')) {
            return false;
        }
        if (!hasHeader) {
            guessColumns(line);
        }
        if (!readValues(line)) {
            return false;
        }
        if (!ended) {
            add((int) pid, line);
        }
        return true;
    }

    /**
     * The report began within the table: the count of numbers in a row determines the columns, as far as it can. A name
     * may begin with a number, so the row with the fewest numbers decides.
     */
    private void guessColumns(TextCursor line) {
        int start = line.position();
        int numbers = skipNumbers(line);
        if (line.atEnd()) {
            numbers--; // the last number is the name, or the row was cut
        }
        TaskColumn[] guess = TaskColumn.byCount(numbers);
        if (rows == 0 || (guess.length > TaskColumn.EVERYWHERE && guess.length < columns.length)) {
            columns = guess;
            nameFollows = guess.length > TaskColumn.EVERYWHERE;
        }
        line.position(start);
    }

    private static int skipNumbers(TextCursor line) {
        int numbers = 0;
        line.skipSpaces();
        for (int start = line.position(); numbers < MAX_COLUMNS; start = line.position()) {
            line.skip('-');
            int digits = line.position();
            line.nextNumber();
            if (line.position() == digits || !line.atWordEnd()) {
                line.position(start);
                break;
            }
            numbers++;
            line.skipSpaces();
        }
        return numbers;
    }

    /** A row that was cut has fewer numbers, and its last number may be incomplete. */
    private boolean readValues(TextCursor line) {
        Arrays.fill(values, ABSENT);
        int count = 0;
        while (count < columns.length) {
            line.skipSpaces();
            boolean negative = line.skip('-');
            int digits = line.position();
            long value = line.nextNumber();
            if (line.position() == digits || !line.atWordEnd()) {
                break;
            }
            TaskColumn column = columns[count++];
            values[column.ordinal()] = negative ? column.negative(value) : value;
        }
        boolean cut = line.atEnd() && (nameFollows || count < columns.length);
        if (cut && count > 0) {
            values[columns[--count].ordinal()] = ABSENT;
        }
        return count >= TaskColumn.EVERYWHERE && (cut || count == columns.length);
    }

    private void add(int pid, TextCursor line) {
        long rss = values[TaskColumn.RSS.ordinal()];
        rssPages = NamedValues.sum(rssPages, Math.max(0, rss));
        rows++;
        if (largest.size() == MAX_TASKS) {
            if (rss <= largest.element().rssPages()) {
                return;
            }
            largest.remove();
        }
        if (!nameFollows) {
            skipNumbers(line);
        } else if (!line.atEnd()) {
            line.position(line.position() + 1); // one space; any further space belongs to the name
        }
        int nameEnd = Math.min(line.end(), line.position() + MAX_COMM_BYTES);
        largest.add(
                new TaskRow(rows, pid, values.clone(), Arrays.copyOfRange(line.buffer(), line.position(), nameEnd)));
    }

    /** The process' address space, in pages; empty if its row is not among the largest. */
    OptionalLong totalVmPages(int pid) {
        return largest.stream()
                .filter(row -> row.pid() == pid)
                .mapToLong(row -> row.get(TaskColumn.TOTAL_VM))
                .filter(pages -> pages > 0)
                .findFirst();
    }

    boolean isEmpty() {
        return rows == 0;
    }

    void addTo(Incident.Builder incident, PageSize pageSize) {
        if (isEmpty()) {
            return;
        }
        long listedPages = 0;
        for (TaskRow row : largest.stream().sorted(SMALLEST_FIRST.reversed()).toList()) {
            incident.addTasks(row.toTask(pageSize));
            listedPages += Math.max(0, row.rssPages());
        }
        if (rows > largest.size()) {
            TasksOmitted.Builder omitted = TasksOmitted.newBuilder().setCount(rows - largest.size());
            pageSize.ifBytes(rssPages - listedPages, omitted::setRssBytes);
            incident.setTasksOmitted(omitted);
        }
    }
}
