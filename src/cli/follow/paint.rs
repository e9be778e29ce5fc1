//! For people at a terminal: lines that scroll away, and a block below them that says what goes on now.
//! Pure: notes and a board in, text out.

use super::board::{Board, Note, Open, What};
use super::signals::Asked;
use crate::api::{cause_words, outcome_words};
use crate::base::{Millis, Moment};
use crate::cli::output::{BAD, BOLD, BUSY, DIM, GOOD, ODD, clean};
use crate::engine::{Author, Cause, Outcome, Phase, Question, Skip, StopCause};
use anstyle::Style;
use unicode_width::UnicodeWidthChar;

/// So many jobs are shown at most; the rest is counted.
const MOST_JOBS: usize = 12;
/// A progress bar is as wide as this.
const BAR: usize = 20;

/// The lines for a note, with their ends; empty when there is nothing to say.
pub(crate) fn line(note: &Note, board: &Board) -> String {
    match &note.what {
        What::Started { reused } => header(board, *reused),
        What::Paused { by, reason } => said("PAUSE", ODD, &format!("held {}", who(by, reason.as_deref()))),
        What::Resumed { by } => said("RESUME", BUSY, &format!("goes on, {}", who(by, None))),
        What::Cancelling { by, reason } => {
            said("CANCEL", ODD, &format!("asked to stop {}", who(by, reason.as_deref())))
        }
        What::Late(late) => said("LATE", ODD, &late.to_string()),
        What::Retry { job, cause, took, attempt, wait, reason } => {
            let max = board.attempts_max(*job);
            let why = retry_words(cause.as_ref(), reason.as_deref());
            let again = format!("{why}; again in {wait} ({} of {max})", (attempt + 1).min(max.max(1)));
            let again = if cause.is_some() { again } else { format!("{why}; again in {wait}") };
            job_line(board, &format!("RETRY {attempt}"), ODD, *took, *job, &again)
        }
        What::Done { job, outcome, took, attempts, problem } => {
            done(board, *job, outcome, *took, *attempts, problem.as_deref())
        }
        What::Ended { .. } => String::new(),
    }
}

fn header(board: &Board, reused: usize) -> String {
    let jobs = count(board.total(), "job");
    let reused = if reused > 0 { format!(", {reused} of them done before") } else { String::new() };
    format!("{DIM}neap{DIM:#}  {BOLD}{}{BOLD:#} ({})  {jobs}{reused}\n\n", board.name, board.run)
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn who(by: &Author, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("by {}: \"{}\"", clean(&by.0), clean(reason)),
        None => format!("by {}", clean(&by.0)),
    }
}

fn said(word: &str, style: Style, text: &str) -> String {
    format!("{style}{word:>8}{style:#}  {text}\n")
}

fn retry_words(cause: Option<&Cause>, reason: Option<&str>) -> String {
    match (cause, reason) {
        (Some(cause), Some(reason)) => clean(&format!("{} ({reason})", cause_words(cause))),
        (Some(cause), None) => clean(&cause_words(cause)),
        (None, Some(reason)) => clean(reason),
        (None, None) => "put off".into(),
    }
}

fn done(
    board: &Board,
    job: u32,
    outcome: &Outcome,
    took: Option<Millis>,
    attempts: u32,
    problem: Option<&str>,
) -> String {
    let (word, style) = match outcome {
        Outcome::Succeeded => ("OK", GOOD),
        Outcome::Failed { .. } => ("FAIL", BAD),
        Outcome::Cancelled => ("CANCEL", ODD),
        Outcome::Skipped { why: Skip::Reused } => return String::new(),
        Outcome::Skipped { .. } => ("SKIP", DIM),
    };
    let words = outcome_words(outcome, &|index| board.job_name(index).to_owned());
    let tries = if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() };
    let about = match outcome {
        Outcome::Succeeded | Outcome::Cancelled => tries.trim_start().to_owned(),
        Outcome::Failed { .. } => words + &tries,
        Outcome::Skipped { .. } => words.trim_start_matches("skipped: ").to_owned(),
    };
    let mut text = job_line(board, word, style, took, job, &clean(&about));
    if let Some(problem) = problem {
        text += &said("", DIM, &format!("{ODD}could not tidy up{ODD:#}: {}", clean(problem)));
    }
    text
}

