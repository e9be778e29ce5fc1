//! The normalised form of a task: what is shown, stored beside a run, and hashed.
//!
//! Two files that mean the same have the same normalised form, whatever their spelling.

use super::expect::Expect;
use super::firing::Firing;
use super::secret::Secret;
use super::task::{Leaf, Param, ParamType, Params, Task, Timetable};
use super::turns::Turns;
use crate::schedule::{Fold, Schedule};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::BufWriter;
use std::sync::Arc;

/// Bytes that are hashed at once; a hasher is fastest with many.
const HASHED_AT_ONCE: usize = 64 << 10;

#[derive(Serialize)]
struct NormalTask<'t> {
    name: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'t str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'t BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'t str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    metadata: &'t Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<NormalParam<'t>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schedule: Vec<NormalTimetable<'t>>,
    #[serde(skip_serializing_if = "Turns::is_usual")]
    turns: &'t Turns,
    #[serde(skip_serializing_if = "Expect::is_nothing")]
    expect: &'t Expect,
    is_pipeline: bool,
    leaves: &'t [Arc<Leaf>],
}

#[derive(Serialize)]
struct NormalParam<'t> {
    name: &'t str,
    #[serde(rename = "type")]
    kind: ParamType,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    required: bool,
    #[serde(rename = "enum", skip_serializing_if = "<[Value]>::is_empty")]
    choices: &'t [Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'t str>,
}

#[derive(Serialize)]
struct NormalTimetable<'t> {
    when: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: &'t Params,
    /// Bounds, exceptions and what is done at clock changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'t Secret>,
    #[serde(flatten)]
    firing: &'t Firing,
    enabled: bool,
}

impl<'t> NormalTask<'t> {
    fn new(task: &'t Task) -> NormalTask<'t> {
        NormalTask {
            name: task.name.as_str(),
            description: task.description.as_deref(),
            labels: &task.labels,
            group: task.group.as_deref(),
            metadata: &task.metadata,
            params: task.params.iter().map(NormalParam::new).collect(),
            schedule: task.timetables.iter().map(NormalTimetable::new).collect(),
            turns: &task.turns,
            expect: &task.expect,
            is_pipeline: task.is_pipeline,
            leaves: &task.leaves,
        }
    }
}

impl<'t> NormalParam<'t> {
    fn new(param: &'t Param) -> NormalParam<'t> {
        NormalParam {
            name: &param.name,
            kind: param.kind,
            default: param.default.clone().or_else(|| param.late.clone().map(Value::String)),
            required: param.required,
            choices: &param.choices,
            pattern: param.pattern.as_deref(),
            minimum: param.minimum,
            maximum: param.maximum,
            description: param.description.as_deref(),
        }
    }
}

impl<'t> NormalTimetable<'t> {
    fn new(timetable: &'t Timetable) -> NormalTimetable<'t> {
        NormalTimetable {
            when: timetable.schedule.to_string(),
            timezone: timetable.schedule.zone().map(ToString::to_string),
            params: &timetable.params,
            limits: limits(&timetable.schedule),
            token: timetable.token.as_ref(),
            firing: &timetable.firing,
            enabled: timetable.enabled,
        }
    }
}

fn limits(schedule: &Schedule) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(limits) = schedule.limits() {
        words.extend(limits.start.map(|start| format!("from {start}")));
        words.extend(limits.end.map(|end| format!("until {end}")));
        words.extend(limits.exclude.iter().map(|exclusion| format!("not {exclusion}")));
    }
    let (gap, fold) = schedule.clock_changes();
    words.extend(gap.map(|gap| format!("dst_gap {gap:?}")));
    words.extend((fold != Fold::First).then(|| format!("dst_overlap {fold:?}")));
    words
}

impl Task {
    /// The normalised definition as JSON: every alias resolved, every default filled in.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(NormalTask::new(self)).expect("a task holds nothing that JSON cannot")
    }

    /// The leaf with this full name.
    pub fn leaf(&self, name: &str) -> Option<&Arc<Leaf>> {
        self.leaves.iter().find(|leaf| leaf.name.as_str() == name)
    }

    /// What [`Task::hash`] is: blake3 over the normalised definition, 32 hexadecimal digits.
    pub(super) fn content_hash(&self) -> Arc<str> {
        // It is hashed as it is written: the JSON of a large pipeline has megabytes.
        let mut hashed = BufWriter::with_capacity(HASHED_AT_ONCE, blake3::Hasher::new());
        serde_json::to_writer(&mut hashed, &NormalTask::new(self))
            .expect("a task holds nothing that JSON cannot");
        let hasher = hashed.into_inner().expect("a hasher takes everything");
        hasher.finalize().to_hex()[..32].into()
    }
}
