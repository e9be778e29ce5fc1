//! The table of cases on which several independent crons agree; its README explains the fields.

use crate::schedule::cron::Cron;
use crate::schedule::resolve;
use crate::schedule::zone::Zone;
use jiff::Timestamp;
use serde::Deserialize;

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cron/cases.jsonl"));
const CASES: usize = 1456;

/// The search ends with the year 5000; these ask for more.
const BEYOND_THE_LAST_YEAR: [&str; 1] = ["far-1194"];

#[derive(Deserialize)]
struct Case {
    id: String,
    expr: String,
    tz: String,
    from: String,
    #[serde(default)]
    expect: Vec<String>,
    #[serde(default)]
    reject: bool,
    #[serde(default)]
    never: bool,
    #[serde(default)]
    then_none: bool,
}

impl Case {
    /// Why the case fails, if it does.
    fn miss(&self) -> Option<String> {
        let zone = Zone::named(&self.tz).unwrap();
        let cron = match (Cron::parse(&self.expr, &zone), self.reject) {
            (Ok(_), true) => return Some("was not refused".to_owned()),
            (Err(_), true) => return None,
            (Err(error), false) => return Some(error.to_string()),
            (Ok(cron), false) => cron,
        };
        if cron.is_never != self.never {
            return Some(format!("never: {}", cron.is_never));
        }
        let instant = |text: &String| text.parse::<Timestamp>().unwrap();
        let expected: Vec<Timestamp> = self.expect.iter().map(instant).collect();
        let mut fires =
            std::iter::successors(Some(instant(&self.from)), |last| resolve::next(&cron, *last)).skip(1);
        let found: Vec<Timestamp> = fires.by_ref().take(self.expect.len()).collect();
        let is_over = !(self.never || self.then_none) || fires.next().is_none();
        (found != expected || !is_over).then(|| format!("{found:?} instead of {expected:?}"))
    }
}

#[test]
fn the_table_holds() {
    let cases: Vec<Case> = TABLE.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), CASES);
    let mut misses = Vec::new();
    for case in &cases {
        if let Some(why) = case.miss() {
            misses
                .push((case.id.as_str(), format!("{} in {} from {}: {why}", case.expr, case.tz, case.from)));
        }
    }
    let ids: Vec<&str> = misses.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, BEYOND_THE_LAST_YEAR, "{} misses: {misses:#?}", misses.len());
}
