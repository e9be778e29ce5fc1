//! When a run will be over, if its jobs take as long as they usually do.
//!
//! A run needs at least its longest chain of jobs, and at least all of its work divided by the slots; the larger of the two
//! is told. Queues before it, retries and conditions are not foreseen.

use crate::base::{JobId, Millis, Moment};
use crate::engine::{Phase, Run, RunPhase};
use crate::store::Usuals;

/// How long until the run ends; `None` when it rests, or when something in it was never seen to succeed.
pub(crate) fn remaining(run: &Run, usuals: &Usuals, slots: usize, now: Moment) -> Option<Millis> {
    if !matches!(run.phase, RunPhase::Going) {
        return None;
    }
    let nodes = run.plan.plan().nodes.len() as u32;
    let mut ends: Vec<Millis> = Vec::with_capacity(nodes as usize);
    let mut work = Millis(0);
    for index in 0..nodes {
        // A plan is in dependency order: what a job needs stands before it.
        let begin = run.node(index).needs.iter().map(|&need| ends[need as usize]).max().unwrap_or_default();
        let left = left(run, index, usuals, now)?;
        work.0 += left.0;
        ends.push(Millis(begin.0 + left.0));
    }
    let chain = ends.into_iter().max()?;
    Some(chain.max(Millis(work.0 / slots.max(1) as u64)))
}

fn left(run: &Run, index: u32, usuals: &Usuals, now: Moment) -> Option<Millis> {
    let job = &run.jobs[index as usize];
    let usual = || usuals.jobs.get(&run.node(index).leaf.name).copied();
    match &job.phase {
        Phase::Done(_) | Phase::Cleaning { .. } | Phase::Ended { .. } => Some(Millis(0)),
        Phase::Paused { .. } => None,
        Phase::Delayed { until } => Some(Millis((*until - now).0 + usual()?.p50.0)),
        Phase::Waiting | Phase::Preparing { .. } | Phase::Queued if job.started.is_none() => {
            Some(usual()?.p50)
        }
        Phase::Waiting
        | Phase::Preparing { .. }
        | Phase::Spread
        | Phase::Queued
        | Phase::Asking { .. }
        | Phase::Running { .. }
        | Phase::Stopping { .. }
        | Phase::Backoff { .. } => {
            let (usual, ran) = (usual()?, job.started.map_or(Millis(0), |started| now - started));
            // What takes longer than usual may take as long as it ever did; beyond that nobody knows.
            let expected = if ran < usual.p50 { usual.p50 } else { usual.p95 };
            (ran <= expected).then(|| Millis(expected.0 - ran.0))
        }
    }
}

/// For how long a job has been running, and usually runs, in words: `for 2m, usually 3m`.
pub(super) fn pace(run: &Run, id: JobId, usuals: &Usuals, now: Moment) -> String {
    let ran = run.jobs[id.index as usize].started.map_or(Millis(0), |started| now - started);
    match usuals.jobs.get(&run.node(id.index).leaf.name) {
        Some(usual) if ran > usual.p95 => format!("for {}, longer than usual ({})", ran, usual.p50),
        Some(usual) => format!("for {}, usually {}", ran, usual.p50),
        None => format!("for {ran}"),
    }
}