fn job_line(board: &Board, word: &str, style: Style, took: Option<Millis>, job: u32, about: &str) -> String {
    let took = took.map_or(" ".repeat(9), |took| format!("[{:>7}]", took.to_string()));
    let width = board.total().to_string().len();
    let place = format!("({:>width$}/{})", board.done(), board.total());
    let name = format!("{:<1$}", board.job_name(job), board.name_width());
    let line = format!("{style}{word:>8}{style:#}  {took} {DIM}{place}{DIM:#} {name}  {about}");
    line.trim_end().to_owned() + "\n"
}

/// What goes on now: no line is wider than the terminal, and all of them fit into it.
pub(crate) fn block(
    board: &Board,
    now: Moment,
    asked: Asked,
    (columns, rows): (usize, usize),
) -> Vec<String> {
    let mut open = board.open();
    open.sort_by_key(|job| urgency(job.phase));
    let most = MOST_JOBS.min(rows.saturating_sub(6)).max(1);
    let mut lines = vec![Strip::new(columns).add(DIM, &format!(" {}", "-".repeat(88.min(columns)))).text];
    let width = board.name_width();
    for job in open.iter().take(most) {
        lines.push(job_strip(job, width, now, asked, columns));
    }
    if open.len() > most {
        let more = format!("   and {} more", open.len() - most);
        lines.push(Strip::new(columns).add(DIM, &more).text);
    }
    lines.push(footer(board, now, asked, columns));
    lines
}

/// What runs comes first, what waits for others last.
fn urgency(phase: &Phase) -> u8 {
    match phase {
        Phase::Running { .. } | Phase::Paused { .. } | Phase::Stopping { .. } => 0,
        Phase::Asking { .. } | Phase::Ended { .. } | Phase::Cleaning { .. } => 1,
        Phase::Backoff { .. } | Phase::Delayed { .. } => 2,
        Phase::Queued | Phase::Preparing { .. } => 3,
        Phase::Waiting | Phase::Done(_) => 4,
        // Its cells say more.
        Phase::Spread => 5,
    }
}

fn job_strip(job: &Open<'_>, width: usize, now: Moment, asked: Asked, columns: usize) -> String {
    let strip = Strip::new(columns).add(Style::new(), &format!("   {:<width$}  ", job.name));
    let elapsed = clock(now - job.started.unwrap_or(job.since));
    let strip = match job.phase {
        Phase::Running { .. } => running(strip, job, &elapsed, now),
        Phase::Paused { .. } => strip.add(BUSY, &format!("frozen  {elapsed}")),
        Phase::Stopping { cause } => {
            let why = match cause {
                StopCause::Cancelled => "asked to stop",
                StopCause::TimedOut => "timed out, asked to stop",
                StopCause::OutOfTime => "out of time, asked to stop",
                StopCause::Stalled => "stalled, asked to stop",
                StopCause::NotNeeded { .. } => "not needed any more, asked to stop",
            };
            let left = (job.since + job.grace) - now;
            let limit = match asked {
                Asked::Now => "being killed".to_owned(),
                Asked::Not | Asked::Kindly if left.0 == 0 => "being killed".to_owned(),
                Asked::Not | Asked::Kindly => format!("killed in {}s", left.0.div_ceil(1000)),
            };
            strip.add(ODD, &format!("{why}, {limit}")).add(DIM, &format!("   {elapsed}"))
        }
        Phase::Backoff { until } => strip.add(ODD, &format!("again in {}s", (*until - now).0.div_ceil(1000))),
        Phase::Delayed { until } => {
            strip.add(DIM, &format!("starts in {}s", (*until - now).0.div_ceil(1000)))
        }
        Phase::Asking { question, .. } => strip.add(BUSY, &format!("asks its `{}` hook", hook(*question))),
        Phase::Ended { .. } | Phase::Cleaning { .. } => strip.add(BUSY, "tidies up"),
        Phase::Queued => strip.add(DIM, "waits for a slot"),
        Phase::Preparing { .. } => strip.add(BUSY, "finds out whether to start"),
        Phase::Spread => strip.add(DIM, &format!("waits for {} of its cells", job.cells)),
        Phase::Waiting | Phase::Done(_) if job.needs.is_empty() => strip.add(DIM, "is next"),
        Phase::Waiting | Phase::Done(_) => strip.add(DIM, &format!("waits for {}", names(&job.needs))),
    };
    strip.text
}

