//! Keeping secrets out of what is written: every form of every secret becomes `***`, in whatever pieces it comes.
//!
//! Where secrets overlap or touch, all of them go, and one `***` stands for them together. So the longest wins, and
//! no end of one shows behind another.

use super::forms::forms;
use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Replaces secrets by `***` in a stream of bytes, whatever pieces it comes in.
///
/// A secret is masked as it is, line by line, and in base64, hex, percent-encoding, JSON and shell quotes. Newlines
/// around it do not count. A value of less than 3 bytes is not masked, because it is in every second word.
///
/// It is not printable on purpose.
///
/// ```
/// use neap::exec::Masks;
/// let masks = Masks::new(["hunter2"]);
/// assert_eq!(masks.text("user:hunter2 is dXNlcjpodW50ZXIy"), "user:*** is dXNlcjp***");
/// ```
#[derive(Clone, Default)]
pub struct Masks(Option<Arc<Secrets>>);

/// Finds the forms of all secrets at once, in one pass.
struct Secrets {
    /// As they were given.
    plain: Vec<String>,
    automaton: NFA,
    start: StateID,
    /// How many of the last bytes may be the beginning of a secret, for each state of the automaton.
    depths: HashMap<StateID, usize>,
}

const STARS: &[u8] = b"***";
/// How much of a piece is looked at in one go, so that little is copied at once.
const STEP: usize = 4096;

impl Masks {
    /// Masks all of these. None at all, or only ones that are too short, cost nothing.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Masks {
        let plain: Vec<String> = secrets.into_iter().map(|secret| secret.as_ref().to_owned()).collect();
        let all: BTreeSet<Vec<u8>> = plain.iter().flat_map(|secret| forms(secret)).collect();
        Masks((!all.is_empty()).then(|| Arc::new(Secrets::new(plain, &all))))
    }

    /// The secrets themselves, for whoever masks in another process.
    pub(super) fn secrets(&self) -> &[String] {
        self.0.as_deref().map_or(&[], |secrets| &secrets.plain)
    }

    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A whole text without its secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let masked = self.bytes(text.as_bytes());
        if masked == text.as_bytes() {
            return Cow::Borrowed(text);
        }
        // Secrets are text, so what is left between them is text as well.
        Cow::Owned(String::from_utf8_lossy(&masked).into_owned())
    }

    /// The beginning of a stream that comes in pieces.
    pub fn stream(&self) -> MaskStream {
        MaskStream(self.0.clone().map(Masking::new))
    }

    fn bytes(&self, whole: &[u8]) -> Vec<u8> {
        let (mut stream, mut masked) = (self.stream(), Vec::with_capacity(whole.len()));
        stream.feed(whole, &mut masked);
        stream.finish(&mut masked);
        masked
    }
}

/// A stream without its secrets. Only what may be the beginning of a secret is held back.
pub struct MaskStream(Option<Masking>);

struct Masking {
    secrets: Arc<Secrets>,
    state: StateID,
    /// The end of what came, not passed on yet.
    held: Vec<u8>,
    /// What is secret in it: in order, and with something between each two.
    hidden: Vec<Range<usize>>,
    /// The stars for the first of these have been passed on already.
    is_shown: bool,
}

impl MaskStream {
    /// Takes a piece, and adds to `out` all that can be told from a secret by now.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Some(masking) => piece.chunks(STEP).for_each(|step| masking.feed(step, out)),
            None => out.extend_from_slice(piece),
        }
    }

    /// Adds what is left. Another stream may begin then.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(masking) = &mut self.0 {
            masking.pass(masking.held.len(), out);
            *masking = Masking::new(Arc::clone(&masking.secrets));
        }
    }
}

impl Masking {
    fn new(secrets: Arc<Secrets>) -> Masking {
        let state = secrets.start;
        Masking { secrets, state, held: Vec::new(), hidden: Vec::new(), is_shown: false }
    }

    fn feed(&mut self, step: &[u8], out: &mut Vec<u8>) {
        let begin = self.held.len();
        self.held.extend_from_slice(step);
        for (at, &byte) in step.iter().enumerate() {
            self.state = self.secrets.automaton.next_state(Anchored::No, self.state, byte);
            if self.secrets.automaton.is_match(self.state) {
                let end = begin + at + 1;
                self.hide(end - self.secrets.longest(self.state)..end);
            }
        }
        self.pass(self.held.len() - self.secrets.depth(self.state), out);
    }

