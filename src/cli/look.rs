//! What the reading commands share: times as people and programs want them, words in their colours, short ids.
//!
//! Everything here is handed the time and the zone, so what it says can be tested.

use super::error::Failure;
use super::output::{
    BAD, BOLD, BUSY, Cell, DIM, GOOD, ODD, Output, clean, has_unicode, now, relative, styled, width,
};
use crate::api::RunState;
use crate::base::{Millis, Moment, RunId};
use crate::engine::Exit;
use crate::schedule::Zone;
use crate::store::{History, Stats};

/// How things look in this terminal, or to the program that reads them.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) zone: Zone,
    pub(crate) now: Moment,
    /// For people: relative times, glyphs, hints. Else: full values, separated by tabs.
    pub(crate) is_terminal: bool,
    /// Lines may be drawn with more than ASCII.
    pub(crate) is_unicode: bool,
    /// Columns of the terminal.
    pub(crate) width: usize,
}

impl Look {
    pub(crate) fn new(output: &Output) -> Result<Look, Failure> {
        Ok(Look {
            zone: output.zone()?,
            now: now(),
            is_terminal: output.is_terminal,
            is_unicode: has_unicode(),
            width: width(),
        })
    }

    /// How far away a moment is: `2m ago`; for programs the moment itself.
    pub(crate) fn distance(&self, moment: Moment) -> String {
        match self.is_terminal {
            true => relative(moment, self.now),
            false => self.zone.format(moment),
        }
    }

    /// A moment on the clock of the zone, as short as it is clear: `03:13 tomorrow`, `Sun 04:00`, `2026-11-21 03:13`.
    /// For programs it is complete.
    pub(crate) fn clock(&self, moment: Moment) -> String {
        if !self.is_terminal {
            return self.zone.format(moment);
        }
        let (then, today) = (self.zone.civil(moment), self.zone.civil(self.now));
        let time = format!("{:02}:{:02}", then.hour, then.minute);
        match days_between(today, then) {
            Some(0) => format!("{time} today"),
            Some(1) => format!("{time} tomorrow"),
            Some(-1) => format!("{time} yesterday"),
            Some(-6..=6) => format!("{} {time}", then.weekday),
            _ => format!("{:04}-{:02}-{:02} {time}", then.year, then.month, then.day),
        }
    }

    /// The date and the time, with seconds: `2026-11-21 03:14:31`.
    pub(crate) fn second(&self, moment: Moment) -> String {
        let civil = self.zone.civil(moment);
        let date = format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day);
        format!("{date} {:02}:{:02}:{:02}", civil.hour, civil.minute, civil.second)
    }
}

/// From one civil day to another.
fn days_between(from: crate::schedule::Civil, to: crate::schedule::Civil) -> Option<i32> {
    let date = |civil: crate::schedule::Civil| {
        let (month, day) = (i8::try_from(civil.month).ok()?, i8::try_from(civil.day).ok()?);
        jiff::civil::Date::new(civil.year, month, day).ok()
    };
    Some((date(to)? - date(from)?).get_days())
}

/// A state in its word and colour.
pub(crate) fn state_cell(state: RunState) -> Cell {
    let style = match state {
        RunState::Succeeded => GOOD,
        RunState::Failed => BAD,
        RunState::Cancelled | RunState::Paused | RunState::Cancelling => ODD,
        RunState::Running => BUSY,
        RunState::Queued => DIM,
    };
    styled(state.word(), style)
}

/// How an attempt ended, in a few words.
pub(crate) fn exit_words(exit: &Exit) -> String {
    match exit {
        Exit::Code { code: 0 } => "ok".into(),
        Exit::Code { code } => format!("exit {code}"),
        Exit::Signal { signal } => format!("killed by {signal}"),
        Exit::NotSpawned { message, .. } => format!("not started: {message}"),
        Exit::Lost => "lost: the host died".into(),
        Exit::Skipped { reason } => format!("skipped: {reason}"),
        Exit::BadOutputs { message } => message.clone(),
        Exit::Limit { which, most } => format!("killed: {}", which.words(*most)),
    }
}