fn running(strip: Strip, job: &Open<'_>, elapsed: &str, now: Moment) -> Strip {
    let strip = match job.progress {
        Some(progress) => {
            let full = (progress.percent / 100.0 * BAR as f64).round().clamp(0.0, BAR as f64) as usize;
            let bar = format!("[{}{}] {:>3.0}%", "#".repeat(full), ".".repeat(BAR - full), progress.percent);
            strip.add(BUSY, &bar)
        }
        None => strip.add(BUSY, "running"),
    };
    let tries = if job.attempts_max > 1 || job.attempt > 1 {
        format!("   attempt {}", job.attempt)
    } else {
        String::new()
    };
    let strip = strip.add(Style::new(), &format!("{tries}   {elapsed}"));
    match (job.progress, job.started) {
        (Some(progress), Some(started)) => {
            let eta =
                eta(now - started, progress.percent).map_or(String::new(), |eta| format!("   eta {eta}"));
            let message = progress.message.as_deref().map_or(String::new(), |text| format!("   {text}"));
            strip.add(Style::new(), &eta).add(DIM, &message)
        }
        _ => strip,
    }
}

fn eta(elapsed: Millis, percent: f64) -> Option<String> {
    let is_telling = (1.0..100.0).contains(&percent);
    is_telling.then(|| clock(Millis((elapsed.0 as f64 * (100.0 - percent) / percent) as u64)))
}

fn hook(question: Question) -> &'static str {
    match question {
        Question::Before => "before",
        Question::Success => "success",
        Question::Retry => "retry",
        Question::Repeat => "repeat",
    }
}

fn names(needs: &[&str]) -> String {
    match needs {
        [one, two, three, rest @ ..] if !rest.is_empty() => {
            format!("{one}, {two}, {three} and {} more", rest.len())
        }
        needs => needs.join(", "),
    }
}

fn footer(board: &Board, now: Moment, asked: Asked, columns: usize) -> String {
    let elapsed =
        format!("   {} elapsed   {}/{} done", clock(now - board.created), board.done(), board.total());
    let strip = Strip::new(columns).add(Style::new(), &elapsed);
    // What is nearly over needs no forecast.
    let left = board.remaining(now).filter(|left| left.0 >= 1000);
    let strip = match left {
        Some(left) => strip.add(DIM, &format!("   about {} to go", clock(left))),
        None => strip,
    };
    let strip = match board.pause() {
        Some(pause) => strip.add(ODD, &format!("   held {}", who(&pause.by, pause.reason.as_deref()))),
        None => strip,
    };
    let keys = match asked {
        Asked::Not => "Ctrl-C: cancel",
        Asked::Kindly => "cancelling   Ctrl-C: kill at once",
        Asked::Now => "killing   Ctrl-C: leave",
    };
    strip.add(DIM, &format!("   {keys}")).text
}

