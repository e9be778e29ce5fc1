//! How things are printed: colours, glyphs, columns, times, failures.

use super::args::{Global, When};
use super::error::Failure;
use crate::base::{Millis, Moment};
use crate::schedule::Zone;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();

/// How this command prints.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// Print JSON.
    pub(crate) json: bool,
    /// Leave out the talk.
    pub(crate) quiet: bool,
    /// Standard output is a terminal (or `NEAP_FORCE_TTY` says so).
    pub(crate) is_terminal: bool,
    /// The zone times are shown in.
    pub(crate) zone: Option<String>,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Output {
        // Styles are always written; the stream strips them where they are not wanted.
        match global.color {
            When::Auto => {}
            When::Always => anstream::ColorChoice::Always.write_global(),
            When::Never => anstream::ColorChoice::Never.write_global(),
        }
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_forced = std::env::var_os("NEAP_FORCE_TTY").is_some_and(|value| !value.is_empty());
        let is_terminal = is_forced || (std::io::stdout().is_terminal() && !is_dumb);
        Output { json: global.json, quiet: global.quiet, is_terminal, zone: global.tz.clone() }
    }

    /// The zone times are shown in.
    pub(crate) fn zone(&self) -> Result<Zone, Failure> {
        match &self.zone {
            None => Ok(Zone::system()),
            Some(name) => Zone::named(name).map_err(|error| {
                let failure = Failure::usage(error.to_string());
                match error.hint() {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }),
        }
    }

    /// Prints one JSON document.
    pub(crate) fn print_json(&self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::of(super::error::OURSELVES, &error))?;
        print(&format!("{text}\n"))
    }

    /// Says how it went wrong, and ends with its code.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        if self.json {
            let document = serde_json::json!({
                "error": { "message": failure.message, "hints": failure.hints, "exit_code": failure.code }
            });
            let _ = self.print_json(&document);
        } else {
            let mut text = format!("{BAD}error{BAD:#}: {}\n", failure.message);
            for hint in &failure.hints {
                text += &format!("{GOOD}help{GOOD:#}: {hint}\n");
            }
            let _ = anstream::stderr().write_all(text.as_bytes());
        }
        ExitCode::from(failure.code)
    }

    /// Talks, on standard error, unless told to be quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet && !self.json {
            let _ = anstream::stderr().write_all(format!("{text}\n").as_bytes());
        }
    }
}

/// Prints the answer. A reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Columns, aligned by what they look like. The last one may be as long as it likes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

/// A word and how it looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) style: Style,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.into(), style: Style::new() }
    }
}

/// A word in a style.
pub(crate) fn styled(text: impl Into<String>, style: Style) -> Cell {
    Cell { text: text.into(), style }
}

impl Table {
    /// A table under these headings.
    pub(crate) fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|heading| styled(*heading, DIM)).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text: aligned for people, separated by tabs for programs.
    pub(crate) fn render(&self, for_people: bool) -> String {
        let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|c| {
                self.rows.iter().filter_map(|row| row.get(c)).map(|cell| width(&cell.text)).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let last = row.len().saturating_sub(1);
            for (column, Cell { text: word, style }) in row.iter().enumerate() {
                let word = clean(word);
                let style = *style;
                text += &format!("{style}{word}{style:#}");
                if column < last {
                    match for_people {
                        true => text += &" ".repeat(widths[column] - width(&word).min(widths[column]) + 2),
                        false => text.push('\t'),
                    }
                }
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }
}

/// What others wrote may hold anything; on a terminal only visible characters and spaces are shown.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_hostile(c) { '\u{fffd}' } else { c }).collect()
}

/// A character that moves the cursor, or that makes text read in another order than it is written.
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether the locale lets more than ASCII be drawn.
pub(crate) fn has_unicode() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os);
    let locale =
        named.filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().to_lowercase()).next();
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// The columns of the terminal: what it says, else `COLUMNS`, else 100.
pub(crate) fn width() -> usize {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call fills the structure it is given, which outlives it, and touches nothing else of ours.
    let asked = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    let told = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = (asked == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col)).or_else(told);
    columns.unwrap_or(100).max(40)
}

/// The time now.
pub(crate) fn now() -> Moment {
    crate::host::wall_clock()
}

/// How long ago, or in how long: `2m ago`, `in 18h`.
pub(crate) fn relative(moment: Moment, now: Moment) -> String {
    match moment.cmp(&now) {
        std::cmp::Ordering::Greater => format!("in {}", coarse(moment - now)),
        std::cmp::Ordering::Equal | std::cmp::Ordering::Less => match now - moment {
            Millis(..1000) => "just now".into(),
            ago => format!("{} ago", coarse(ago)),
        },
    }
}

/// One unit is enough for a distance.
fn coarse(span: Millis) -> String {
    let seconds = span.0 / 1000;
    match seconds {
        ..60 => format!("{}s", seconds.max(1)),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Who we are, for the history: the user's name, else the number.
pub(crate) fn whoami() -> String {
    let name =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok().filter(|name| !name.is_empty());
    name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