    /// Takes in another secret part; the parts it touches become one with it.
    fn hide(&mut self, mut part: Range<usize>) {
        while let Some(last) = self.hidden.pop_if(|last| last.end >= part.start) {
            part.start = part.start.min(last.start);
        }
        self.hidden.push(part);
    }

    /// Passes on what stands before `safe`, where no secret can begin any more that is not known.
    fn pass(&mut self, safe: usize, out: &mut Vec<u8>) {
        let mut at = 0;
        let (mut later, mut is_shown) = (Vec::new(), false);
        for (index, part) in std::mem::take(&mut self.hidden).into_iter().enumerate() {
            if part.start > safe {
                later.push(part.start - safe..part.end - safe);
                continue;
            }
            if !(index == 0 && self.is_shown) {
                out.extend_from_slice(&self.held[at..part.start]);
                out.extend_from_slice(STARS);
            }
            at = part.end.min(safe);
            // A secret that touches this one may still come, and gets no stars of its own.
            if part.end >= safe {
                later.push(0..part.end - safe);
                is_shown = true;
            }
        }
        out.extend_from_slice(&self.held[at..safe]);
        self.held.drain(..safe);
        (self.hidden, self.is_shown) = (later, is_shown);
    }
}

impl Secrets {
    fn new(plain: Vec<String>, forms: &BTreeSet<Vec<u8>>) -> Secrets {
        let automaton = NFA::new(forms).unwrap_or_else(|_| Secrets::everything());
        let start = automaton.start_state(Anchored::No).expect("this automaton may begin anywhere");
        let mut depths = HashMap::new();
        for form in forms {
            let mut state = start;
            for (at, &byte) in form.iter().enumerate() {
                state = automaton.next_state(Anchored::No, state, byte);
                depths.insert(state, at + 1);
            }
        }
        Secrets { plain, automaton, start, depths }
    }

    /// Gigabytes of secrets are more than an automaton can hold. Then nothing is shown at all.
    fn everything() -> NFA {
        NFA::new((0..=u8::MAX).map(|byte| [byte])).expect("256 bytes are few")
    }

    /// The length of the longest secret that ends here.
    fn longest(&self, state: StateID) -> usize {
        let ends = 0..self.automaton.match_len(state);
        let lengths = ends.map(|end| self.automaton.pattern_len(self.automaton.match_pattern(state, end)));
        lengths.max().unwrap_or(0)
    }

    fn depth(&self, state: StateID) -> usize {
        self.depths.get(&state).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// In one piece, byte by byte, and as text.
    #[track_caller]
    fn check(secrets: &[&str], text: &str, expected: &str) {
        let masks = Masks::new(secrets);
        assert_eq!(masks.text(text), expected, "{text:?} without {secrets:?}");
        for size in [1, 2, 3, 7] {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(String::from_utf8(streamed(&masks, &pieces)).unwrap(), expected, "by {size}");
        }
    }

    fn streamed(masks: &Masks, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut stream, mut out) = (masks.stream(), Vec::new());
        pieces.iter().for_each(|piece| stream.feed(piece, &mut out));
        stream.finish(&mut out);
        out
    }

    #[test]
    fn secrets_become_stars() {
        check(&["hunter2"], "hunter2", "***");
        check(&["hunter2"], "a hunter2, a hunter3 and a hunter", "a ***, a hunter3 and a hunter");
        check(&["hunter2\n"], "hunter2\nhunter2\n", "***\n***\n");
        check(&["hunter2"], "hunthunter2unter2", "hunt***unter2");
        check(&["a", "", "ab", "\n"], "a\nab\n", "a\nab\n");
        check(&[], "nothing", "nothing");
        check(&["\u{e4}\u{f6}\u{fc}"], "\u{e4}\u{e4}\u{f6}\u{fc}\u{fc}", "\u{e4}***\u{fc}");
    }

    #[test]
    fn overlapping_secrets_go_together() {
        check(&["abc", "abcdef"], "abcdef abcde abc", "*** ***de ***");
        check(&["abcX", "bcXsecret"], "abcXsecret", "***");
        check(&["bcd", "abcde"], "abcde abcd", "*** a***");
        check(&["aaa"], "aa aaaa aaaaaaa", "aa *** ***");
        check(&["abc", "xyz"], "abcxyz abc xyz", "*** *** ***");
        check(&["abab"], "abababab", "***");
    }

