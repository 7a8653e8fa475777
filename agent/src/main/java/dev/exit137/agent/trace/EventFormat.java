package dev.exit137.agent.trace;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A {@code format} file of tracefs: where the fields of a record are
 * (<a href="https://docs.kernel.org/trace/events.html#event-formats">Event formats</a>).
 *
 * @param file whose content it is
 * @param id the type in the records of this event; -1 if the file has none, as {@code header_page}
 * @param fields by name
 */
record EventFormat(Path file, int id, Map<String, Field> fields) {
    static final int NO_ID = -1;
    /** The header of a page is followed by the records; nothing of a record is behind this offset. */
    private static final int MAX_OFFSET = 1 << 20;

    private static final Pattern ID = Pattern.compile("(?m)^ID: (\\d{1,5})$");
    // field:char comm[16];	offset:20;	size:16;	signed:0;
    private static final Pattern FIELD = Pattern.compile(
            "field:[^;]*?(?<name>\\w+)(?:\\[[^\\]]*\\])?;\\s*offset:(?<offset>\\d{1,7});\\s*size:(?<size>\\d{1,7});");

    /** A field. */
    record Field(int offset, int size) {}

    /** @throws IOException if it cannot be read, or a field is outside of every record; the message names the file */
    static EventFormat read(Path file) throws IOException {
        String text = TraceFile.read(file);
        Matcher id = ID.matcher(text);
        Map<String, Field> fields = new HashMap<>();
        Matcher field = FIELD.matcher(text);
        while (field.find()) {
            int offset = Integer.parseInt(field.group("offset"));
            int size = Integer.parseInt(field.group("size"));
            if (offset > MAX_OFFSET || size > MAX_OFFSET) {
                throw new IOException(file + " has a field outside of every record: " + field.group());
            }
            fields.put(field.group("name"), new Field(offset, size));
        }
        return new EventFormat(file, id.find() ? Integer.parseInt(id.group(1)) : NO_ID, Map.copyOf(fields));
    }

    /** @throws IOException if the file has no id */
    int requireId() throws IOException {
        if (id == NO_ID) {
            throw new IOException(file + " has no ID");
        }
        return id;
    }

    /** @throws IOException if there is no such field */
    Field require(String name) throws IOException {
        Field field = fields.get(name);
        if (field == null) {
            throw new IOException(file + " has no field `" + name + "`");
        }
        return field;
    }

    /**
     * The offset of a field.
     *
     * @throws IOException if there is no such field, or it has another size
     */
    int offset(String name, int size) throws IOException {
        Field field = require(name);
        if (field.size() != size) {
            throw new IOException(file + ": the field `" + name + "` has " + field.size() + " bytes, and not " + size);
        }
        return field.offset();
    }
}
