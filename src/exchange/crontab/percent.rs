//! Cron's rule of the percent sign: the first one ends the command, what follows is its standard input.

/// The command, and its input when there is any.
///
/// `\%` is a percent sign, in both parts; further percent signs are line ends, and the input always ends with one.
pub(super) fn split(text: &str) -> (String, Option<String>) {
    let mut command = String::new();
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match (is_escaped, c) {
            (true, '%') => {
                command.pop();
                command.push('%');
            }
            (false, '%') => return (command, input(&text[at + 1..])),
            (_, c) => command.push(c),
        }
        is_escaped = !is_escaped && c == '\\';
    }
    (command, None)
}

fn input(text: &str) -> Option<String> {
    let mut input = String::new();
    let mut is_escaped = false;
    for c in text.chars() {
        match (is_escaped, c) {
            (true, '%') => input.push('%'),
            (true, c) => {
                input.push('\\');
                input.extend((c != '\\').then_some(c));
            }
            (false, '%') => input.push('\n'),
            (false, '\\') => {}
            (false, c) => input.push(c),
        }
        is_escaped = c == '\\';
    }
    input.extend(is_escaped.then_some('\\'));
    if !input.is_empty() && !input.ends_with('\n') {
        input.push('\n');
    }
    (!input.is_empty()).then_some(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, command: &str, input: Option<&str>) {
        assert_eq!(split(text), (command.to_owned(), input.map(str::to_owned)), "{text}");
    }

    #[test]
    fn the_first_percent_sign_ends_the_command() {
        check("date", "date", None);
        check("date +\\%F", "date +%F", None);
        check("cat%a%b", "cat", Some("a\nb\n"));
        check("cat%", "cat", None);
        check("cat%%", "cat", Some("\n"));
        check("mail -s x\\%y me%Hi,%%bye%", "mail -s x%y me", Some("Hi,\n\nbye\n"));
        check("cat%10\\% off", "cat", Some("10% off\n"));
        check("echo \\\\%a", "echo \\\\", Some("a\n"));
        check("echo a\\b", "echo a\\b", None);
        check("cat%a\\b", "cat", Some("a\\b\n"));
        check("cat%a\\", "cat", Some("a\\\n"));
    }
}
