//! The forms in which a secret may show itself: as it is, line by line, and as common programs encode it in passing.
//!
//! Compression, encryption and a secret taken apart by its owner are out of reach, and so is what a program was told
//! to print one character at a time with something in between.

use std::collections::BTreeSet;

/// A shorter value is in every second word; masking it would leave nothing to read.
const SHORTEST: usize = 3;
/// A line of a longer value must be this long to be a secret by itself: `}` and `EOF` are not.
const SHORTEST_LINE: usize = 4;
/// Fewer characters of base64 stand in many a word, and tell at most three bytes.
const SHORTEST_BASE64: usize = 6;

/// Everything that is masked for one secret; nothing for one that is too short.
pub(super) fn forms(value: &str) -> BTreeSet<Vec<u8>> {
    // Files end with a newline that nobody counts as part of the secret.
    let value = value.trim_matches(['\r', '\n']);
    if value.len() < SHORTEST {
        return BTreeSet::new();
    }
    let mut texts = vec![value.to_owned()];
    texts.extend(lines(value));
    texts.extend(quoted(value));
    texts.extend(json(value));
    texts.extend(percent(value));
    texts.extend(hex(value));
    texts.extend(base64(value));
    texts.into_iter().map(String::into_bytes).collect()
}

/// A private key that is printed line by line, indented or with other line ends is still the key.
fn lines(value: &str) -> impl Iterator<Item = String> {
    let lines = value.split(['\n', '\r']).map(str::trim);
    lines.filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned)
}

