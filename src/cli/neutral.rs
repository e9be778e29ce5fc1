//! Output of tasks, made harmless for a terminal: colours stay, everything else that steers a terminal goes.
//! Pure: text in, text out.

/// One line, without its end. Cursor movements, titles, links and what else a sequence can do are left out; a control
/// character that is left over, or a mark that turns the direction of text, is shown as a replacement character.
pub(crate) fn line(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut is_coloured = false;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '\x1b' => {
                let length = sequence(rest);
                let whole = &rest[..length];
                if is_colour(whole) {
                    clean.push_str(whole);
                    is_coloured = true;
                }
                length
            }
            letter => {
                clean.push(if is_harmful(letter) { '\u{fffd}' } else { letter });
                letter.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    if is_coloured {
        clean.push_str("\x1b[0m");
    }
    clean
}

fn is_harmful(letter: char) -> bool {
    let turns_text = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (letter.is_control() && letter != '\t') || turns_text
}

/// How long the escape sequence is that `text` begins with; one that is cut off goes to the end.
fn sequence(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = |from: usize, is_end: fn(u8) -> bool| {
        bytes[from..].iter().position(|&byte| is_end(byte)).map_or(bytes.len(), |at| from + at + 1)
    };
    let length = match bytes.get(1) {
        None => 1,
        Some(b'[') => end(2, |byte| (0x40..=0x7e).contains(&byte)),
        // Titles, links and their like end with BEL or with the beginning of ESC \.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => match end(2, |byte| byte == 0x07 || byte == 0x1b) {
            at if bytes[at - 1] == 0x1b && bytes.get(at) == Some(&b'\\') => at + 1,
            at => at,
        },
        Some(_) => 2,
    };
    // Only whole characters are left out.
    (length.min(bytes.len())..=bytes.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(bytes.len())
}

fn is_colour(sequence: &str) -> bool {
    let inside = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('m'));
    inside.is_some_and(|inside| {
        inside.bytes().all(|byte| byte.is_ascii_digit() || byte == b';' || byte == b':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(line(text), expected, "{text:?}");
    }

    #[test]
    fn only_colours_are_left() {
        check("plain\ttext ä", "plain\ttext ä");
        check("\x1b[31mred", "\x1b[31mred\x1b[0m");
        check("\x1b[38;2;1;2;3mx\x1b[m", "\x1b[38;2;1;2;3mx\x1b[m\x1b[0m");
        check("a\x1b[2Jb\x1b[10;1Hc\x1b[?25ld", "abcd");
        check("\x1b]0;title\x07x\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\z", "xyz");
        check("\x1bPq#0\x1b\\sixel", "sixel");
        check("\x1bcreset", "reset");
        check("\x1bäö", "ö");
        check("bell\x07 \u{9b}31m \u{202e}", "bell\u{fffd} \u{fffd}31m \u{fffd}");
        check("cut\x1b[31", "cut");
        check("cut\x1b", "cut");
        check("\x1b]never ends", "");
        check("\x1b[31\nm", "");
    }
}
