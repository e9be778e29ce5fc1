//! Which misspelt words can be written anew without asking: what is near is not yet what was meant.

/// Whether a word of the language was meant and mistyped: the same but for case, `-` and `_`, two letters that changed
/// places, or one letter of a longer word. `id` is no slip of `if`.
pub(super) fn of_word(written: &str, meant: &str) -> bool {
    let is_long = written.len().min(meant.len()) >= 4;
    of_name(written, meant) || (is_long && distance(written, meant) == 1 && digits(written) == digits(meant))
}

/// Whether a name that people gave was meant: `test-a` is no slip of `test-b`, and `load` none of `loads`.
pub(super) fn of_name(written: &str, meant: &str) -> bool {
    let is_swap = written.len() >= 3 && written.len() == meant.len() && letters(written) == letters(meant);
    bare(written) == bare(meant)
        || (is_swap && distance(written, meant) == 1 && digits(written) == digits(meant))
}

fn distance(written: &str, meant: &str) -> usize {
    strsim::damerau_levenshtein(&written.to_lowercase(), &meant.to_lowercase())
}

fn bare(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.to_lowercase().chars().collect();
    letters.sort_unstable();
    letters
}

fn digits(word: &str) -> String {
    word.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, meant: &str, expected: (bool, bool)) {
        assert_eq!((of_word(written, meant), of_name(written, meant)), expected, "{written} {meant}");
    }

    #[test]
    fn only_slips_are_written_anew() {
        check("timeot", "timeout", (true, false));
        check("rnu", "run", (true, true));
        check("Run", "run", (true, true));
        check("working-dir", "working_dir", (true, true));
        check("strng", "string", (true, false));
        check("id", "if", (false, false));
        check("ofr", "if", (false, false));
        check("test-a", "test-b", (true, false));
        check("step1", "step2", (false, false));
        check("dmup", "dump", (true, true));
        check("v12", "v21", (false, false));
        check("success", "succeeded", (false, false));
    }
}