/// As shells show a word with quotes in it when they trace what they do.
fn quoted(value: &str) -> [String; 2] {
    [r"'\''", r#"'"'"'"#].map(|quote| value.replace('\'', quote))
}

/// Inside a JSON string. Writers differ in whether they escape slashes, what is not ASCII, and what HTML minds.
fn json(value: &str) -> Vec<String> {
    let plain = serde_json::Value::from(value).to_string();
    let mut all = vec![plain[1..plain.len() - 1].to_owned()];
    let mut vary = |change: &dyn Fn(&str) -> String| {
        let changed: Vec<String> = all.iter().map(|form| change(form)).collect();
        all.extend(changed);
    };
    vary(&|form| form.replace('/', r"\/"));
    vary(&|form| escape(form, |c| matches!(c, '<' | '>' | '&')));
    vary(&|form| escape(form, |c| !c.is_ascii()));
    // Programs that write the digits of an escape in upper case do so everywhere.
    let upper: Vec<String> = all.iter().map(|form| upper_escapes(form)).collect();
    all.extend(upper);
    all
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut units = [0; 2];
    let mut out = String::new();
    for c in text.chars() {
        if is_escaped(c) {
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

fn upper_escapes(text: &str) -> String {
    let mut parts = text.split(r"\u");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(4).unwrap_or((part, ""));
        out.extend([r"\u", &digits.to_ascii_uppercase(), rest]);
    }
    out
}

/// In an address or a form. Writers differ in which characters they leave alone.
fn percent(value: &str) -> Vec<String> {
    // RFC 3986, forms, a path, `encodeURIComponent` and `encodeURI`.
    let kept = ["-._~", "-._*", "-._~/", "-._~!*'()", "-._~!*'();,/?:@&=+$#"];
    let mut all = Vec::new();
    for kept in kept {
        for space in ["%20", "+"] {
            all.push(percent_encoded(value, kept, space, |byte| format!("%{byte:02X}")));
            all.push(percent_encoded(value, kept, space, |byte| format!("%{byte:02x}")));
        }
    }
    all
}

fn percent_encoded(value: &str, kept: &str, space: &str, code: impl Fn(u8) -> String) -> String {
    let encode = |byte: u8| match byte {
        b' ' => space.to_owned(),
        _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => char::from(byte).to_string(),
        _ => code(byte),
    };
    value.bytes().map(encode).collect()
}

fn hex(value: &str) -> [String; 2] {
    let lower: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let upper = lower.to_ascii_uppercase();
    [lower, upper]
}

/// In base64 by itself or inside something longer, which shifts it by none, one or two bytes; in both alphabets.
fn base64(value: &str) -> Vec<String> {
    let mut all = Vec::new();
    for shift in 0..3 {
        // What a shell encodes often has a newline at its end.
        for end in ["", "\n"] {
            let text = [&b"\0\0"[..shift], value.as_bytes(), end.as_bytes()].concat();
            let text = base64_encoded(&text);
            // The characters before hold bits of something else, and so does the one after the whole ones.
            let text = &text[[0, 2, 3][shift]..];
            let whole = (shift + value.len()) * 4 / 3 - [0, 2, 3][shift];
            all.extend([&text[..whole], text.trim_end_matches('='), text].map(str::to_owned));
            all.extend([64, 76].into_iter().filter(|_| shift == 0).flat_map(|width| rows(text, width)));
        }
    }
    all.retain(|form| form.len() >= SHORTEST_BASE64);
    let other: Vec<String> = all.iter().map(|form| form.replace('+', "-").replace('/', "_")).collect();
    all.extend(other);
    all
}

/// Programs that encode a file break the result into rows.
fn rows(text: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(width).map(|row| row.iter().collect()).collect()
}

fn base64_encoded(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &[&str]) {
        let forms = forms(value);
        for form in expected {
            assert!(forms.contains(form.as_bytes()), "{form:?} is no form of {value:?}: {}", list(&forms));
        }
    }

    fn list(forms: &BTreeSet<Vec<u8>>) -> String {
        forms.iter().map(|form| format!("\n{}", String::from_utf8_lossy(form))).collect()
    }

    #[test]
    fn what_is_too_short_has_no_form() {
        for short in ["", "a", "ab", "ab\n", "\r\nab\r\n", "\n\n\n\n"] {
            assert_eq!(forms(short).len(), 0, "{short:?}");
        }
        check("abc\n", &["abc", "616263"]);
    }

    #[test]
    fn a_plain_word_has_few_forms() {
        // Itself, hex, and three alignments of base64 with their ends.
        let forms = forms("hunter2");
        assert!(forms.len() <= 16, "{}", list(&forms));
    }

    #[test]
    fn lines_count_for_themselves() {
        check("-----BEGIN\r\n  b3BlbnNz\nEOF\n}", &["-----BEGIN", "b3BlbnNz"]);
        let forms = forms("-----BEGIN\r\n  b3BlbnNz\nEOF\n}");
        assert!(!forms.contains(b"EOF".as_slice()) && !forms.contains(b"}".as_slice()));
    }

    #[test]
    fn base64_is_known_wherever_it_stands() {
        // Of `printf`, of `echo`, and behind one byte and two.
        check("hunter2", &["aHVudGVyMg==", "aHVudGVyMg", "aHVudGVyMgo=", "aHVudGVyM"]);
        check("hunter2", &["h1bnRlcjI", "h1bnRlcjI=", "odW50ZXIy"]);
        check("~~~???", &["fn5+Pz8/", "fn5-Pz8_"]);
    }

    #[test]
    fn encodings_are_those_of_real_programs() {
        check(
            "a b/c?d~e*\u{e4}",
            &["a%20b%2Fc%3Fd~e%2A%C3%A4", "a+b%2fc%3fd%7ee*%c3%a4", "a%20b/c%3Fd~e%2A%C3%A4"],
        );
        check("a\"b\\c\nd", &[r#"a\"b\\c\nd"#]);
        check(
            "d/\u{e4}\u{1f980}<",
            &[r"d\/\u00e4\ud83e\udd80\u003c", "d/\\u00E4\\uD83E\\uDD80<", "d/\u{e4}\u{1f980}\\u003C"],
        );
        check("it's", &[r"it'\''s", r#"it'"'"'s"#, "69742773"]);
        check("j\u{f6}k", &["6ac3b66b", "6AC3B66B"]);
    }

    #[test]
    fn rows_of_base64_count_for_themselves() {
        let key: String = ('a'..='z').cycle().take(200).collect();
        let encoded = base64_encoded(key.as_bytes());
        for width in [64, 76] {
            for row in rows(&encoded, width) {
                check(&key, &[&row]);
            }
        }
    }
}
