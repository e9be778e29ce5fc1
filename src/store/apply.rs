//! What each event leaves behind: its line of the journal, and the rows of the history that follow from it.
//!
//! Nothing is read back and nothing is decided here. Rows about work that goes on hold only what is known so far, and
//! writing the same event again changes nothing.

use super::columns::{Count, json, outcome_columns, run_outcome_columns, skip_columns};
use super::recovered::{PAUSED_QUEUE, Pause};
use super::{Seq, StoreError};
use crate::base::{AttemptId, JobId, Moment, RunId, TaskName};
use crate::definition::{self, Rate};
use crate::engine::{
    Author, Cell, Event, Exit, Fingerprint, Late, Missed, NewRun, Outcome, PlanRef, Record, RunOutcome,
    ScheduleKey, Skip, SlotSkip, Trigger, Usage,
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Result, params};

/// Writes one record within the transaction that is open.
pub(super) fn apply(db: &Connection, record: &Record) -> std::result::Result<Seq, StoreError> {
    let Record { at, event } = record;
    let run = event.run();
    if let Event::RunCreated(new) = event {
        insert_run(db, *at, new).map_err(|error| name_conflict(db, new, error))?;
    }
    run_statement(
        db,
        "INSERT INTO journal (at, run, event) VALUES (?1, ?2, ?3)",
        params![at, run, json(event)],
    )?;
    let seq = Seq(db.last_insert_rowid().unsigned_abs());
    write_history(db, *at, event)?;
    Ok(seq)
}

fn write_history(db: &Connection, at: Moment, event: &Event) -> Result<()> {
    match event {
        // The run itself was written ahead of its line, because it may be refused.
        Event::RunCreated(new) => reuse_jobs(db, at, new),
        Event::RunFinished { run, outcome } => finish_run(db, at, *run, outcome),
        Event::RunLate { run, what, limit } => {
            note_late(db, *run, Late { what: *what, limit: *limit, since: at })
        }
        Event::JobQueued { job } => queue_job(db, at, *job),
        Event::JobFinished { job, outcome, problem } => finish_job(db, at, *job, outcome, problem.as_deref()),
        Event::AttemptStarted { attempt, timeout: _ } => start_attempt(db, at, *attempt),
        Event::AttemptEnded { attempt, exit, usage, outputs } => {
            end_attempt(db, at, *attempt, exit, usage.as_ref())?;
            if outputs.is_empty() { Ok(()) } else { keep_outputs(db, attempt.job, outputs) }
        }
        Event::JobPrepared { job, fingerprint, outputs, .. } => {
            let fingerprint = fingerprint.as_ref();
            fingerprint.map_or(Ok(()), |fingerprint| keep_fingerprint(db, *job, fingerprint))?;
            outputs.as_ref().map_or(Ok(()), |outputs| keep_outputs(db, *job, outputs))
        }
        Event::JobSpread { job, cells } => name_cells(db, *job, cells),
        Event::ScheduleArmed { key, at: since } => advance(db, key, *since),
        Event::ScheduleDisarmed { key } => {
            run_statement(db, "DELETE FROM cursors WHERE schedule_key = ?1", params![key])
        }
        Event::SlotSkipped { key, slot, why } => skip_slot(db, at, key, *slot, why),
        Event::SlotsMissed { key, from, to, count, why } => {
            miss_slots(db, at, key, (*from, *to), *count, *why)
        }
        Event::TaskPaused { task, by, reason } => pause(db, at, task, by, reason.as_deref()),
        Event::TaskResumed { task, by: _ } => resume(db, task),
        Event::RateUsed { key } => use_rate(db, at, key),
        Event::QueuePaused { queue, by, reason } => {
            let pause = Pause { at, by: by.clone(), reason: reason.clone() };
            run_statement(
                db,
                "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
                params![format!("{PAUSED_QUEUE}{queue}"), json(&pause)],
            )
        }
        Event::QueueResumed { queue, by: _ } => {
            run_statement(db, "DELETE FROM meta WHERE name = ?1", params![format!("{PAUSED_QUEUE}{queue}")])
        }
        // The journal is enough: nobody searches for these.
        Event::RunReleased { .. }
        | Event::RunPaused { .. }
        | Event::RunResumed { .. }
        | Event::RunCancelled { .. }
        | Event::AttemptAdmitted { .. }
        | Event::AttemptPaused { .. }
        | Event::AttemptResumed { .. }
        | Event::AttemptStopping { .. }
        | Event::HookAsked { .. }
        | Event::JobPreparing { .. }
        | Event::JobDelayed { .. }
        | Event::Decided { .. }
        | Event::RoundScheduled { .. }
        | Event::RetryScheduled { .. }
        | Event::CleanupOwed { .. }
        | Event::CleanupStarted { .. }
        | Event::RunBegan { .. }
        | Event::RunPrioritised { .. }
        | Event::RunRefused(_) => Ok(()),
    }
}

