//! The onlooker: holds every event against what was seen before.

use super::calls::Calls;
use super::files::{self, Files};
use super::lateness::Lateness;
use super::rules::{Says, fates, says};
use super::sharing::Begun;
use super::turns::Turns;
use neap::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use neap::definition::{Leaf, Rule};
use neap::engine::{
    Author, Cause, Cell, Event, Exit, NewRun, Outcome, Record, RunOutcome, ScheduleKey, Skip, StopCause,
    Trigger,
};
use neap::plan::Node;
use neap::schedule::End;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an onlooker writes down to hold the engine to its word.
#[derive(Default)]
pub(super) struct Ledger {
    /// The jobs of each run: those of its plan, and behind them the cells.
    nodes: BTreeMap<RunId, Vec<Node>>,
    numbers: BTreeMap<TaskName, u64>,
    /// The cells that a job became.
    cells: BTreeMap<JobId, Vec<JobId>>,
    /// The job that a cell belongs to.
    parents: BTreeMap<JobId, JobId>,
    /// Jobs that wait no more for others.
    released: BTreeSet<JobId>,
    /// Which runs have had their turn.
    turns: Turns,
    /// Jobs of which an attempt was started, and those with such a cell.
    pub(super) begun: BTreeSet<JobId>,
    /// Jobs that nobody needs any more.
    in_vain: BTreeSet<JobId>,
    started: BTreeSet<AttemptId>,
    stop_causes: BTreeMap<AttemptId, StopCause>,
    clocks: BTreeMap<AttemptId, RunClock>,
    /// When the first attempt of a job started.
    first_starts: BTreeMap<JobId, Moment>,
    pub(super) ended: BTreeMap<AttemptId, Exit>,
    /// Runs that somebody asked to end, as the world knows it.
    pub(super) cancelled: BTreeSet<RunId>,
    /// Runs that were asked a second time, and given no time.
    pub(super) hurried: BTreeSet<RunId>,
    cancels: BTreeSet<RunId>,
    /// Runs that wait for their turn.
    behind: BTreeSet<RunId>,
    /// The task of each run that is not finished.
    going: BTreeMap<RunId, TaskName>,
    tasks: BTreeMap<RunId, TaskName>,
    held: BTreeSet<RunId>,
    pub(super) outcomes: BTreeMap<JobId, Outcome>,
    finished: BTreeMap<RunId, RunOutcome>,
    tries: BTreeMap<JobId, u32>,
    rounds: BTreeMap<JobId, u32>,
    decisions: BTreeMap<JobId, bool>,
    backoffs: BTreeMap<JobId, Moment>,
    /// When attempts began that share a rate.
    pub(super) rates: Begun,
    /// Since when a job waits in the queue.
    pub(super) queued: BTreeMap<JobId, Moment>,
    pub(super) owed: BTreeMap<JobId, usize>,
    pub(super) cleaned: BTreeSet<JobId>,
    /// For each schedule: where its slots are accounted for up to.
    pub(super) accounted: BTreeMap<ScheduleKey, Moment>,
    slots: BTreeSet<(ScheduleKey, Moment)>,
    /// Which schedules fire when a run of which task has ended, as the engine was told.
    pub(super) chains: Vec<(ScheduleKey, TaskName, End)>,
    /// Runs that were created after others: once for each.
    followers: BTreeSet<(ScheduleKey, RunId)>,
    /// Whether the schedules that fire at the start of a host have done so since it came up.
    pub(super) has_started: bool,
    /// Failures in a row, by schedule.
    streaks: BTreeMap<ScheduleKey, u32>,
    triggers: BTreeMap<RunId, ScheduleKey>,
    /// Files that change.
    pub(super) files: Files,
    /// What is expected of runs.
    pub(super) lateness: Lateness,
    /// Calls from outside.
    pub(super) calls: Calls,
}

/// How long an attempt has run, frozen time left out.
struct RunClock {
    timeout: Option<Millis>,
    ran: Millis,
    /// `None` while it is frozen.
    since: Option<Moment>,
}

