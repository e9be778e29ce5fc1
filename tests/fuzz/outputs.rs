//! What a job writes for others to read: lines of outputs, and files of variables.

use super::kit::{ALLOWED, Campaign, Input, Rng, mutated, processor_time};
use neap::definition::{ParamType, dotenv, outputs};
use std::collections::BTreeMap;
use std::time::Duration;

const GOOD: [&str; 6] = [
    "size=42\nnotes<<END\none\ntwo\nEND\n",
    "a=1\r\nb=two words\r\n\r\nc<<EOF\r\nx\r\nEOF\r\n",
    "count=7\nratio=0.5\nok=true\nlist=[1, 2]\nlist=a,b\n",
    "a<<A\nA\na<<A\nb<<A\nA\n",
    "key=value=with=more\nkey-2=\n_k= x \n",
    "export A='1'\n# comment\nB=\"a\\nb\" # c\nC=$HOME\nD='x\ny'\n",
];

fn types() -> BTreeMap<String, ParamType> {
    let types = [
        ("size", ParamType::Integer),
        ("count", ParamType::Integer),
        ("ratio", ParamType::Number),
        ("ok", ParamType::Boolean),
        ("list", ParamType::List),
    ];
    types.map(|(name, kind)| (name.to_owned(), kind)).into()
}

fn examine(input: &Input) -> Result<Duration, String> {
    let text = String::from_utf8_lossy(&input[0]);
    let begun = processor_time();
    let (values, problems) = outputs(&text, &types());
    let variables = dotenv(&text);
    let took = processor_time() - begun;
    let lines = text.split('\n').count();
    if let Some(problem) = problems.iter().find(|problem| problem.line == 0 || problem.line > lines) {
        return Err(format!("{problem}: there are {lines} lines"));
    }
    if !problems.is_sorted_by_key(|problem| problem.line) {
        return Err(format!("not in order: {problems:?}"));
    }
    if variables.is_err_and(|problem| problem.line == 0 || problem.line > lines) {
        return Err("a variable in a line that is not there".into());
    }
    if values.len() > 1_000 || problems.len() > lines {
        return Err(format!("{} values and {} problems", values.len(), problems.len()));
    }
    Ok(took)
}

#[test]
fn every_output_is_answered() {
    let texts = GOOD.map(|text| text.as_bytes().to_vec());
    let make = |rng: &mut Rng| vec![mutated(rng, &texts)];
    Campaign { name: "outputs", everyday: 2_000, share: 1, allowed: ALLOWED }.run(make, examine);
}