/// Jobs whose success is taken over are done when the run is born.
fn reuse_jobs(db: &Connection, at: Moment, new: &NewRun) -> Result<()> {
    let outcome = Outcome::Skipped { why: Skip::Reused };
    for &index in &new.reused {
        let job = JobId { run: new.run, index };
        finish_job(db, at, job, &outcome, None)?;
    }
    new.reused_outputs
        .iter()
        .try_for_each(|(index, outputs)| keep_outputs(db, JobId { run: new.run, index: *index }, outputs))
}

fn keep_outputs(db: &Connection, job: JobId, outputs: &definition::Params) -> Result<()> {
    run_statement(
        db,
        "INSERT INTO jobs (run, idx, outputs) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET outputs = ?3",
        params![job.run, job.index, json(outputs)],
    )
}

fn keep_fingerprint(db: &Connection, job: JobId, fingerprint: &Fingerprint) -> Result<()> {
    run_statement(
        db,
        "INSERT INTO jobs (run, idx, name, fingerprint) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET name = ?3, fingerprint = ?4",
        params![job.run, job.index, fingerprint.of, fingerprint.text],
    )
}

/// Cells stand behind the jobs of the plan, and behind the cells that other jobs became before.
fn name_cells(db: &Connection, job: JobId, cells: &[Cell]) -> Result<()> {
    for cell in cells {
        run_statement(
            db,
            "INSERT INTO jobs (run, idx, name) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET name = ?3",
            params![job.run, cell.index, cell.name],
        )?;
    }
    Ok(())
}

fn insert_run(db: &Connection, at: Moment, new: &NewRun) -> Result<()> {
    let task = &new.plan.plan().task;
    let (kind, key, slot, retry_of, parent) = match &new.trigger {
        Trigger::Manual => ("manual", None, None, None, None),
        Trigger::Schedule { key, slot } => ("schedule", Some(key), Some(*slot), None, None),
        Trigger::Retry { of } => ("retry", None, None, Some(*of), None),
        Trigger::Task { parent } => ("task", None, None, None, Some(json(parent))),
        Trigger::After { key, run } => ("after", Some(key), None, None, Some(json(run))),
        // All names are in the journal; a list of runs needs one of them.
        Trigger::Watch { key, until, changed } => {
            ("watch", Some(key), None, None, Some(json(&(until, changed.gist()))))
        }
        // The body is in the journal.
        Trigger::Webhook { key, call } => ("webhook", Some(key), None, None, Some(json(&call.gist()))),
    };
    run_statement(
        db,
        "INSERT INTO runs (run, face, task, number, trigger, schedule_key, slot, retry_of, author, reason, created, plan, parent, key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            new.run,
            new.run.to_string(),
            task,
            Count(new.number),
            kind,
            key,
            slot,
            retry_of,
            new.by,
            new.reason,
            at,
            new.plan.hash(),
            parent,
            new.key
        ],
    )?;
    keep_plan(db, &new.plan)?;
    run_statement(
        db,
        "INSERT INTO tasks (task, last_number) VALUES (?1, ?2)
         ON CONFLICT (task) DO UPDATE SET last_number = max(last_number, excluded.last_number)",
        params![task, Count(new.number)],
    )?;
    run_statement(
        db,
        "UPDATE meta SET value = max(CAST(value AS INTEGER), ?1) WHERE name = 'next_run'",
        params![Count(new.run.0.saturating_add(1))],
    )?;
    raise_latest(db, at)?;
    match (key, new.trigger.reach()) {
        (Some(key), Some(reach)) => advance(db, key, reach),
        (_, None) | (None, _) => Ok(()),
    }
}