/// A length of time as a running clock shows it: `0:47`, `1:02:03`.
fn clock(span: Millis) -> String {
    let seconds = span.0 / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// One line that is cut where the terminal ends: a line that wraps would be two, and the next painting be off by one.
struct Strip {
    text: String,
    room: usize,
}

impl Strip {
    fn new(columns: usize) -> Strip {
        Strip { text: String::new(), room: columns.saturating_sub(1) }
    }

    fn add(mut self, style: Style, text: &str) -> Strip {
        let mut kept = String::new();
        for letter in clean(text).chars() {
            let width = letter.width().unwrap_or(0);
            if width > self.room {
                self.room = 0;
                break;
            }
            self.room -= width;
            kept.push(letter);
        }
        if !kept.is_empty() {
            self.text += &format!("{style}{kept}{style:#}");
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AttemptId, JobId, RunId, TaskName};
    use crate::definition::{Catalog, Params, Registered, Settings, Source};
    use crate::engine::{Event, NewRun, PlanRef, Record, Trigger};
    use crate::host::{Happening, Progress};
    use crate::plan::Plan;
    use crate::schedule::Zone;
    use crate::store::{Seq, Usual, Usuals};
    use std::sync::Arc;

    const RUN: RunId = RunId(7);

    fn board(yaml: &str, events: impl IntoIterator<Item = (u64, Event)>) -> Board {
        let settings = Settings::new(Zone::utc());
        let source = Source::new("tasks/p.yaml", yaml);
        let catalog = Catalog::load([source], &Registered::default(), &settings, None);
        let plan = Arc::new(Plan::build(&catalog, &TaskName::new("p").unwrap(), Params::new()).unwrap());
        let mut board = Board::new(RUN, 3, Arc::clone(&plan));
        let created = NewRun {
            run: RUN,
            number: 3,
            plan: PlanRef::new(plan),
            trigger: Trigger::Manual,
            by: Author("anna".into()),
            reason: None,
            priority: None,
            reused: Vec::new(),
            reused_outputs: Default::default(),
            force: false,
            bound: false,
            key: None,
            is_behind: false,
            waits: false,
        };
        let created = (0, Event::RunCreated(Box::new(created)));
        for (at, event) in std::iter::once(created).chain(events) {
            let record = Record { at: Moment(at), event };
            board.hear(&Happening::Event { seq: Seq(0), record });
        }
        board
    }

    fn started(index: u32, at: u64) -> [(u64, Event); 2] {
        let job = JobId { run: RUN, index };
        let attempt = AttemptId { job, number: 1 };
        [(at, Event::JobQueued { job }), (at, Event::AttemptStarted { attempt, timeout: None })]
    }

    fn plain(lines: Vec<String>) -> String {
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    /// Two jobs in a row, of which the first has had 4 of its usual 10 s.
    #[test]
    fn a_block_says_how_long_it_still_takes_when_that_is_known() {
        let yaml = "steps: [{ id: a, run: ls }, { id: b, run: ls }]";
        let usual =
            |name: &str, ms: u64| (TaskName::new(name).unwrap(), Usual::of(vec![Millis(ms)]).unwrap());
        let jobs = [usual("p/a", 10_000), usual("p/b", 5_000)].into();
        let board = board(yaml, started(0, 1000)).with_usual(Usuals { run: None, jobs }, 2);
        let text = plain(block(&board, Moment(5000), Asked::Not, (100, 24)));
        assert!(text.ends_with("   0:05 elapsed   0/2 done   about 0:11 to go   Ctrl-C: cancel"), "{text}");
        let text = plain(block(&board, Moment(15_000), Asked::Not, (100, 24)));
        assert!(!text.contains("to go"), "what takes longer than ever is foreseen by nobody: {text}");
    }

    #[test]
    fn a_block_says_what_runs_and_what_waits() {
        let yaml = "tasks: { dump: { run: ls }, upload: { run: ls, depends_on: dump }, lint: { run: ls } }";
        let mut board = board(yaml, started(0, 1000));
        let progress = Progress { percent: 25.0, message: Some("a\x1b[2Jb".into()), at: Moment(5000) };
        let attempt = AttemptId { job: JobId { run: RUN, index: 0 }, number: 1 };
        board.hear(&Happening::Progress { attempt, progress });
        let text = plain(block(&board, Moment(11_000), Asked::Not, (100, 24)));
        let expected = "   dump    [#####...............]  25%   0:10   eta 0:30   a\u{fffd}[2Jb
   upload  waits for dump
   lint    is next
   0:11 elapsed   0/3 done   Ctrl-C: cancel";
        let (ruler, text) = text.split_once('\n').unwrap();
        assert_eq!((ruler.trim().chars().all(|c| c == '-'), text), (true, expected));
    }

    #[test]
    fn a_job_that_is_stopped_is_counted_down() {
        let attempt = AttemptId { job: JobId { run: RUN, index: 0 }, number: 1 };
        let cancelled = Event::RunCancelled { run: RUN, by: Author("anna".into()), reason: None };
        let stopping = Event::AttemptStopping { attempt, cause: StopCause::Cancelled };
        let events = started(0, 0).into_iter().chain([(2000, cancelled), (2000, stopping)]);
        let board = board("{ run: ls, stop: { grace: 5s } }", events);
        let text = plain(block(&board, Moment(3500), Asked::Kindly, (100, 24)));
        assert!(text.contains("asked to stop, killed in 4s"), "{text}");
        let text = plain(block(&board, Moment(9000), Asked::Now, (100, 24)));
        assert!(text.contains("asked to stop, being killed"), "{text}");
    }

    #[test]
    fn a_block_never_leaves_the_terminal() {
        let children: String =
            (0..50).map(|n| format!("  a-rather-long-name-{n}: {{ run: ls }}\n")).collect();
        let board = board(&format!("tasks:\n{children}"), (0..50).flat_map(|index| started(index, 0)));
        for (columns, rows) in [(200, 50), (80, 24), (20, 10), (5, 3), (1, 1)] {
            let lines = block(&board, Moment(1), Asked::Not, (columns, rows));
            assert!(lines.len() <= rows.max(4), "{} lines in {rows} rows", lines.len());
            for line in &lines {
                let width = anstream::adapter::strip_str(line).to_string().len();
                assert!(width < columns.max(1), "{width} in {columns} columns: {line:?}");
            }
        }
    }
}
