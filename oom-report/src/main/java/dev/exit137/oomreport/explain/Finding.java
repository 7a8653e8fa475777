package dev.exit137.oomreport.explain;

/**
 * What a rule found.
 *
 * @param sentence why it came to the OOM; empty where it is worth no sentence
 * @param advice what to do about it, the same words for every OOM; empty for nothing. Holds no {@code ": "}
 * @param evidence the numbers and names that the advice follows from
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
