//! What is found out about a job before it may start: its condition, its cells, its expressions, its preconditions, and
//! whether there is anything to do. The engine asks once; the answer is written down.

use crate::base::{AttemptId, JobId, TaskName};
use crate::definition::{
    Again, Check, Leaf, Over, Params, Precondition, Spread, cell_names, matrix_cells, references,
    seen_as_items, seen_as_matrix,
};
use crate::engine::{Answer, Cause, Fingerprint, Input, Phase, Preparation, Question, Skip};
use crate::host::environment::{Given, directory_of};
use crate::host::filling::{Filling, is_true};
use crate::host::freshness::{Freshening, knows_outputs, recipe};
use crate::host::seen::{about_job, find_need, own_outputs, readable_params, reads_cell, sources_of};
use crate::host::sight::{AboutRun, Sight, readable_env};
use crate::host::{Inner, checks};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many jobs may be prepared at once; what they ask may start processes.
pub(super) const AT_ONCE: usize = 16;

/// What is known about a job when its preparation begins.
struct Known {
    leaf: Arc<Leaf>,
    sight: Sight,
    settles_params: bool,
    is_cell: bool,
    force: bool,
}

/// Whether a job has anything to do.
enum Found {
    /// It has not; this is what it put out when it had.
    Fresh { reason: String, outputs: Params },
    /// It has; the sources are this now.
    Stale(Arc<str>),
}

/// Why a job cannot be prepared.
struct Refused(Cause);

impl Refused {
    fn unprepared(message: impl Into<String>) -> Refused {
        Refused(Cause::Unprepared { message: message.into() })
    }
}