/// Stores the content of a plan once. Looking first saves writing out a large plan for every run.
fn keep_plan(db: &Connection, plan: &PlanRef) -> Result<()> {
    let known = db.prepare_cached("SELECT 1 FROM plans WHERE hash = ?1")?.exists([plan.hash()])?;
    if known {
        return Ok(());
    }
    let body = json(&**plan.plan());
    run_statement(db, "INSERT INTO plans (hash, body) VALUES (?1, ?2)", params![plan.hash(), body])
}

/// Says which rule a refused run would have broken.
fn name_conflict(db: &Connection, new: &NewRun, error: rusqlite::Error) -> StoreError {
    if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
        return error.into();
    }
    if let Trigger::Schedule { key, slot } = &new.trigger {
        let holder = "SELECT run FROM runs WHERE schedule_key = ?1 AND slot = ?2";
        match db.query_row(holder, params![key, slot], |row| row.get(0)).optional() {
            Ok(Some(by)) => return StoreError::SlotTaken { key: key.clone(), slot: *slot, by },
            Ok(None) => {}
            Err(error) => return error.into(),
        }
    }
    StoreError::NumberTaken { run: new.run, task: new.plan.plan().task.clone(), number: new.number }
}

fn finish_run(db: &Connection, at: Moment, run: RunId, outcome: &RunOutcome) -> Result<()> {
    let (word, root) = run_outcome_columns(outcome);
    let update = "UPDATE runs SET finished = ?2, outcome = ?3, root = ?4 WHERE run = ?1";
    run_statement(db, update, params![run, at, word, root])?;
    run_statement(
        db,
        "UPDATE cursors
         SET failures = CASE ?2 WHEN 'failed' THEN failures + 1 WHEN 'succeeded' THEN 0 ELSE failures END
         WHERE schedule_key = (SELECT schedule_key FROM runs WHERE run = ?1)",
        params![run, word],
    )
}

/// Each expectation once, whatever is written again.
fn note_late(db: &Connection, run: RunId, late: Late) -> Result<()> {
    run_statement(
        db,
        "UPDATE runs SET late = json_set(coalesce(late, '{}'), '$.' || ?2, json(?3)) WHERE run = ?1",
        params![run, late.what.word(), json(&late)],
    )
}

/// The last ones are kept, as many as any limit looks back.
fn use_rate(db: &Connection, at: Moment, key: &str) -> Result<()> {
    let insert = "INSERT INTO rates (key, n, at)
                  SELECT ?1, coalesce(max(n), 0) + 1, ?2 FROM rates WHERE key = ?1";
    run_statement(db, insert, params![key, at])?;
    run_statement(
        db,
        "DELETE FROM rates WHERE key = ?1 AND n <= (SELECT max(n) FROM rates WHERE key = ?1) - ?2",
        params![key, Rate::MOST],
    )
}

fn queue_job(db: &Connection, at: Moment, job: JobId) -> Result<()> {
    // A job that is tried again is queued again; the first time is the one that tells how long it took in all.
    let insert = "INSERT INTO jobs (run, idx, queued) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    run_statement(db, insert, params![job.run, job.index, at])
}

fn finish_job(
    db: &Connection,
    at: Moment,
    job: JobId,
    outcome: &Outcome,
    problem: Option<&str>,
) -> Result<()> {
    let (word, cause) = outcome_columns(outcome);
    run_statement(
        db,
        "INSERT INTO jobs (run, idx, finished, outcome, cause, problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET finished = ?3, outcome = ?4, cause = ?5, problem = ?6",
        params![job.run, job.index, at, word, cause, problem],
    )?;
    if *outcome != Outcome::Succeeded {
        return Ok(());
    }
    // What was made of these sources counts until they change.
    run_statement(
        db,
        "INSERT INTO fresh (task, fingerprint, run, outputs)
         SELECT name, fingerprint, run, outputs FROM jobs
         WHERE run = ?1 AND idx = ?2 AND fingerprint IS NOT NULL
         ON CONFLICT DO UPDATE
         SET fingerprint = excluded.fingerprint, run = excluded.run, outputs = excluded.outputs",
        params![job.run, job.index],
    )
}

