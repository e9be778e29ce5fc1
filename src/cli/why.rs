//! `neap why`: what something waits for, down to what holds everything up.

use super::args;
use super::error::Failure;
use super::look::{Look, brief};
use super::output::{BOLD, DIM, Output, clean, print};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::Why;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Longer texts are cut on a terminal: reasons hold what people wrote.
const LONGEST: usize = 300;

pub(crate) fn why(project: &Project, args: &args::Why, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let why = block_on(async { See::new(project).await.why(&args.what).await })?;
    if output.json {
        output.print_json(&why)?;
    } else {
        let mut text = String::new();
        write(&why, 0, &look, &mut text);
        print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line each, indented below what it explains.
fn write(why: &Why, depth: usize, look: &Look, text: &mut String) {
    let indent = "  ".repeat(depth);
    let subject = match depth {
        0 => format!("{BOLD}{}{BOLD:#}", clean(&why.subject)),
        _ => clean(&why.subject),
    };
    let until = why.until.map(|until| format!("until {}", look.clock(until.0)));
    let since = why.since.map(|since| format!("since {}", look.distance(since.0)));
    let times: Vec<String> = [since, until].into_iter().flatten().collect();
    let times =
        if times.is_empty() { String::new() } else { format!("  {DIM}({}){DIM:#}", times.join(", ")) };
    let _ = writeln!(text, "{indent}{subject} {}{times}", brief(&why.text, LONGEST));
    for cause in &why.because {
        write(cause, depth + 1, look, text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::look::{plain, test_look};
    use super::*;
    use crate::api::Time;
    use crate::base::Moment;

    #[test]
    fn what_explains_stands_below_what_is_explained() {
        let now = test_look().now;
        let fact =
            |subject: &str, text: &str| Why { subject: subject.into(), text: text.into(), ..Why::default() };
        let why = Why {
            since: Some(Time(Moment(now.0 - 120_000))),
            because: vec![Why {
                until: Some(Time(Moment(now.0 + 60_000))),
                because: vec![fact("b\u{7}", "runs")],
                ..fact("a#1/x", "waits for its next try")
            }],
            ..fact("a#1", "goes on")
        };
        let mut text = String::new();
        write(&why, 0, &test_look(), &mut text);
        let expected = "a#1 goes on  (since 2m ago)\n  a#1/x waits for its next try  (until 09:01 today)\n    b\u{fffd} runs\n";
        assert_eq!(plain(&text), expected);
    }
}
