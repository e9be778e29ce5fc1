//! What was once written can be read for ever.

use super::samples::samples;
use super::*;

/// Lines that a released version has written. Lines may be added; none may be changed.
const V1: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/journal/v1.jsonl"));

#[test]
fn a_stored_journal_is_read_and_written_back_byte_for_byte() {
    for line in V1.lines() {
        let record: Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
    }
}

#[test]
fn every_event_is_in_the_stored_journal() {
    let lines =
        stamp(1_764_000_000_000, samples()).into_iter().map(|record| serde_json::to_string(&record).unwrap());
    let missing: Vec<String> = lines.filter(|line| !V1.lines().any(|stored| stored == line)).collect();
    assert!(missing.is_empty(), "add these lines:\n{}\n", missing.join("\n"));
}

/// A plan as a released version has stored it. Fields may come; what is here keeps its meaning.
const PLAN_V1: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/journal/plan-v1.json"));

#[test]
fn a_stored_plan_is_read() {
    let plan: Plan = serde_json::from_str(PLAN_V1).unwrap();
    let needs: Vec<&[u32]> = plan.nodes.iter().map(|node| &*node.needs).collect();
    assert_eq!(needs, [&[][..], &[0], &[0], &[1, 2], &[]]);
    let actions = plan.nodes.iter().map(|node| serde_json::to_value(&node.leaf.action).unwrap());
    let words: Vec<String> =
        actions.map(|action| action.as_object().unwrap().keys().next().unwrap().clone()).collect();
    assert_eq!(words, ["run", "exec", "lua", "script", "call"]);
    assert_eq!(plan.nodes[0].leaf.stop.grace.0, 3000);
    assert_eq!(plan.nodes[3].leaf.cleanup.len(), 3);
}

#[test]
fn every_event_comes_back_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let records = stamp(7, samples());
    let last = wait(store.commit(records.clone(), Durability::Written)).unwrap();
    let entries = store.history().journal(Seq(0), 1000).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.record.clone()).collect::<Vec<_>>(), records);
    assert_eq!(entries.last().unwrap().seq, last);
    let again = wait(store.commit(records[10..].to_vec(), Durability::Written));
    assert!(again.is_ok(), "what is written twice changes nothing but the journal");
}