impl Ledger {
    /// What the job is, by its plan or as a cell.
    pub(super) fn node(&self, job: JobId) -> &Node {
        &self.nodes[&job.run][job.index as usize]
    }

    /// Whether the job also runs in a run that is being cancelled, and nobody hurries that.
    pub(super) fn is_spared(&self, job: JobId) -> bool {
        let has_begun = !self.turns.never_begun.contains(&job.run);
        has_begun && self.node(job).leaf.rule == Rule::Always && !self.hurried.contains(&job.run)
    }

    /// Writes down one event.
    pub(super) fn observe(&mut self, record: &Record) {
        self.turns.observe(&record.event);
        self.files.observe(&record.event);
        self.lateness.observe(record);
        self.calls.observe(&record.event);
        match &record.event {
            Event::RunCreated(new) => self.run_created(new),
            Event::JobPreparing { job } => {
                assert!(self.node(*job).needs_preparing(), "{job:?} leaves nothing open");
                self.let_go(*job);
            }
            Event::JobPrepared { job, .. } => self.goes_on(*job, "prepared"),
            Event::JobSpread { job, cells } => self.spread(*job, cells),
            Event::JobDelayed { job, until } => {
                self.let_go(*job);
                self.backoffs.insert(*job, *until);
            }
            Event::JobQueued { job } => {
                self.queued.insert(*job, record.at);
                self.let_go(*job);
            }
            Event::AttemptAdmitted { attempt } => {
                assert!(!self.leaf(attempt.job).hooks.is_empty(), "{attempt:?} has nobody to ask");
                self.admitted(attempt.job, record.at);
            }
            Event::AttemptStarted { attempt, timeout } => {
                let clock = RunClock { timeout: *timeout, ran: Millis(0), since: Some(record.at) };
                self.clocks.insert(*attempt, clock);
                self.first_starts.entry(attempt.job).or_insert(record.at);
                self.in_time(attempt.job, record.at);
                assert!(self.started.insert(*attempt), "{attempt:?} started twice");
                if self.leaf(attempt.job).hooks.is_empty() {
                    self.admitted(attempt.job, record.at);
                }
                self.goes_on(attempt.job, "started");
                self.begun.insert(attempt.job);
                self.begun.extend(self.parents.get(&attempt.job).copied());
            }
            Event::AttemptPaused { attempt, .. } => {
                let clock = self.clocks.get_mut(attempt).expect("what is frozen has run");
                let since = clock.since.take().unwrap_or_else(|| panic!("{attempt:?} was frozen twice"));
                clock.ran = Millis(clock.ran.0 + (record.at - since).0);
                assert!(!self.ended.contains_key(attempt), "{attempt:?} was frozen after its end");
            }
            Event::AttemptResumed { attempt, .. } => {
                let clock = self.clocks.get_mut(attempt).expect("what goes on has run");
                assert_eq!(clock.since.replace(record.at), None, "{attempt:?} was not frozen");
            }
            Event::AttemptStopping { attempt, cause } => {
                let is_awake = self.clocks.get(attempt).is_some_and(|clock| clock.since.is_some());
                assert!(*cause != StopCause::Stalled || is_awake, "{attempt:?} stalled frozen");
                if *cause == StopCause::OutOfTime {
                    self.out_of_time(attempt.job, record.at);
                }
                if *cause == StopCause::TimedOut {
                    let clock = &self.clocks[attempt];
                    let since = clock.since.unwrap_or_else(|| panic!("{attempt:?} timed out frozen"));
                    let ran = Millis(clock.ran.0 + (record.at - since).0);
                    assert!(Some(ran) >= clock.timeout, "{attempt:?} timed out after {ran}");
                }
                let twice = self.stop_causes.insert(*attempt, *cause);
                assert_eq!(twice, None, "{attempt:?} was given a second cause to stop");
                let is_cancel = *cause == StopCause::Cancelled;
                assert!(!(is_cancel && self.is_spared(attempt.job)), "{attempt:?} was not spared");
                let is_vain = matches!(cause, StopCause::NotNeeded { .. });
                assert!(!is_vain || self.in_vain.contains(&attempt.job), "{attempt:?} was needed");
            }
            Event::AttemptEnded { attempt, exit, .. } => {
                assert!(self.ended.insert(*attempt, exit.clone()).is_none(), "{attempt:?} ended twice");
            }
            Event::RetryScheduled { job, until, counts, .. } => self.retried(*job, *until, *counts),
            Event::RoundScheduled { job, until } => self.repeated(*job, *until),
            Event::Decided { attempt, approved, .. } => {
                let twice = self.decisions.insert(attempt.job, *approved);
                assert_eq!(twice, None, "{attempt:?} was decided over twice");
            }
            Event::CleanupOwed { job, .. } => *self.owed.entry(*job).or_default() += 1,
            Event::JobFinished { job, outcome, .. } => {
                if let Outcome::Failed { cause: Cause::QueuedTooLong { waited } } = outcome {
                    assert_eq!(self.leaf(*job).timeout_queue, Some(*waited), "{job:?} may wait");
                    assert!(record.at >= self.queued[job] + *waited, "{job:?} did not wait for so long");
                }
                if *outcome == (Outcome::Failed { cause: Cause::OutOfTime }) {
                    self.out_of_time(*job, record.at);
                }
                self.finish(*job, outcome);
            }
            Event::RunFinished { run, outcome } => self.run_finished(*run, outcome),
            Event::ScheduleArmed { key, at } => {
                self.accounted.insert(key.clone(), *at);
            }
            Event::SlotSkipped { key, .. } if is_occasion(key) => {}
            Event::SlotSkipped { key, slot, .. } => self.account(key, *slot, *slot, &task_of(key)),
            Event::SlotsMissed { key, from, to, count, .. } => {
                let interval = interval_of(key);
                assert_eq!((to.0 - from.0) / interval + 1, *count, "{key:?} miscounted");
                self.account(key, *from, *to, &task_of(key));
            }
            Event::RunReleased { run } => {
                assert!(self.behind.remove(run), "{run:?} did not wait for its turn");
                assert_eq!(self.older_than(*run), None, "{run:?} began too early");
            }
            Event::RunPaused { run, .. } => assert!(self.held.insert(*run), "{run:?} paused twice"),
            Event::RunResumed { run, .. } => {
                assert!(self.held.remove(run), "{run:?} was not paused");
                self.wait_anew(*run, record.at);
            }
            Event::RunCancelled { run, .. } => {
                assert!(self.cancels.insert(*run), "{run:?} was cancelled twice");
                if self.behind.contains(run) {
                    self.hurried.insert(*run); // It has not begun, so nothing of it is spared.
                }
                self.cancelled.insert(*run);
                if self.held.remove(run) {
                    self.wait_anew(*run, record.at); // What tidies up after the others waited to be let go.
                }
            }
            Event::HookAsked { .. }
            | Event::CleanupStarted { .. }
            | Event::RunBegan { .. }
            | Event::RateUsed { .. }
            | Event::RunLate { .. }
            | Event::QueuePaused { .. }
            | Event::QueueResumed { .. }
            | Event::RunPrioritised { .. }
            | Event::RunRefused(_) => {}
            Event::ScheduleDisarmed { .. } | Event::TaskResumed { .. } => {
                self.observe_schedule(&record.event)
            }
            Event::TaskPaused { task, by, .. } if *by == Author::host() => {
                let worst = self.streaks.iter().filter(|(key, _)| &*key.0 == task.as_str());
                assert!(
                    worst.map(|(_, streak)| *streak).max() >= Some(1),
                    "{task} rests, and nothing failed"
                );
            }
            Event::TaskPaused { .. } => {}
        }
    }

