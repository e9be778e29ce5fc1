//! Bytes without sense, and texts with something done to them.

use super::Rng;

/// What means something to YAML, to a shell, to Lua, or to whoever draws text.
pub(crate) const PIECES: [&str; 96] = [
    ": ",
    ":",
    "- ",
    "-",
    "? ",
    "?",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\n  ",
    "\n    ",
    "\t",
    " ",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ",",
    "&a ",
    "*a",
    "&",
    "*",
    "!",
    "!!str ",
    "!x ",
    "!<",
    "|\n",
    ">\n",
    "|-\n",
    ">+\n",
    "|2\n",
    "|9-\n",
    "'",
    "''",
    "\"",
    "\\",
    "\\x",
    "\\u12",
    "\\U0010ffff",
    "\\\n",
    " #",
    "#",
    "%",
    "%YAML 1.2\n---\n",
    "@",
    "`",
    "---\n",
    "...\n",
    "\n--- ",
    "<<: ",
    "<<: *a",
    "~",
    "null",
    "true",
    "yes",
    "0x1F",
    "0o17",
    "1e400",
    "-.inf",
    ".nan",
    "007",
    "18446744073709551616",
    "${{ ",
    "}}",
    "${{ params.a }}",
    "${{ raw(x) }}",
    "${",
    "$(",
    "$((",
    "`x`",
    "<<EOF\n",
    "\nEOF\n",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
    "\u{0}",
    "\u{1b}[31m",
    "\u{202e}",
    "é",
    "日本",
    "e\u{301}",
    "👩‍👩‍👧",
    "run: ",
    "tasks:\n  a: ",
    "steps: [",
    "x-y: ",
    "depends_on: ",
    "schedule: ",
    "* * * * *",
    "5m",
    "retry: ",
    "\u{ffff}",
];

/// Longer inputs would only be slower to try; the large ones have tests of their own.
const LONGEST: usize = 64 << 10;

/// Bytes without sense: any, only printable ones, or only what means something.
pub(crate) fn raw(rng: &mut Rng) -> Vec<u8> {
    let length = 1 << rng.below(9);
    let length = rng.below(length) + 1;
    match rng.below(4) {
        0 => (0..length).map(|_| rng.below(256) as u8).collect(),
        1 => (0..length).map(|_| b' ' + rng.below(95) as u8).collect(),
        2 => (0..length / 4 + 1).flat_map(|_| rng.word(&PIECES).as_bytes()).copied().collect(),
        _ => {
            let few: Vec<&str> = (0..3).map(|_| rng.word(&PIECES)).collect();
            (0..length / 2 + 1).flat_map(|_| rng.pick(&few).as_bytes()).copied().collect()
        }
    }
}

/// One of these texts with something done to it, at times nothing.
pub(crate) fn mutated(rng: &mut Rng, texts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = rng.pick(texts).clone();
    let times = rng.below(6);
    for _ in 0..times {
        mutate(rng, &mut bytes, texts);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, texts: &[Vec<u8>]) {
    let at = rng.below(bytes.len() + 1);
    let end = at + rng.below(8.min(bytes.len() - at) + 1);
    match rng.below(14) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
        1 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
        2 => drop(bytes.drain(at..end)),
        3 => drop(bytes.drain(at..at + rng.below(bytes.len() - at + 1))),
        4 => {
            let line = line_around(bytes, at);
            let copy = bytes[line.clone()].to_vec();
            drop(bytes.splice(line.end..line.end, copy));
        }
        5 => drop(bytes.drain(line_around(bytes, at))),
        6 => {
            let other = rng.pick(texts);
            let from = rng.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        7 => {
            let other = rng.pick(texts);
            let line = line_around(other, rng.below(other.len() + 1));
            let place = line_around(bytes, at).start;
            drop(bytes.splice(place..place, other[line].iter().copied()));
        }
        8 => {
            // The indentation of one line.
            let place = line_around(bytes, at).start;
            match bytes.get(place) {
                Some(b' ') if rng.one_in(2) => drop(bytes.remove(place)),
                _ => bytes.insert(place, b' '),
            }
        }
        9 if rng.one_in(20) => {
            let piece = bytes[at..end].to_vec();
            let count = (LONGEST / (1 + piece.len())) >> rng.below(8);
            drop(bytes.splice(at..at, piece.repeat(count)));
        }
        _ => drop(bytes.splice(at..end.min(at + rng.below(3)), rng.word(&PIECES).bytes())),
    }
}

/// The line that holds this place, with its end.
fn line_around(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let end =
        bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |newline| at + newline + 1);
    start..end
}
