package dev.exit137.cli.why;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What a person asks about: the name or id prefix of a container, {@code namespace/pod[/container]}, a systemd unit, a
 * pid, or the prefix of an event's id. A prefix such as {@code unit:} decides between them.
 *
 * @param form what the text is; ANY without a prefix
 */
public record Subject(Form form, String text) {
    /** What the text of a subject can be. */
    public enum Form {
        /** Whatever fits. */
        ANY,
        /** A process id. */
        PID,
        /** A systemd unit; without a suffix, a service. */
        UNIT,
        /** Name or id prefix of a container outside of pods. */
        DOCKER,
        /** Namespace and name of a pod, or its name alone, and a container. */
        POD,
        /** The beginning of an event's id. */
        EVENT;

        private String prefix() {
            return name().toLowerCase(Locale.ROOT) + ":";
        }
    }

    /**
     * Something that the subject can mean.
     *
     * @param subject by which a person can ask for this alone
     * @param node the node; empty for a pod, which may move
     * @param exact whether the text is its whole name, rather than the beginning of an id
     */
    public record Meaning(String subject, String node, boolean exact) {
        /** Whether a filter of OOM kills can ask for it: there is none for a unit, a pid or a part of an id. */
        boolean isAskedByName() {
            return exact && (subject.startsWith(Form.POD.prefix()) || subject.startsWith(Form.DOCKER.prefix()));
        }
    }

    private static final Pattern UNIT_SUFFIX =
            Pattern.compile(".*\\.(service|scope|slice|socket|mount|swap|target|timer|path|device|automount)");
    private static final Pattern NUMBER = Pattern.compile("\\d{1,10}");
    private static final Pattern HEX = Pattern.compile("[0-9a-f]{4,64}");
    private static final Pattern EVENT_ID = Pattern.compile(".+/(exit|kmsg|cgroup|incident)/.*");

    /**
     * The subject that a person typed.
     *
     * @throws IllegalArgumentException it has no text, or one that its form does not allow; the message states the rule
     */
    public static Subject parse(String typed) {
        for (Form form : Form.values()) {
            if (form != Form.ANY && typed.startsWith(form.prefix())) {
                return checked(new Subject(form, typed.substring(form.prefix().length())));
            }
        }
        return checked(new Subject(Form.ANY, typed));
    }

    private static Subject checked(Subject subject) {
        if (subject.text().isBlank()) {
            throw new IllegalArgumentException(
                    "the subject is empty: give a container, namespace/pod, unit, pid or event id");
        }
        if (subject.form() == Form.PID && !NUMBER.matcher(subject.text()).matches()) {
            throw new IllegalArgumentException(
                    "'" + subject.text() + "' is not a pid: give a number, such as pid:4711");
        }
        if (subject.form() == Form.POD && subject.text().split("/", -1).length > 3) {
            throw new IllegalArgumentException(
                    "'" + subject.text() + "' is not a pod: give pod:NAMESPACE/POD or pod:NAMESPACE/POD/CONTAINER");
        }
        return subject;
    }

    private boolean is(Form asked) {
        return form == Form.ANY || form == asked;
    }

    /** Whether it can be a pid. */
    public boolean isPid() {
        return is(Form.PID) && NUMBER.matcher(text).matches();
    }

    /** Whether it can be a unit. */
    public boolean isUnit() {
        return form == Form.UNIT || (form == Form.ANY && !text.contains("/"));
    }

    /** Whether it can only be a unit. */
    public boolean isUnitForSure() {
        return form == Form.UNIT
                || (form == Form.ANY && UNIT_SUFFIX.matcher(text).matches());
    }

    /** Whether it can be a container outside of pods. */
    public boolean isDocker() {
        return form == Form.DOCKER || (form == Form.ANY && !text.contains("/"));
    }

    /** Whether it is a whole id of an event, or can be. */
    public boolean isEventId() {
        return form == Form.EVENT || (form == Form.ANY && EVENT_ID.matcher(text).matches());
    }

    /** Whether a host without an aggregator cannot know it: a pod, or an event. */
    public boolean isOfAnAggregator() {
        return form == Form.POD
                || form == Form.EVENT
                || (form == Form.ANY && (isEventId() || (text.contains("/") && isPod())));
    }

    /** The unit that the text means: a name without a suffix is a service, as for systemctl. */
    public String unitName() {
        return UNIT_SUFFIX.matcher(text).matches() ? text : text + ".service";
    }

    /** Namespace, pod and container, as far as the text has them. */
    public List<String> podParts() {
        return List.of(text.split("/", -1));
    }

    /** Whether it can be a pod. */
    public boolean isPod() {
        return form == Form.POD
                || (form == Form.ANY && !isEventId() && podParts().size() <= 3);
    }

    /** What the subject means if the event of these names is meant; empty if it is not. */
    Optional<Meaning> meaning(Names names) {
        if (isEventId() && names.eventId().startsWith(text)) {
            return Optional.of(new Meaning(
                    "event:" + names.eventId(), names.node(), names.eventId().equals(text)));
        }
        if (isPod() && names.isInPod()) {
            return podMeaning(names);
        }
        if (isDocker() && !names.isInPod() && !names.containerId().isEmpty()) {
            boolean named = names.container().equals(text);
            if (named || (HEX.matcher(text).matches() && names.containerId().startsWith(text))) {
                String name = names.container().isEmpty() ? names.containerId() : names.container();
                return Optional.of(new Meaning(
                        "docker:" + name,
                        names.node(),
                        named || names.containerId().equals(text)));
            }
        }
        if (isUnit() && names.containerId().isEmpty() && names.unit().equals(unitName())) {
            return Optional.of(new Meaning("unit:" + names.unit(), names.node(), true));
        }
        if (isPid() && names.pid().equals(text)) {
            return Optional.of(new Meaning("pid:" + names.pid(), names.node(), true));
        }
        return Optional.empty();
    }

    private Optional<Meaning> podMeaning(Names names) {
        List<String> parts = podParts();
        String whole = names.podName() + (names.container().isEmpty() ? "" : "/" + names.container());
        Optional<Meaning> container = Optional.of(new Meaning("pod:" + whole, "", true));
        Optional<Meaning> pod = Optional.of(new Meaning("pod:" + names.podName(), "", true));
        return switch (parts.size()) {
            case 3 ->
                isPod(names, parts.get(0), parts.get(1)) && names.container().equals(parts.get(2))
                        ? container
                        : Optional.empty();
            case 2 -> isPod(names, parts.get(0), parts.get(1)) ? pod : Optional.empty();
            default -> {
                if (names.pod().equals(text) || names.podUid().equals(text)) {
                    yield pod;
                }
                boolean id = HEX.matcher(text).matches() && names.containerId().startsWith(text);
                yield id || (form == Form.ANY && names.container().equals(text)) ? container : Optional.empty();
            }
        };
    }

    private static boolean isPod(Names names, String namespace, String pod) {
        return names.namespace().equals(namespace)
                && (names.pod().equals(pod) || names.podUid().equals(pod));
    }

    /** The text as it was typed. */
    @Override
    public String toString() {
        return form == Form.ANY ? text : form.prefix() + text;
    }
}