fn start_attempt(db: &Connection, at: Moment, attempt: AttemptId) -> Result<()> {
    let AttemptId { job: JobId { run, index }, number } = attempt;
    let insert =
        "INSERT INTO attempts (run, idx, number, started) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    run_statement(db, insert, params![run, index, number, at])
}

fn end_attempt(
    db: &Connection,
    at: Moment,
    attempt: AttemptId,
    exit: &Exit,
    usage: Option<&Usage>,
) -> Result<()> {
    let AttemptId { job: JobId { run, index }, number } = attempt;
    let pid = usage.map(|usage| usage.pid);
    let user = usage.map(|usage| Count(usage.user_ms));
    let system = usage.map(|usage| Count(usage.system_ms));
    let peak = usage.map(|usage| Count(usage.peak_rss));
    let read = usage.map(|usage| Count(usage.read_bytes));
    let written = usage.map(|usage| Count(usage.written_bytes));
    run_statement(
        db,
        "INSERT INTO attempts (run, idx, number, ended, exit, pid, user_ms, system_ms, peak_rss, read_bytes, written_bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET ended = ?4, exit = ?5, pid = ?6, user_ms = ?7, system_ms = ?8, peak_rss = ?9,
             read_bytes = ?10, written_bytes = ?11",
        params![run, index, number, at, json(exit), pid, user, system, peak, read, written],
    )
}

/// Notes that something was dealt with that belongs to this moment, in case its schedule is taken away and comes back.
fn raise_latest(db: &Connection, moment: Moment) -> Result<()> {
    run_statement(
        db,
        "UPDATE meta SET value = max(CAST(value AS INTEGER), ?1) WHERE name = 'latest'",
        params![moment],
    )
}

/// Everything up to `slot` is dealt with. A clock that was set back does not bring the past back.
fn advance(db: &Connection, key: &ScheduleKey, slot: Moment) -> Result<()> {
    raise_latest(db, slot)?;
    run_statement(
        db,
        "INSERT INTO cursors (schedule_key, last) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
        params![key, slot],
    )
}

fn skip_slot(db: &Connection, at: Moment, key: &ScheduleKey, slot: Moment, why: &SlotSkip) -> Result<()> {
    let (word, blocker) = skip_columns(why);
    run_statement(
        db,
        "INSERT INTO slots (schedule_key, slot, until, count, why, blocker, at) VALUES (?1, ?2, ?2, 1, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        params![key, slot, word, blocker, at],
    )?;
    advance(db, key, slot)
}

fn miss_slots(
    db: &Connection,
    at: Moment,
    key: &ScheduleKey,
    (from, to): (Moment, Moment),
    count: u64,
    why: Missed,
) -> Result<()> {
    run_statement(
        db,
        "INSERT INTO slots (schedule_key, slot, until, count, why, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
        params![key, from, to, Count(count), why.word(), at],
    )?;
    advance(db, key, to)
}

fn pause(db: &Connection, at: Moment, task: &TaskName, by: &Author, reason: Option<&str>) -> Result<()> {
    run_statement(
        db,
        "INSERT INTO tasks (task, paused, paused_by, paused_reason) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET paused = ?2, paused_by = ?3, paused_reason = ?4",
        params![task, at, by, reason],
    )
}

fn resume(db: &Connection, task: &TaskName) -> Result<()> {
    run_statement(
        db,
        "UPDATE tasks SET paused = NULL, paused_by = NULL, paused_reason = NULL WHERE task = ?1",
        params![task],
    )?;
    // The key of a schedule begins with its task.
    run_statement(
        db,
        "UPDATE cursors SET failures = 0
         WHERE failures > 0 AND (schedule_key = ?1 OR substr(schedule_key, 1, length(?1) + 2) = ?1 || ': ')",
        params![task],
    )
}

/// Statements are prepared once per connection.
fn run_statement(db: &Connection, sql: &str, params: impl Params) -> Result<()> {
    db.prepare_cached(sql)?.execute(params).map(drop)
}