    fn leaf(&self, job: JobId) -> &Leaf {
        &self.node(job).leaf
    }

    fn run_created(&mut self, new: &NewRun) {
        let plan = new.plan.plan();
        match &new.trigger {
            Trigger::Schedule { key, slot } if is_occasion(key) => {
                assert!(self.slots.insert((key.clone(), *slot)), "{key:?} fired twice for {slot:?}");
            }
            Trigger::Schedule { key, slot } => self.account(key, *slot, *slot, &plan.task),
            Trigger::After { key, run } => {
                assert!(self.finished.contains_key(run), "{key:?} follows {run:?}, which goes on");
                assert!(self.followers.insert((key.clone(), *run)), "{key:?} follows {run:?} twice");
            }
            Trigger::Watch { key, .. } => assert_eq!(*key, files::key()),
            Trigger::Manual | Trigger::Retry { .. } | Trigger::Task { .. } | Trigger::Webhook { .. } => {}
        }
        if let Some(key) = new.trigger.schedule() {
            self.triggers.insert(new.run, key.clone());
        }
        let number = self.numbers.entry(plan.task.clone()).or_default();
        assert_eq!(new.number, *number + 1, "the runs of {} are miscounted", plan.task);
        *number = new.number;
        let twice = self.nodes.insert(new.run, plan.nodes.clone());
        assert!(twice.is_none(), "{:?} created twice", new.run);
        self.going.insert(new.run, plan.task.clone());
        self.tasks.insert(new.run, plan.task.clone());
        if new.is_behind {
            assert!(self.older_than(new.run).is_some(), "{:?} waits for nobody", new.run);
            self.behind.insert(new.run);
        }
        for &index in &new.reused {
            self.outcomes.insert(JobId { run: new.run, index }, Outcome::Skipped { why: Skip::Reused });
        }
    }

