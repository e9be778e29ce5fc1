//! The attempts of jobs as bars over time.

use crate::api::{AttemptInfo, JobInfo};
use crate::base::{Millis, Moment};
use crate::engine::Exit;

/// The time a chart covers, and how wide it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) start: Moment,
    pub(super) span: Millis,
    pub(super) width: usize,
}

impl Scale {
    fn column(&self, at: Moment) -> usize {
        let last = self.width.saturating_sub(1);
        let part = (at - self.start).0 as f64 / self.span.0.max(1) as f64;
        ((part * last as f64).round() as usize).min(last)
    }

    /// `0s        30s       1m`: a mark about every ten columns, at round times.
    pub(super) fn axis(&self) -> String {
        let step = step(self.span.0 / (self.width as u64 / 10).max(1));
        let mut axis = String::new();
        let mut at = 0;
        while at <= self.span.0 {
            let column = self.column(self.start + Millis(at));
            let label = Millis(at).to_string();
            // Further labels only where there is room for them.
            if (column > axis.len() || at == 0) && column + label.len() <= self.width {
                axis += &" ".repeat(column - axis.len());
                axis += &label;
            }
            at += step;
        }
        axis
    }

    /// `[====x==x====]`: every attempt ends with its mark. What goes on ends with `>`.
    pub(super) fn bar(&self, job: &JobInfo, now: Moment) -> String {
        let mut cells = vec![' '; self.width];
        for attempt in &job.attempts {
            let Some(started) = attempt.started else { continue };
            let (from, to) =
                (self.column(started.0), self.column(attempt.ended.map_or(now, |ended| ended.0)));
            cells[from..=to].fill('=');
            cells[from] = '[';
            cells[to] = end_mark(attempt, from == to);
        }
        cells.into_iter().collect::<String>().trim_end().to_owned()
    }
}

fn end_mark(attempt: &AttemptInfo, is_short: bool) -> char {
    match &attempt.exit {
        None => '>',
        Some(Exit::Code { code: 0 } | Exit::Skipped { .. }) if is_short => '|',
        Some(Exit::Code { code: 0 } | Exit::Skipped { .. }) => ']',
        Some(
            Exit::Code { .. }
            | Exit::Signal { .. }
            | Exit::NotSpawned { .. }
            | Exit::Lost
            | Exit::BadOutputs { .. }
            | Exit::Limit { .. },
        ) => 'x',
    }
}

/// The next round length of time at or above `least` milliseconds.
fn step(least: u64) -> u64 {
    const ROUND: [u64; 22] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000,
        600_000, 1_800_000, 3_600_000, 21_600_000, 86_400_000,
    ];
    ROUND.into_iter().find(|&step| step >= least).unwrap_or_else(|| least.div_ceil(86_400_000) * 86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Time;

    fn scale(span: u64, width: usize) -> Scale {
        Scale { start: Moment(1_000_000), span: Millis(span), width }
    }

    #[track_caller]
    fn axis(span: u64, width: usize, expected: &str) {
        let axis = scale(span, width).axis();
        assert_eq!(axis, expected);
        assert!(axis.len() <= width);
    }

    #[test]
    fn the_axis_has_round_marks() {
        axis(109_000, 40, "0s         30s       1m         1m30s");
        axis(40, 20, "0s        20ms");
        axis(0, 20, "0s");
        axis(86_400_000 * 20, 30, "0s        7d        14d");
    }

    #[test]
    fn attempts_are_bars() {
        let attempt = |number, from: u64, to: Option<u64>, exit| AttemptInfo {
            number,
            started: Some(Time(Moment(1_000_000 + from))),
            ended: to.map(|to| Time(Moment(1_000_000 + to))),
            exit,
            usage: None,
            log: Default::default(),
        };
        let failed = || Some(Exit::Code { code: 7 });
        let job = JobInfo {
            attempts: vec![
                attempt(1, 0, Some(2_000), failed()),
                attempt(2, 4_000, Some(4_000), failed()),
                attempt(3, 6_000, Some(9_000), Some(Exit::Code { code: 0 })),
            ],
            ..super::super::super::ps::tests::job("upload", "done")
        };
        assert_eq!(scale(10_000, 11).bar(&job, Moment(0)), "[=x x [==]");
        let going = JobInfo { attempts: vec![attempt(1, 0, None, None)], ..job.clone() };
        assert_eq!(scale(10_000, 11).bar(&going, Moment(1_010_000)), "[=========>");
        let short = JobInfo { attempts: vec![attempt(1, 0, Some(1), Some(Exit::Code { code: 0 }))], ..job };
        assert_eq!(scale(10_000, 11).bar(&short, Moment(0)), "|");
    }
}
