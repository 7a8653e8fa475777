package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ByteTextTest {

    @Test
    void showsEscapedBytesAsUtf8() {
        assertThat(text(64, "nginx")).hasToString("nginx");
        assertThat(text(64, "\\xe6\\x97\\xa5\\xe6\\x9c\\xac")).hasToString("\u65e5\u672c");
        assertThat(text(64, "\\xf0\\x9f\\x92\\xa5!")).hasToString("\ud83d\udca5!");
    }

    @Test
    void showsBytesThatAreNotUtf8Escaped() {
        assertThat(text(64, "caf\\xe9")).hasToString("caf\\xe9");
        assertThat(text(64, "\\xe6\\x97x\\xff\\xc0\\x80")).hasToString("\\xe6\\x97x\\xff\\xc0\\x80");
    }

    @Test
    void aBackslashThatTheKernelEscapedIsNotTheStartOfAnotherEscape() {
        assertThat(text(64, "a\\x5cx41")).hasToString("a\\x41");
    }

    @Test
    void whatOnlyLooksLikeAnEscapeStaysAsItIs() {
        assertThat(text(64, "\\x4")).hasToString("\\x4");
        assertThat(text(64, "\\xzz\\")).hasToString("\\xzz\\");
        assertThat(text(64, "\\y41")).hasToString("\\y41");
    }

    @Test
    void anEscapedNewlineIsANewline() {
        assertThat(text(15, "new\\x0aline")).hasToString("new\nline");
    }

    @Test
    void anEscapeCutByTheEndOfTheRangeStaysAsItIs() {
        ByteText text = new ByteText(15);

        text.set(Records.bytes("a\\x0a"), 0, 4);

        assertThat(text).hasToString("a\\x0");
    }

    @Test
    void fifteenEscapedBytesFitIntoFifteen() {
        ByteText text = text(15, "\\xe6".repeat(15));

        assertThat(text.isTruncated()).isFalse();
        assertThat(text).hasToString("\\xe6".repeat(15));
    }

    @Test
    void aTextThatDoesNotFitSaysThatItIsTruncated() {
        ByteText text = text(3, "abcd");

        assertThat(text.isTruncated()).isTrue();
        assertThat(text).hasToString("abc");
        text.set(Records.bytes("abc"), 0, 3);
        assertThat(text.isTruncated()).isFalse();
    }

    @Test
    void aCopyIntoLessRoomAndACopyOfATruncatedTextAreTruncated() {
        ByteText small = new ByteText(2);
        ByteText large = new ByteText(9);

        small.copyFrom(text(3, "abc"));
        large.copyFrom(small);

        assertThat(small.isTruncated()).isTrue();
        assertThat(large.isTruncated()).isTrue();
        assertThat(large).hasToString("ab");
    }

    @Test
    void aTruncatedTextEqualsNothingSinceItsEndIsUnknown() {
        assertThat(text(3, "abcd").contentEquals(text(3, "abcd"))).isFalse();
        assertThat(text(3, "abc").contentEquals(text(3, "abcd"))).isFalse();
        assertThat(text(3, "abc").contentEquals(text(9, "abc"))).isTrue();
        assertThat(text(3, "abc").contentEquals(text(9, "abcd"))).isFalse();
    }

    @Test
    void nothingIsLeftOfALongerTextBefore() {
        ByteText text = text(9, "a-longer-");

        text.copyFrom(text(9, "b"));
        assertThat(text).hasToString("b");
        text.clear();
        assertThat(text.isEmpty()).isTrue();
        assertThat(text).hasToString("");
    }

    private static ByteText text(int capacity, String escaped) {
        ByteText text = new ByteText(capacity);
        text.set(Records.bytes(escaped), 0, escaped.length());
        return text;
    }
}
