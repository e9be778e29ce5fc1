//! What the expressions of a job see: its parameters, the jobs it needs, the outputs of its own last round.

use crate::definition::{Again, Check, Leaf, Over, Param, Params, references};
use crate::engine::{Phase, Run};
use crate::host::carry::outcome_word;
use crate::host::filling::Filling;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Whether an expression reads what only a cell has.
pub(super) fn reads_cell(source: &str, leaf: &Leaf) -> bool {
    let Some(spread) = &leaf.spread else { return false };
    let own = match &spread.over {
        Over::Items { name, .. } => name.as_str(),
        Over::Matrix { .. } => "matrix",
    };
    references(source).iter().any(|reference| reference.root == own)
}

/// Every expression of a leaf.
pub(super) fn sources_of(leaf: &Leaf) -> Vec<String> {
    let mut copy = leaf.clone();
    let mut filling = Filling::default();
    copy.visit_texts(&mut |text| filling.take(text));
    let mut sources: Vec<String> = filling.sources().iter().map(|source| source.to_string()).collect();
    sources.extend(leaf.condition.clone());
    for precondition in &leaf.preconditions {
        if let Check::Lua(text) = &precondition.check {
            sources.push(text.clone());
        }
    }
    if let Some(repeat) = &leaf.repeat {
        let (Again::While(text) | Again::Until(text)) = &repeat.again;
        sources.push(text.clone());
    }
    let spread = leaf.spread.as_ref().map(|spread| json!(spread.over));
    if let Some(over) = spread {
        let mut filling = Filling::default();
        filling.json(&over);
        sources.extend(filling.sources().iter().map(|source| source.to_string()));
    }
    sources
}

/// The job of this name among those that a job needs, directly or not.
pub(super) fn find_need(run: &Run, from: u32, sibling: &str, name: &str) -> Option<u32> {
    let from = run.jobs[from as usize].cell.as_ref().map_or(from, |cell| cell.parent);
    let (mut seen, mut open) = (std::collections::HashSet::new(), std::collections::VecDeque::from([from]));
    while let Some(index) = open.pop_front() {
        for &need in &run.node(index).needs {
            let found = run.node(need).leaf.name.as_str();
            if found == sibling || found == name {
                return Some(need);
            }
            if seen.insert(need) {
                open.push_back(need);
            }
        }
    }
    None
}

/// What expressions see of parameters: what nobody gave is there, and nil.
pub(super) fn readable_params(params: &Params, late: &[Param]) -> Value {
    or_nil(params, late.iter().map(|param| param.name.clone()))
}

/// What the condition of `repeat` sees of the last round: what it reads and was not written is nil.
pub(super) fn own_outputs(condition: &str, outputs: &Params) -> Value {
    let read = references(condition).into_iter().filter(|reference| reference.root == "outputs");
    or_nil(outputs, read.filter_map(|reference| reference.path.into_iter().next()))
}

/// The values that are there, and nil for the other names.
fn or_nil(values: &Params, names: impl Iterator<Item = String>) -> Value {
    let nil = names.map(|name| (name, Value::Null));
    Value::Object(nil.chain(values.iter().map(|(name, value)| (name.clone(), value.clone()))).collect())
}

/// What an expression sees of another job, and of the outputs that it reads there. A job that became many puts out
/// lists: a value for each of its cells. What a job that did not succeed has not put out is nil.
pub(super) fn about_job(run: &Run, index: u32, read: &BTreeSet<String>) -> Value {
    let job = &run.jobs[index as usize];
    let outcome = match &job.phase {
        Phase::Done(outcome) | Phase::Cleaning { outcome } => Some(outcome_word(outcome)),
        _ => None,
    };
    let is_spread = run.node(index).leaf.spread.is_some();
    let has_succeeded = matches!(&job.phase, Phase::Done(outcome) if outcome.is_success());
    let mut outputs = match is_spread && !job.cells.is_empty() {
        false => json!(job.outputs.as_deref().cloned().unwrap_or_default()),
        true => {
            let mut lists: BTreeMap<&str, Vec<Value>> = Default::default();
            for cell in job.cells.clone() {
                for (name, value) in run.jobs[cell as usize].outputs.iter().flat_map(|outputs| outputs.iter())
                {
                    lists.entry(name).or_default().push(value.clone());
                }
            }
            json!(lists)
        }
    };
    if let Value::Object(outputs) = &mut outputs
        && (is_spread || !has_succeeded)
    {
        for name in read.iter().filter(|name| !outputs.contains_key(*name)).cloned().collect::<Vec<_>>() {
            outputs.insert(name, if is_spread { json!([]) } else { Value::Null });
        }
    }
    json!({ "outcome": outcome, "outputs": outputs, "attempts": job.attempts })
}
