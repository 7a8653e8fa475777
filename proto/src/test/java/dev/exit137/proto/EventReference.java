package dev.exit137.proto;

import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.EnumDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** The tables of docs/events.md: the .proto files' own comments, for some messages and all that they hold. */
final class EventReference {
    private static final String PACKAGE = ".exit137.v1.";

    /** By full name, with a leading dot. */
    private final Map<String, DescriptorProto> messages = new HashMap<>();

    private final Map<String, EnumDescriptorProto> enums = new HashMap<>();
    /** Of a message or enum by its full name, of a field or value with `.` and its name behind it. */
    private final Map<String, String> comments = new HashMap<>();

    /** @param descriptors protoc's descriptor set, with source info: that is where comments are */
    EventReference(FileDescriptorSet descriptors) {
        for (FileDescriptorProto file : descriptors.getFileList()) {
            Map<List<Integer>, String> byPath = new HashMap<>();
            file.getSourceCodeInfo()
                    .getLocationList()
                    .forEach(location -> byPath.put(location.getPathList(), oneLine(location.getLeadingComments())));
            for (int i = 0; i < file.getMessageTypeCount(); i++) {
                add(
                        file.getMessageType(i),
                        "." + file.getPackage(),
                        List.of(FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, i),
                        byPath);
            }
            for (int i = 0; i < file.getEnumTypeCount(); i++) {
                add(
                        file.getEnumType(i),
                        "." + file.getPackage(),
                        List.of(FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, i),
                        byPath);
            }
        }
    }

    private void add(DescriptorProto message, String scope, List<Integer> path, Map<List<Integer>, String> byPath) {
        String name = scope + "." + message.getName();
        messages.put(name, message);
        comments.put(name, byPath.getOrDefault(path, ""));
        for (int i = 0; i < message.getFieldCount(); i++) {
            comments.put(
                    name + "." + message.getField(i).getName(),
                    byPath.getOrDefault(child(path, DescriptorProto.FIELD_FIELD_NUMBER, i), ""));
        }
        for (int i = 0; i < message.getNestedTypeCount(); i++) {
            add(message.getNestedType(i), name, child(path, DescriptorProto.NESTED_TYPE_FIELD_NUMBER, i), byPath);
        }
        for (int i = 0; i < message.getEnumTypeCount(); i++) {
            add(message.getEnumType(i), name, child(path, DescriptorProto.ENUM_TYPE_FIELD_NUMBER, i), byPath);
        }
    }

    private void add(EnumDescriptorProto values, String scope, List<Integer> path, Map<List<Integer>, String> byPath) {
        String name = scope + "." + values.getName();
        enums.put(name, values);
        comments.put(name, byPath.getOrDefault(path, ""));
        for (int i = 0; i < values.getValueCount(); i++) {
            comments.put(
                    name + "." + values.getValue(i).getName(),
                    byPath.getOrDefault(child(path, EnumDescriptorProto.VALUE_FIELD_NUMBER, i), ""));
        }
    }

    private static List<Integer> child(List<Integer> path, int field, int index) {
        var child = new ArrayList<>(path);
        child.add(field);
        child.add(index);
        return child;
    }

    /** A section for each message, in the order in which they are met, then for each enum. */
    String of(String... roots) {
        Set<String> met = new LinkedHashSet<>();
        Set<String> metEnums = new LinkedHashSet<>();
        for (String root : roots) {
            Deque<String> left = new ArrayDeque<>(List.of(PACKAGE + root));
            while (!left.isEmpty()) {
                String name = left.remove();
                if (met.add(name)) {
                    for (String type : typesOf(messages.get(name))) {
                        if (messages.containsKey(type)) {
                            left.add(type);
                        } else if (enums.containsKey(type)) {
                            metEnums.add(type);
                        }
                    }
                }
            }
        }
        var text = new StringBuilder();
        met.forEach(name -> section(text, name, messages.get(name)));
        metEnums.forEach(name -> section(text, name, enums.get(name)));
        return text.toString();
    }