    fn observe_schedule(&mut self, event: &Event) {
        match event {
            Event::ScheduleDisarmed { key } => _ = self.streaks.remove(key),
            Event::TaskResumed { task, .. } => self.streaks.retain(|key, _| &*key.0 != task.as_str()),
            other => unreachable!("{other:?} is about something else"),
        }
    }

    /// What ends is followed in the same step by all that comes after it: in one transaction, whatever happens then.
    pub(super) fn check_chains(&self, batch: &[Event]) {
        for event in batch {
            let Event::RunFinished { run, outcome } = event else { continue };
            let task = &self.tasks[run];
            for (key, _, when) in self.chains.iter().filter(|(_, other, _)| other == task) {
                let is_due = match when {
                    End::Ended => true,
                    End::Succeeded => *outcome == RunOutcome::Succeeded,
                    End::Failed => matches!(outcome, RunOutcome::Failed { .. }),
                };
                let is_skip =
                    |event: &Event| matches!(event, Event::SlotSkipped { key: other, .. } if other == key);
                let has_followed = self.followers.contains(&(key.clone(), *run));
                let is_answered = has_followed || batch.iter().any(is_skip);
                assert!(!is_due || is_answered, "{key:?} does not follow {run:?}");
                assert!(is_due || !has_followed, "{key:?} follows {run:?}, which ended otherwise");
            }
        }
    }

    /// An older run of the same task that is not finished.
    pub(super) fn older_than(&self, run: RunId) -> Option<RunId> {
        let task = &self.going[&run];
        self.going.range(..run).find(|(_, other)| *other == task).map(|(older, _)| *older)
    }

    /// Whether the run waits for its turn.
    pub(super) fn is_behind(&self, run: RunId) -> bool {
        self.behind.contains(&run)
    }

    /// The jobs of the run that are queued begin to wait.
    fn wait_anew(&mut self, run: RunId, at: Moment) {
        let queued = self.queued.range_mut(JobId { run, index: 0 }..=JobId { run, index: u32::MAX });
        queued.for_each(|(_, since)| *since = at);
    }

    /// All attempts together have had their time.
    fn out_of_time(&self, job: JobId, at: Moment) {
        let total = self.leaf(job).timeout_total.expect("only such a job has a limit for all attempts");
        assert!(at >= self.first_starts[&job] + total, "{job:?} had more time than that");
    }

    /// No attempt starts when that time is over.
    fn in_time(&self, job: JobId, at: Moment) {
        let until = self.leaf(job).timeout_total.map(|total| self.first_starts[&job] + total);
        assert!(until.is_none_or(|until| at < until), "{job:?} starts again when its time is over");
    }

