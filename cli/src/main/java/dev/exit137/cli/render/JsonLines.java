package dev.exit137.cli.render;

import com.google.gson.JsonObject;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;

/** The protobuf JSON mapping with its default settings, a message to a line. */
public final class JsonLines {
    private static final JsonFormat.Printer PRINTER = JsonFormat.printer().omittingInsignificantWhitespace();

    private JsonLines() {}

    /** The message as one line, without the newline. */
    public static String line(MessageOrBuilder message) {
        try {
            return PRINTER.print(message);
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError("only messages with an Any can fail, and exit137.v1 has none", e);
        }
    }

    /** The same with a first field {@code kind}, for lines of several kinds of messages. */
    public static String line(String kind, MessageOrBuilder message) {
        String line = line(message);
        return "{\"kind\":\"" + kind + "\"" + (line.equals("{}") ? "" : ",") + line.substring(1);
    }

    /** A fact beside events, as an object of the kind {@code fact}. */
    public static String fact(boolean certain, String text) {
        JsonObject fact = new JsonObject();
        fact.addProperty("kind", "fact");
        fact.addProperty("certain", certain);
        fact.addProperty("text", text);
        return fact.toString();
    }
}