    private Collection<String> typesOf(DescriptorProto message) {
        return message.getFieldList().stream()
                .map(field -> isMap(message, field) ? entry(message, field).getField(1) : field)
                .map(FieldDescriptorProto::getTypeName)
                .toList();
    }

    private void section(StringBuilder text, String name, DescriptorProto message) {
        text.append("\n### ")
                .append(simple(name))
                .append("\n\n")
                .append(comment(name))
                .append("\n\n");
        text.append("| field | type | |\n|---|---|---|\n");
        List<FieldDescriptorProto> fields = message.getFieldList();
        for (int i = 0; i < fields.size(); ) {
            // A comment stands for the fields of the same type behind it that have none, too.
            String type = type(message, fields.get(i));
            var names = new StringBuilder(code(fields.get(i).getName()));
            int next = i + 1;
            for (;
                    next < fields.size()
                            && !hasComment(name, fields.get(next).getName())
                            && type(message, fields.get(next)).equals(type);
                    next++) {
                names.append(", ").append(code(fields.get(next).getName()));
            }
            row(text, names, type, comment(name + "." + fields.get(i).getName()));
            i = next;
        }
    }

    private void section(StringBuilder text, String name, EnumDescriptorProto values) {
        text.append("\n### ")
                .append(simple(name))
                .append("\n\n")
                .append(comment(name))
                .append("\n\n");
        text.append("| value | |\n|---|---|\n");
        values.getValueList().forEach(value -> row(text, code(value.getName()), comment(name + "." + value.getName())));
    }

    private static void row(StringBuilder text, CharSequence... cells) {
        for (CharSequence cell : cells) {
            text.append("| ").append(cell.toString().replace("|", "\\|")).append(' ');
        }
        text.append("|\n");
    }

    private boolean hasComment(String name, String field) {
        return !comments.get(name + "." + field).isEmpty();
    }

    private String comment(String name) {
        String comment = comments.get(name);
        if (comment.isEmpty()) {
            throw new IllegalStateException("no comment in the .proto for " + name);
        }
        return comment;
    }

    private String type(DescriptorProto message, FieldDescriptorProto field) {
        if (isMap(message, field)) {
            DescriptorProto entry = entry(message, field);
            return "map of " + plain(entry.getField(0)) + " to " + plain(entry.getField(1));
        }
        boolean repeated = field.getLabel() == FieldDescriptorProto.Label.LABEL_REPEATED;
        return (repeated ? "repeated " : field.getProto3Optional() ? "optional " : "") + plain(field);
    }

    private String plain(FieldDescriptorProto field) {
        String name = field.getTypeName();
        if (name.isEmpty()) {
            return field.getType().name().substring("TYPE_".length()).toLowerCase(Locale.ROOT);
        }
        if (!name.startsWith(PACKAGE)) {
            return simple(name);
        }
        return "[" + simple(name) + "](#" + simple(name).replace(".", "").toLowerCase(Locale.ROOT) + ")";
    }

    private static boolean isMap(DescriptorProto message, FieldDescriptorProto field) {
        return entry(message, field) != null;
    }

    /** protobuf writes a map as a repeated message of key and value that is nested in the message; else null. */
    private static DescriptorProto entry(DescriptorProto message, FieldDescriptorProto field) {
        return message.getNestedTypeList().stream()
                .filter(nested ->
                        nested.getOptions().getMapEntry() && field.getTypeName().endsWith("." + nested.getName()))
                .findFirst()
                .orElse(null);
    }

    private static String simple(String name) {
        return name.startsWith(PACKAGE) ? name.substring(PACKAGE.length()) : name.substring(name.lastIndexOf('.') + 1);
    }

    private static String code(String text) {
        return "`" + text + "`";
    }

    private static String oneLine(String comment) {
        return comment.strip().replaceAll("\\s*\\n\\s*", " ");
    }
}