    /// It waits no more for others. Later it is queued again and again, for its tries and rounds.
    fn let_go(&mut self, job: JobId) {
        self.goes_on(job, "let go");
        assert!(!self.turns.never_begun.contains(&job.run), "{job:?} was let go before the turn of its run");
        if !self.released.insert(job) {
            return;
        }
        if let Some(&parent) = self.parents.get(&job) {
            let going = self.cells[&parent].iter().filter(|cell| self.is_going(**cell)).count();
            let most = self.leaf(parent).spread.as_ref().and_then(|spread| spread.max_parallel);
            assert!(most.is_none_or(|most| going <= most as usize), "{going} cells of {parent:?} at once");
            return;
        }
        assert_eq!(says(self, job), Says::Go, "{job:?} was let go: {:?}", fates(self, job));
        if let Rule::Join { cancel_rest: true, .. } = self.leaf(job).rule {
            let rest = fates(self, job).into_iter().filter(|(_, fate)| fate.is_none());
            for (index, _) in rest.collect::<Vec<_>>() {
                self.give_up(JobId { index, ..job });
            }
        }
    }

    fn is_going(&self, cell: JobId) -> bool {
        self.released.contains(&cell) && !self.outcomes.contains_key(&cell)
    }

    fn give_up(&mut self, job: JobId) {
        self.in_vain.insert(job);
        self.in_vain.extend(self.cells.get(&job).into_iter().flatten().copied());
    }

    /// Nothing of a job goes on when it is done, when nobody needs it, or when its run was cancelled.
    fn goes_on(&self, job: JobId, how: &str) {
        assert!(!self.outcomes.contains_key(&job), "{job:?} was {how} after its end");
        assert!(!self.in_vain.contains(&job), "{job:?} was {how}, and nobody needs it");
        let may_go_on = !self.cancelled.contains(&job.run) || self.is_spared(job);
        assert!(may_go_on, "{job:?} was {how} after its run was cancelled");
    }

    fn spread(&mut self, job: JobId, cells: &[Cell]) {
        self.goes_on(job, "spread");
        let whole = self.node(job).clone();
        let nodes = self.nodes.get_mut(&job.run).unwrap();
        for cell in cells {
            assert_eq!(cell.index as usize, nodes.len(), "the cells of {job:?} are misplaced");
            let leaf = Leaf { spread: None, name: cell.name.clone(), ..(*whole.leaf).clone() };
            nodes.push(Node { leaf: Arc::new(leaf), needs: Vec::new(), whens: Vec::new(), ..whole.clone() });
            let cell = JobId { index: cell.index, ..job };
            self.parents.insert(cell, job);
            self.cells.entry(job).or_default().push(cell);
        }
    }

    fn admitted(&mut self, job: JobId, at: Moment) {
        if let Some(rate) = &self.node(job).leaf.sharing.rate.clone() {
            self.rates.begins(rate, at);
        }
        self.goes_on(job, "admitted");
        assert!(self.released.contains(&job), "{job:?} admitted before it was let go");
        assert!(!self.held.contains(&job.run), "{job:?} admitted while its run was paused");
        if let Some(&until) = self.backoffs.get(&job) {
            assert!(at >= until, "{job:?} was tried again too early");
        }
    }

    fn retried(&mut self, job: JobId, until: Moment, counts: bool) {
        self.goes_on(job, "to be tried again");
        *self.tries.entry(job).or_default() += u32::from(counts);
        assert!(self.tries[&job] < self.leaf(job).retry.attempts, "{job:?} was tried too often");
        let is_cancelled = self.cancelled.contains(&job.run);
        assert!(!(counts && is_cancelled), "{job:?} was to be tried after the cancel");
        self.backoffs.insert(job, until);
    }

