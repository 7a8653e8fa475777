package dev.exit137.oomreport.explain;

/**
 * The result of a rule.
 *
 * @param sentence the reason for the OOM; empty where it is worth no sentence
 * @param advice the recommended action, the same words for every OOM; empty for none. Holds no {@code ": "}
 * @param evidence the numbers and names that support the advice
 */
record Finding(String sentence, String advice, String evidence) {
    static Finding sentence(String sentence) {
        return new Finding(sentence, "", "");
    }

    static Finding advice(String advice, String evidence) {
        return new Finding("", advice, evidence);
    }

    String recommendation() {
        return advice + Explainer.EVIDENCE_FOLLOWS + evidence;
    }
}
