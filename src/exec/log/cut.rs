//! Where bytes may be cut: between lines, or, in a line that is too long for that, between characters and never inside of an
//! escape sequence of a terminal.

const ESCAPE: u8 = 0x1b;
/// So far a sequence is looked for. The long ones set titles and links.
const SEQUENCE: usize = 256;

/// How many of these bytes may stay, when what follows them goes.
pub(super) fn last(window: &[u8]) -> usize {
    let line = memchr::memrchr(b'\n', window).or_else(|| memchr::memrchr(b'\r', window));
    line.map_or_else(|| last_in_line(window), |end| end + 1)
}

/// How many of these bytes go as well, when what stands before them goes.
pub(super) fn first(window: &[u8]) -> usize {
    let line = memchr::memchr(b'\n', window).or_else(|| memchr::memchr(b'\r', window));
    line.map_or_else(|| first_in_line(window), |end| end + 1)
}

fn last_in_line(window: &[u8]) -> usize {
    let from = window.len().saturating_sub(SEQUENCE);
    let open = memchr::memrchr(ESCAPE, &window[from..]).map(|at| from + at);
    if let Some(open) = open.filter(|&open| sequence(&window[open..]).is_none()) {
        return open;
    }
    let torn = window.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
    // Only the beginning of a character: what is no text at all is not shortened for it.
    let is_begun = window[window.len() - torn..].first().is_some_and(|byte| (0xc2..=0xf4).contains(byte));
    if is_begun { window.len() - torn } else { window.len() }
}

fn first_in_line(window: &[u8]) -> usize {
    // What stands here may be the end of a sequence whose beginning nobody sees.
    let mut at = window.len().min(SEQUENCE);
    if let Some(open) = memchr::memrchr(ESCAPE, &window[..at])
        && let Some(length) = sequence(&window[open..])
    {
        at = at.max(open + length);
    }
    let within = window[at..].iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
    at + within
}

/// The length of the escape sequence at the beginning, if all of it is here.
fn sequence(bytes: &[u8]) -> Option<usize> {
    let end = |from: usize, is_end: fn(&u8) -> bool| {
        bytes.get(from..)?.iter().position(is_end).map(|at| from + at + 1)
    };
    match bytes.get(1)? {
        b'[' => end(2, |byte| (0x40..=0x7e).contains(byte)),
        // Titles and links, up to a bell or `ESC \`.
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let bell = memchr::memchr(0x07, bytes).map(|at| at + 1);
            let string = memchr::memmem::find(&bytes[2..], b"\x1b\\").map(|at| at + 4);
            bell.into_iter().chain(string).min()
        }
        0x20..=0x2f => end(2, |byte| (0x30..=0x7e).contains(byte)),
        _ => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], kept: usize) {
        assert_eq!(last(text), kept, "{}", text.escape_ascii());
    }

    #[test]
    fn the_end_is_cut_behind_a_line() {
        check(b"one\ntwo\nthr", 8);
        check(b"one\n", 4);
        check(b"10%\r20%\r3", 8);
        check(b"a\nb\rc", 2);
        check(b"", 0);
    }

    #[test]
    fn a_long_line_is_cut_behind_a_character_or_a_sequence() {
        check(b"abc", 3);
        check("ab\u{e4}".as_bytes(), 4);
        check(&"ab\u{e4}".as_bytes()[..3], 2);
        check(&"ab\u{1f980}".as_bytes()[..5], 2);
        check(b"ab\xff\xff", 4);
        check(b"ab\x80\x80", 4);
        check(b"ab\x1b[31", 2);
        check(b"ab\x1b[31m", 7);
        check(b"ab\x1b", 2);
        check(b"ab\x1b]8;;http://x", 2);
        check(b"ab\x1b]8;;http://x\x1b\\", 17);
        check(b"ab\x1b]0;t\x07", 8);
    }

    #[track_caller]
    fn check_first(text: &[u8], gone: usize) {
        assert_eq!(first(text), gone, "{}", text.escape_ascii());
    }

    #[test]
    fn the_beginning_is_cut_behind_a_line_as_well() {
        check_first(b"ne\ntwo\n", 3);
        check_first(b"0%\r20%\r3", 3);
        let long = vec![b'x'; 1000];
        check_first(&long, SEQUENCE);
        let text = "\u{e4}".repeat(1000);
        check_first(text.as_bytes(), SEQUENCE);
        check_first(&text.as_bytes()[1..], SEQUENCE + 1);
        let mut coloured = long.clone();
        coloured[SEQUENCE - 3..SEQUENCE + 5].copy_from_slice(b"\x1b[38;2;m");
        check_first(&coloured, SEQUENCE + 5);
    }
}