/// The shortest beginning of an id, three letters or more, that no other run shares.
pub(crate) fn short_id(history: &History, run: RunId) -> String {
    let face = run.to_string();
    let is_alone = |length: &usize| history.by_prefix(&face[..*length]).is_ok_and(|found| found.len() <= 1);
    (3..face.len()).find(is_alone).map_or_else(|| face.clone(), |length| face[..length].to_owned())
}

/// What became of the runs of a while: `26 ok, 2 failed   p50 43s  p95 1m31s`.
pub(crate) fn stats_words(stats: &Stats) -> String {
    let Stats { unfinished, succeeded, failed, cancelled, p50, p95 } = stats;
    let counts =
        [(*succeeded, "ok"), (*failed, "failed"), (*cancelled, "cancelled"), (*unfinished, "unfinished")];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if counts.is_empty() {
        return "no runs".into();
    }
    let times = [("p50", p50), ("p95", p95)];
    let times: Vec<String> =
        times.iter().filter_map(|(name, time)| time.map(|time| format!("{name} {time}"))).collect();
    format!("{}   {}", counts.join(", "), times.join("  ")).trim_end().to_owned()
}

/// The time on which statistics look back.
pub(crate) const MONTH: Millis = Millis(30 * 86_400_000);

/// `1 task`, `2 tasks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// `2nd`, `3rd`, `4th`.
pub(crate) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// The first line of what somebody wrote, cleaned, and cut where it gets long.
pub(crate) fn brief(text: &str, longest: usize) -> String {
    let line = clean(text.trim().lines().next().unwrap_or_default());
    match line.char_indices().nth(longest) {
        None => line,
        Some(_) => {
            let cut: String = line.chars().take(longest.saturating_sub(3)).collect();
            format!("{}...", cut.trim_end())
        }
    }
}

/// What to type next, dimmed: `next: neap logs k3v | neap retry k3v`.
pub(crate) fn next_line(commands: &[String]) -> String {
    format!("{DIM}next:{DIM:#} {}\n", commands.join(" | "))
}

/// A name to look at first.
pub(crate) fn strong(text: &str) -> String {
    format!("{BOLD}{}{BOLD:#}", clean(text))
}

#[cfg(test)]
pub(crate) fn test_look() -> Look {
    // Sat 2026-11-21 09:00 UTC.
    Look {
        zone: Zone::utc(),
        now: Moment(1_795_251_600_000),
        is_terminal: true,
        is_unicode: true,
        width: 100,
    }
}

/// Without colours, as a test wants to read it.
#[cfg(test)]
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn clock(hours_from_now: i64, expected: &str) {
        let look = test_look();
        let moment = Moment(look.now.0.saturating_add_signed(hours_from_now * 3_600_000));
        assert_eq!(look.clock(moment), expected);
    }

    #[test]
    fn a_moment_is_as_short_as_it_is_clear() {
        clock(0, "09:00 today");
        clock(-9, "00:00 today");
        clock(-10, "23:00 yesterday");
        clock(15, "00:00 tomorrow");
        clock(48, "Mon 09:00");
        clock(24 * 7, "2026-11-28 09:00");
        clock(-24 * 365, "2025-11-21 09:00");
        let program = Look { is_terminal: false, ..test_look() };
        assert_eq!(program.clock(program.now), "2026-11-21T09:00:00Z");
        assert_eq!(program.distance(program.now), "2026-11-21T09:00:00Z");
    }

    #[test]
    fn words_of_numbers() {
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal);
        assert_eq!(ordinals.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th");
        assert_eq!(brief("  Dump it.\nAnd more.", 60), "Dump it.");
        assert_eq!(brief("a long description", 10), "a long...");
        assert_eq!(brief("\u{1b}[2Jclean", 60), "\u{fffd}[2Jclean");
    }

    #[test]
    fn statistics_leave_out_what_there_is_not() {
        let stats = Stats { succeeded: 26, failed: 2, p50: Some(Millis(43_000)), ..Stats::default() };
        assert_eq!(stats_words(&stats), "26 ok, 2 failed   p50 43s");
        assert_eq!(stats_words(&Stats::default()), "no runs");
    }
}