    fn repeated(&mut self, job: JobId, until: Moment) {
        self.goes_on(job, "to be repeated");
        let rounds = self.rounds.entry(job).or_default();
        *rounds += 1;
        let rounds = *rounds;
        let limit = self.leaf(job).repeat.as_ref().expect("only such a job is repeated").limit;
        assert!(rounds < limit, "{job:?} was repeated too often");
        assert!(!self.cancelled.contains(&job.run), "{job:?} was to be repeated after the cancel");
        self.tries.remove(&job);
        self.backoffs.insert(job, until);
    }

    fn finish(&mut self, job: JobId, outcome: &Outcome) {
        let why = match outcome {
            Outcome::Skipped { why: Skip::Needs { job: need } } => Some((*need, true)),
            Outcome::Skipped { why: Skip::Rule { job: need } } => Some((*need, false)),
            _ => None,
        };
        if let Some((need, is_trouble)) = why.filter(|_| !self.cells.contains_key(&job)) {
            self.doomed(job, need, is_trouble);
        }
        assert!(self.outcomes.insert(job, outcome.clone()).is_none(), "{job:?} finished twice");
        if self.cells.contains_key(&job) {
            self.whole_finished(job, outcome);
        } else {
            self.job_finished(job, outcome);
        }
        self.stop_siblings(job, outcome);
    }

    /// It can never start, and the job that is named is one of the reasons.
    fn doomed(&self, job: JobId, need: u32, is_trouble: bool) {
        let fates = fates(self, job);
        assert!(!self.released.contains(&job), "{job:?} was let go and then skipped");
        assert_eq!(says(self, job), Says::Never, "{job:?} was skipped: {fates:?}");
        let named = fates.iter().find(|(index, _)| *index == need).and_then(|(_, fate)| *fate);
        let named = named.unwrap_or_else(|| panic!("{job:?} was skipped because of {need}: {fates:?}"));
        assert_eq!(named.is_trouble, is_trouble, "{job:?} was skipped because of {need}: {fates:?}");
        assert!(!named.is_good || self.leaf(job).rule != Rule::AllSucceeded, "{job:?}: {need} is no reason");
    }

    fn stop_siblings(&mut self, cell: JobId, outcome: &Outcome) {
        let Some(&parent) = self.parents.get(&cell) else { return };
        let leaf = self.leaf(parent);
        let fails_fast = leaf.spread.as_ref().is_some_and(|spread| spread.fail_fast);
        if fails_fast && !leaf.continue_on_error && matches!(outcome, Outcome::Failed { .. }) {
            let open = self.cells[&parent].iter().filter(|cell| !self.outcomes.contains_key(cell));
            self.in_vain.extend(open.copied().collect::<Vec<_>>());
        }
    }

    /// A job that became many is done when they are, and as they are.
    fn whole_finished(&self, job: JobId, outcome: &Outcome) {
        let of = |cell: &JobId| {
            self.outcomes.get(cell).unwrap_or_else(|| panic!("{cell:?} is open, {job:?} done"))
        };
        let outcomes: Vec<&Outcome> = self.cells[&job].iter().map(of).collect();
        let failed = |outcome: &&&Outcome| matches!(outcome, Outcome::Failed { .. });
        let skipped = |outcome: &&Outcome| matches!(outcome, Outcome::Skipped { .. });
        let not_needed =
            |outcome: &&Outcome| matches!(outcome, Outcome::Skipped { why: Skip::NotNeeded { .. } });
        match outcome {
            Outcome::Failed { cause: Cause::Cell { job: cell } } => {
                assert!(
                    failed(&&&self.outcomes[&JobId { index: *cell, ..job }]),
                    "{job:?}: {cell} did not fail"
                );
                return;
            }
            Outcome::Failed { cause } => panic!("{job:?} failed as a whole: {cause:?}"),
            Outcome::Cancelled => assert!(outcomes.contains(&&Outcome::Cancelled)),
            Outcome::Skipped { why: Skip::NotNeeded { .. } } => assert!(outcomes.iter().any(not_needed)),
            Outcome::Skipped { .. } => assert!(outcomes.iter().all(skipped)),
            Outcome::Succeeded => {
                assert!(outcomes.contains(&&Outcome::Succeeded) && !outcomes.contains(&&Outcome::Cancelled));
                assert!(!outcomes.iter().any(not_needed), "{job:?} did not do all");
            }
        }
        assert_eq!(outcomes.iter().filter(failed).count(), 0, "{job:?} hides a failure");
    }