    #[test]
    fn a_key_goes_line_by_line() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkq\n-----END KEY-----\n";
        check(&[key], key, "***\n");
        check(&[key], "1: MIIEvQIBADAN\r\n2: Bgkq\r\n", "1: ***\r\n2: ***\r\n");
        check(&[&key.replace('\n', "\r\n")], &key[20..], "***\n***\n***\n");
    }

    #[test]
    fn only_the_beginning_of_a_secret_is_held_back() {
        let (mut stream, mut out) = (Masks::new(["word: x", "hunter2"]).stream(), Vec::new());
        for (piece, expected) in [
            ("Password", "Pass"),
            (": ", "Pass"),
            ("h", "Password: "),
            ("unter", "Password: "),
            ("2", "Password: ***"),
            ("?", "Password: ***?"),
            ("hun", "Password: ***?"),
        ] {
            stream.feed(piece.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "after {piece:?}");
        }
        stream.finish(&mut out);
        assert_eq!(out, b"Password: ***?hun");
    }

    #[test]
    fn a_text_without_secrets_is_not_copied() {
        assert!(matches!(Masks::new(["hunter2"]).text("hunter3"), Cow::Borrowed("hunter3")));
        assert!(Masks::new(["ab", "c\n"]).is_empty());
    }

    #[test]
    fn more_than_can_be_held_hides_everything() {
        let all = Secrets { automaton: Secrets::everything(), ..Secrets::new(Vec::new(), &forms("hunter2")) };
        let start = all.automaton.start_state(Anchored::No).unwrap();
        let masks = Masks(Some(Arc::new(Secrets { start, depths: HashMap::new(), ..all })));
        assert_eq!(masks.text("any \u{e4} text"), "***");
    }

    /// Every byte of every form, looked for one by one.
    fn slowly(secrets: &[String], text: &[u8]) -> Vec<u8> {
        let mut is_secret = vec![false; text.len()];
        for form in secrets.iter().flat_map(|secret| forms(secret)) {
            for at in (0..text.len()).filter(|&at| text[at..].starts_with(&form)) {
                is_secret[at..at + form.len()].fill(true);
            }
        }
        let mut out = Vec::new();
        for (at, &byte) in text.iter().enumerate() {
            match (is_secret[at], at > 0 && is_secret[at - 1]) {
                (false, _) => out.push(byte),
                (true, false) => out.extend_from_slice(STARS),
                (true, true) => {}
            }
        }
        out
    }

    prop_compose! {
        /// Secrets of few letters, so that they overlap, and a text with pieces of their forms in it.
        fn scene()(
            secrets in prop::collection::vec("[ab\n]{0,9}|[a-c%/ ]{3,20}|\\PC{1,12}", 1..5),
            parts in prop::collection::vec((any::<prop::sample::Index>(), "[ab=\n]{0,6}", 0..8usize), 0..30),
        ) -> (Vec<String>, Vec<u8>) {
            let all: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).collect();
            let mut text = Vec::new();
            for (which, filler, cut) in parts {
                if !all.is_empty() {
                    let form = which.get(&all);
                    // Some are whole, and some lack their end.
                    text.extend_from_slice(&form[..form.len() - if cut < 4 { cut.min(form.len()) } else { 0 }]);
                }
                text.extend_from_slice(filler.as_bytes());
            }
            (secrets, text)
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter((secrets, text) in scene(), sizes in prop::collection::vec(1..40usize, 1..9)) {
            let masks = Masks::new(&secrets);
            let expected = slowly(&secrets, &text);
            let mut pieces = Vec::new();
            let (mut rest, mut sizes) = (text.as_slice(), sizes.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(sizes.next().unwrap().min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(&streamed(&masks, &[&text]), &expected);
            prop_assert_eq!(&streamed(&masks, &pieces), &expected);
            prop_assert_eq!(masks.bytes(&text), expected);
        }

        #[test]
        fn what_is_held_back_is_the_beginning_of_a_form((secrets, text) in scene()) {
            let all: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).collect();
            let mut stream = Masks::new(&secrets).stream();
            for &byte in &text {
                stream.feed(&[byte], &mut Vec::new());
                let held = stream.0.as_ref().map_or(&[][..], |masking| &masking.held);
                prop_assert!(held.is_empty() || all.iter().any(|form| form.starts_with(held)));
            }
        }
    }
}