impl Inner {
    pub(super) fn prepare(self: &Arc<Inner>, job: JobId) {
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let Ok(_turn) = inner.preparing.acquire().await else { return };
            let found = tokio::select! {
                found = inner.find_out(job) => found,
                // The next host begins again.
                () = inner.stop.cancelled() => return,
            };
            if let Some(found) = found {
                let _ = inner.tell(Input::Prepared { job, found }).await;
            }
        });
    }

    /// `None` when the run is not there any more.
    async fn find_out(self: &Arc<Inner>, job: JobId) -> Option<Preparation> {
        let known = self.known(job)?;
        Some(self.decide(job, known).await.unwrap_or_else(|Refused(cause)| Preparation::Fail(cause)))
    }

    async fn decide(self: &Arc<Inner>, job: JobId, mut known: Known) -> Result<Preparation, Refused> {
        known.sight.settle_params(&self.scripts).await.map_err(Refused::unprepared)?;
        self.know_others(job, &mut known);
        let leaf = Arc::clone(&known.leaf);
        if let Some(text) = leaf.condition.as_ref().filter(|text| known.is_cell || !reads_cell(text, &leaf))
            && !known.sight.holds(&self.scripts, text).await.map_err(Refused::unprepared)?
        {
            return Ok(Preparation::Skip(Skip::Condition { text: text.clone() }));
        }
        if let Some(spread) = &leaf.spread {
            return self.cells(&known, spread).await.map(Preparation::Cells);
        }
        let filled = self.fill(&known).await?;
        let leaf = filled.as_ref().unwrap_or(&known.leaf);
        self.check_preconditions(job, &known, leaf).await?;
        let fingerprint = match self.freshness(job, &known, leaf).await? {
            Some(Found::Fresh { reason, outputs }) => return Ok(Preparation::Fresh { reason, outputs }),
            Some(Found::Stale(text)) => Some(Fingerprint { of: leaf.name.clone(), text }),
            None => None,
        };
        let params = known.settles_params.then(|| Arc::new(known.sight.params));
        Ok(Preparation::Ready { leaf: filled, params, fingerprint })
    }

    fn known(&self, job: JobId) -> Option<Known> {
        self.view.look(|live| {
            let run = live.state.runs.get(&job.run)?;
            let node = run.node(job.index);
            let cell = run.jobs[job.index as usize].cell.clone();
            let plan = run.plan.plan();
            let about = AboutRun {
                identity: Some((job.run, run.number)),
                task: plan.task.as_str(),
                trigger: &run.trigger,
                by: &run.by,
                reason: run.reason.as_deref(),
                created: run.created,
            };
            let settings = self.settings();
            let env = readable_env(&self.base_env, &settings, &node.leaf);
            let label = format!("{}#{}/{}", plan.task, run.number, node.leaf.name.seen_from(&plan.task));
            let mut sight = Sight::new(node, about.readable(&settings), env, label);
            for (name, value) in cell.iter().flat_map(|cell| cell.values.iter()) {
                sight.variables.insert(name.clone(), value.clone());
            }
            Some(Known {
                leaf: Arc::clone(&node.leaf),
                sight,
                settles_params: node.settles_params(),
                is_cell: cell.is_some(),
                force: run.force,
            })
        })
    }

    /// The outcomes and outputs of the jobs that the expressions of this one read.
    fn know_others(&self, job: JobId, known: &mut Known) {
        let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in sources_of(&known.leaf) {
            for reference in references(&source).into_iter().filter(|reference| reference.root == "tasks") {
                let mut path = reference.path.into_iter();
                let Some(name) = path.next() else { continue };
                let outputs = read.entry(name).or_default();
                outputs.extend(path.next().filter(|word| word == "outputs").and_then(|_| path.next()));
            }
        }
        let above = known.leaf.name.as_str().rsplit_once('/').map(|(above, _)| above.to_owned());
        let tasks = self.view.look(|live| {
            let Some(run) = live.state.runs.get(&job.run) else { return Map::new() };
            let find = |(name, outputs): (&String, &BTreeSet<String>)| {
                let sibling = above.as_ref().map(|above| format!("{above}/{name}"));
                let index = find_need(run, job.index, sibling.as_deref().unwrap_or(name), name)?;
                Some((name.clone(), about_job(run, index, outputs)))
            };
            read.iter().filter_map(find).collect()
        });
        known.sight.variables.insert("tasks".into(), Value::Object(tasks));
    }

    async fn evaluate_one(&self, known: &Known, source: &str) -> Result<Value, Refused> {
        known.sight.evaluate_one(&self.scripts, source).await.map_err(Refused::unprepared)
    }

    async fn evaluate(&self, known: &Known, sources: Vec<Arc<str>>) -> Result<Vec<Value>, Refused> {
        known.sight.evaluate(&self.scripts, sources).await.map_err(Refused::unprepared)
    }

    async fn cells(&self, known: &Known, spread: &Spread) -> Result<Vec<(TaskName, Arc<Params>)>, Refused> {
        let refused = |error| Refused::unprepared(format!("the cells cannot be made: {error}"));
        let cells = match &spread.over {
            Over::Items { items, name } => {
                let items = self.fill_json(known, items).await?;
                seen_as_items(items, name).map_err(refused)?
            }
            Over::Matrix { axes, include, exclude } => {
                let mut values = Vec::with_capacity(axes.len());
                for (name, axis) in axes {
                    values.push((name.clone(), self.fill_json(known, axis).await?));
                }
                let include = self.fill_maps(known, include).await?;
                let exclude = self.fill_maps(known, exclude).await?;
                seen_as_matrix(matrix_cells(&values, &include, &exclude).map_err(refused)?)
            }
        };
        let names: Vec<TaskName> = cell_names(&known.leaf.name, &cells).collect();
        Ok(names.into_iter().zip(cells.into_iter().map(Arc::new)).collect())
    }

    async fn fill_maps(
        &self,
        known: &Known,
        maps: &[Map<String, Value>],
    ) -> Result<Vec<Map<String, Value>>, Refused> {
        let mut filled = Vec::with_capacity(maps.len());
        for map in maps {
            if let Value::Object(map) = self.fill_json(known, &Value::Object(map.clone())).await? {
                filled.push(map);
            }
        }
        Ok(filled)
    }

    async fn fill_json(&self, known: &Known, value: &Value) -> Result<Value, Refused> {
        let mut filling = Filling::default();
        filling.json(value);
        let values = self.evaluate(known, filling.sources()).await?;
        Ok(filling.json_of(value, &values))
    }

    /// The leaf with a value in the place of every expression; `None` when it has none.
    async fn fill(&self, known: &Known) -> Result<Option<Arc<Leaf>>, Refused> {
        if !known.leaf.is_templated {
            return Ok(None);
        }
        let mut leaf = (*known.leaf).clone();
        let mut filling = Filling::default();
        leaf.visit_texts(&mut |text| filling.take(text));
        let values = self.evaluate(known, filling.sources()).await?;
        filling.fill(&mut leaf, &values).map_err(Refused::unprepared)?;
        Ok(Some(Arc::new(leaf)))
    }

    async fn check_preconditions(
        self: &Arc<Inner>,
        job: JobId,
        known: &Known,
        leaf: &Leaf,
    ) -> Result<(), Refused> {
        let runs = leaf.preconditions.iter().any(|precondition| matches!(precondition.check, Check::Run(_)));
        let given = if runs { self.given_before(job).await } else { Ok(Given::default()) };
        let given = given.map_err(Refused::unprepared)?;
        // People know what they wrote, not what it was filled to.
        for (written, Precondition { check, message }) in
            known.leaf.preconditions.iter().zip(&leaf.preconditions)
        {
            let is_met = match check {
                Check::Lua(text) => is_true(&self.evaluate_one(known, text).await?),
                Check::Run(script) => {
                    checks::holds(self, job, leaf, &known.sight.params, &given, script).await
                }
            };
            let (Check::Lua(text) | Check::Run(text)) = &written.check;
            if !is_met {
                let message = message.clone().unwrap_or_else(|| format!("not so: {}", text.trim()));
                return Err(Refused(Cause::Precondition { message }));
            }
        }
        Ok(())
    }

    /// Whether there is anything to do; `None` for a job that always has.
    ///
    /// A job that is up to date puts out what it put out when it last had something to do, so one that declares outputs
    /// is not up to date while nobody knows them.
    async fn freshness(
        self: &Arc<Inner>,
        job: JobId,
        known: &Known,
        leaf: &Leaf,
    ) -> Result<Option<Found>, Refused> {
        let Some(freshness) = leaf.freshness.clone() else { return Ok(None) };
        let last =
            self.store.history().fresh(&leaf.name).map_err(|error| Refused::unprepared(error.to_string()))?;
        let has_outputs = knows_outputs(last.as_ref(), leaf);
        let outputs = last.as_ref().map(|last| last.outputs.clone()).unwrap_or_default();
        let status = freshness.status.clone();
        let freshening = Freshening {
            freshness,
            folder: directory_of(leaf, &self.root),
            recipe: recipe(leaf, &known.sight.params),
            last,
        };
        let verdict = freshening.look().await.map_err(Refused::unprepared)?;
        let stale = Found::Stale(verdict.fingerprint);
        let Some(reason) = verdict.fresh.filter(|_| has_outputs && !known.force) else {
            return Ok(Some(stale));
        };
        let given = if status.is_empty() { Ok(Given::default()) } else { self.given_before(job).await };
        let given = given.map_err(Refused::unprepared)?;
        for script in &status {
            if !checks::holds(self, job, leaf, &known.sight.params, &given, script).await {
                return Ok(Some(stale));
            }
        }
        Ok(Some(Found::Fresh { reason, outputs }))
    }

    /// Finds out whether a job that succeeded is done again.
    pub(super) fn ask_repeat(self: &Arc<Inner>, attempt: AttemptId) {
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let answer = inner.may_repeat(attempt.job).await;
            let _ = inner.tell(Input::Answered { attempt, question: Question::Repeat, answer }).await;
        });
    }

    async fn may_repeat(&self, job: JobId) -> Answer {
        let Some(mut known) = self.known(job) else { return Answer::NoOpinion };
        let seen = self.view.look(|live| {
            let run = live.state.runs.get(&job.run)?;
            let state = &run.jobs[job.index as usize];
            let is_asked = matches!(state.phase, Phase::Asking { question: Question::Repeat, .. });
            let outputs = state.outputs.as_deref().cloned().unwrap_or_default();
            let params = (**run.params(job.index)).clone();
            is_asked.then_some((outputs, params, state.rounds + 1))
        });
        let Some((outputs, params, round)) = seen else { return Answer::NoOpinion };
        known.sight.variables.insert("round".into(), round.into());
        known.sight.variables.insert("params".into(), readable_params(&params, &known.sight.late));
        self.know_others(job, &mut known);
        let Some(repeat) = known.leaf.repeat.clone() else { return Answer::NoOpinion };
        let (text, wanted) = match &repeat.again {
            Again::While(text) => (text, true),
            Again::Until(text) => (text, false),
        };
        known.sight.variables.insert("outputs".into(), own_outputs(text, &outputs));
        match self.evaluate_one(&known, text).await {
            Ok(value) if is_true(&value) == wanted => Answer::Again { delay: None, reason: None },
            Ok(_) => Answer::NoOpinion,
            Err(Refused(Cause::Unprepared { message })) => Answer::Fail { message },
            Err(Refused(_)) => Answer::NoOpinion,
        }
    }
}