    fn job_finished(&self, job: JobId, outcome: &Outcome) {
        let leaf = self.leaf(job);
        let attempts = self.started.iter().filter(|a| a.job == job).count();
        let last = self.started.iter().rfind(|a| a.job == job);
        if let Some(last) = last {
            assert!(self.ended.contains_key(last), "{job:?} is done, and {last:?} goes on");
        }
        match outcome {
            Outcome::Succeeded => {
                let last = last.expect("a success needs an attempt");
                assert_eq!(self.ended[last], Exit::Code { code: 0 }, "{job:?}");
                assert!(!self.stop_causes.contains_key(last), "{job:?} was stopped, and yet succeeded");
            }
            Outcome::Failed { cause } => self.failed_rightly(job, cause, last),
            Outcome::Cancelled => {
                assert!(self.cancelled.contains(&job.run), "{job:?} cancelled by nobody");
                assert!(!self.is_spared(job), "{job:?} was not spared");
            }
            Outcome::Skipped { why: Skip::NotNeeded { .. } } => {
                assert!(self.in_vain.contains(&job), "{job:?} was needed");
            }
            Outcome::Skipped {
                why: Skip::Needs { .. } | Skip::Rule { .. } | Skip::Condition { .. } | Skip::Fresh { .. },
            } => assert_eq!(attempts, 0, "{job:?} ran and was then skipped"),
            Outcome::Skipped { why: Skip::Asked { .. } } => {}
            Outcome::Skipped { why: Skip::Reused } => panic!("{job:?} was done before, and finished again"),
        }
        let ran = attempts > 0;
        let owes =
            ran && (!leaf.cleanup.is_empty() || !leaf.hooks.is_empty() || self.owed.contains_key(&job));
        assert!(!owes || self.cleaned.contains(&job), "{job:?} is done and not tidied up");
    }

    fn failed_rightly(&self, job: JobId, cause: &Cause, last: Option<&AttemptId>) {
        let leaf = self.leaf(job);
        let exit = last.map(|last| &self.ended[last]);
        let stop = last.and_then(|last| self.stop_causes.get(last));
        let is_right = match (cause, exit) {
            // When that was is looked at where it is told; whatever the last attempt came to, no other follows.
            (Cause::OutOfTime, Some(_)) => return,
            (Cause::Hook { .. }, _) => return assert!(!leaf.hooks.is_empty(), "{job:?} has no hook"),
            // Found out before its start, or asked after a round.
            (Cause::Unprepared { .. }, _) => {
                return assert!(last.is_none() || leaf.repeat.is_some(), "{job:?}");
            }
            // It may have been tried before, but then it waited.
            (Cause::QueuedTooLong { .. }, _) => return,
            (Cause::Precondition { .. }, _) => return assert!(last.is_none(), "{job:?} ran"),
            (Cause::Unmet { rounds }, Some(exit)) => {
                assert_eq!(*exit, Exit::Code { code: 0 }, "{job:?}");
                assert_eq!(*rounds, 1 + self.rounds.get(&job).copied().unwrap_or(0), "{job:?} is miscounted");
                return assert_eq!(leaf.repeat.as_ref().map(|repeat| repeat.limit), Some(*rounds));
            }
            (Cause::Rejected { .. }, Some(_)) => {
                return assert_eq!(self.decisions.get(&job), Some(&false), "{job:?} was not rejected");
            }
            (Cause::TimedOut, Some(_)) => stop == Some(&StopCause::TimedOut),
            (Cause::Stalled, Some(_)) => stop == Some(&StopCause::Stalled),
            (Cause::Exit { code }, Some(Exit::Code { code: other })) => code == other && *code != 0,
            (Cause::Signal { signal }, Some(Exit::Signal { signal: other })) => signal == other,
            (Cause::Outputs { message }, Some(Exit::BadOutputs { message: other })) => message == other,
            (Cause::Lost, Some(Exit::Lost)) => true,
            _ => false,
        };
        assert!(is_right, "{job:?}: {cause:?} does not follow from {exit:?} and {stop:?}");
        assert_ne!(self.decisions.get(&job), Some(&false), "{job:?} was rejected, and failed of {cause:?}");
        self.gave_up_rightly(job, leaf);
    }

