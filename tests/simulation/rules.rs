//! The rules of dependencies, computed anew from what an onlooker has seen: slowly, and without counting.

use super::ledger::Ledger;
use neap::base::JobId;
use neap::definition::{Rule, When};
use neap::engine::{Outcome, Skip};

/// What the rule of a job makes of what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Go,
    Wait,
    Never,
}

/// What became of a job that another one needs, as that one sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// What was waited for has happened.
    pub(super) is_good: bool,
    /// Nothing had to be done, and that is as well.
    pub(super) is_idle: bool,
    /// A failure, or held back by one, or cancelled.
    pub(super) is_trouble: bool,
}

const GOOD: Fate = Fate { is_good: true, is_idle: false, is_trouble: false };
const IDLE: Fate = Fate { is_good: false, is_idle: true, is_trouble: false };
const OTHER: Fate = Fate { is_good: false, is_idle: false, is_trouble: false };
const TROUBLE: Fate = Fate { is_good: false, is_idle: false, is_trouble: true };

/// Whether the job may start, must wait, or can never start.
pub(super) fn says(ledger: &Ledger, job: JobId) -> Says {
    let rule = ledger.node(job).leaf.rule;
    let fates: Vec<Option<Fate>> = fates(ledger, job).into_iter().map(|(_, fate)| fate).collect();
    if goes(rule, &fates) {
        return Says::Go;
    }
    // Whatever becomes of the others: the rules look at the best or at the worst of all.
    let with = |rest: Fate| fates.iter().map(|fate| Some(fate.unwrap_or(rest))).collect::<Vec<_>>();
    let may_go = [GOOD, IDLE, OTHER, TROUBLE].into_iter().any(|rest| goes(rule, &with(rest)));
    let is_open = fates.iter().any(Option::is_none);
    if is_open && may_go { Says::Wait } else { Says::Never }
}

/// What it needs, and what became of each; `None` while that is open.
pub(super) fn fates(ledger: &Ledger, job: JobId) -> Vec<(u32, Option<Fate>)> {
    let edges = ledger.node(job).edges();
    edges.map(|(need, when)| (need, fate(ledger, JobId { index: need, ..job }, when))).collect()
}

fn goes(rule: Rule, fates: &[Option<Fate>]) -> bool {
    let is_settled = fates.iter().all(Option::is_some);
    let mut known = fates.iter().flatten();
    match rule {
        Rule::AllSucceeded => is_settled && known.all(|fate| fate.is_good || fate.is_idle),
        Rule::AllEnded | Rule::Always => is_settled,
        Rule::AnySucceeded => fates.is_empty() || known.any(|fate| fate.is_good),
        Rule::AnyFailed => known.any(|fate| fate.is_trouble),
        Rule::NoneFailed => is_settled && !known.any(|fate| fate.is_trouble),
        Rule::Join { min_succeeded, .. } => {
            known.filter(|fate| fate.is_good).count() >= min_succeeded as usize
        }
    }
}

fn fate(ledger: &Ledger, need: JobId, when: When) -> Option<Fate> {
    if when == When::Started && ledger.begun.contains(&need) {
        return Some(GOOD);
    }
    let outcome = ledger.outcomes.get(&need)?;
    let is_excused = ledger.node(need).leaf.continue_on_error;
    let is_held_back = matches!(outcome, Outcome::Skipped { why: Skip::Needs { .. } });
    let has_failed = matches!(outcome, Outcome::Failed { .. });
    let did_before = matches!(outcome, Outcome::Skipped { why: Skip::Reused });
    let is_there = *outcome == Outcome::Succeeded
        || did_before
        || matches!(outcome, Outcome::Skipped { why: Skip::Fresh { .. } });
    let is_skipped = matches!(outcome, Outcome::Skipped { .. }) && !did_before;
    let is_trouble = is_held_back || *outcome == Outcome::Cancelled || (has_failed && !is_excused);
    let is_good = match when {
        When::Succeeded => is_there,
        When::Failed => has_failed || is_held_back,
        When::Ended => true,
        When::Skipped => is_skipped,
        When::Started => did_before,
    };
    let is_idle = when == When::Succeeded && !is_there && !is_trouble;
    Some(Fate { is_good, is_idle, is_trouble })
}