    fn gave_up_rightly(&self, job: JobId, leaf: &Leaf) {
        let tries = 1 + self.tries.get(&job).copied().unwrap_or(0);
        let excused = !leaf.hooks.is_empty()
            || !leaf.retry.on_exit.is_empty()
            || !leaf.retry.not_on_exit.is_empty()
            || self.cancelled.contains(&job.run);
        let attempts = leaf.retry.attempts;
        assert!(excused || tries == attempts, "{job:?} gave up after {tries} of {attempts}");
    }

    fn run_finished(&mut self, run: RunId, outcome: &RunOutcome) {
        self.going.remove(&run);
        match (self.triggers.get(&run), outcome) {
            (Some(key), RunOutcome::Failed { .. }) => *self.streaks.entry(key.clone()).or_default() += 1,
            (Some(key), RunOutcome::Succeeded) => _ = self.streaks.remove(key),
            _ => {}
        }
        self.behind.remove(&run);
        let nodes = &self.nodes[&run];
        let jobs = (0..nodes.len() as u32).map(|index| JobId { run, index });
        let outcomes: Vec<&Outcome> = jobs.clone().map(|job| &self.outcomes[&job]).collect();
        let failed = |(index, outcome): (usize, &&Outcome)| {
            matches!(outcome, Outcome::Failed { .. }) && !nodes[index].leaf.continue_on_error
        };
        match outcome {
            RunOutcome::Failed { root } => assert!(failed((*root as usize, &outcomes[*root as usize]))),
            RunOutcome::Cancelled => assert!(outcomes.contains(&&Outcome::Cancelled)),
            RunOutcome::Succeeded => assert!(!outcomes.contains(&&Outcome::Cancelled)),
        }
        if !matches!(outcome, RunOutcome::Failed { .. }) {
            assert!(!outcomes.iter().enumerate().any(failed), "{run:?} hides a failure");
        }
        jobs.filter(|job| self.is_spared(*job)).for_each(|job| self.ran_whatever_happened(job));
        assert!(self.finished.insert(run, outcome.clone()).is_none(), "{run:?} finished twice");
    }

    /// Its turn came, however the run ended. What it then did is its own matter.
    fn ran_whatever_happened(&self, job: JobId) {
        let outcome = &self.outcomes[&job];
        let is_excused = matches!(outcome, Outcome::Skipped { why: Skip::Reused | Skip::NotNeeded { .. } });
        assert!(is_excused || self.released.contains(&job), "{job:?} never had its turn: {outcome:?}");
        assert_ne!(*outcome, Outcome::Cancelled, "{job:?} was not spared");
    }

    /// Every slot of a watched schedule ends as exactly one of a run, a skip, or a part of a missed stretch, in order.
    fn account(&mut self, key: &ScheduleKey, from: Moment, to: Moment, task: &TaskName) {
        assert_eq!(&*key.0, task.as_str());
        assert!(self.slots.insert((key.clone(), from)), "{key:?} used the slot {from:?} twice");
        let last = self.accounted.insert(key.clone(), to).expect("only a watched schedule fires");
        let interval = interval_of(key);
        assert_eq!(from.0, (last.0 / interval + 1) * interval, "{key:?} left out a slot");
    }
}

/// Whether no time makes it fire.
fn is_occasion(key: &ScheduleKey) -> bool {
    key.0.starts_with('c')
}

fn task_of(key: &ScheduleKey) -> TaskName {
    TaskName::new(&key.0).unwrap()
}

fn interval_of(key: &ScheduleKey) -> u64 {
    let n: u64 = key.0[1..].parse().unwrap();
    1000 * (1 + n * 3)
}
