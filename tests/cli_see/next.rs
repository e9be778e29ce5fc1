//! `neap next`: schedules of a project, and expressions without one.

use super::support::Project;
use neap::api::FireInfo;
use serde_json::{Value, json};

#[test]
fn an_expression_needs_no_project() {
    let project = Project::new(&[]);
    std::fs::remove_dir(project.root().join("tasks")).unwrap();
    let from = ["--from", "2026-11-21T09:00:00Z", "-n", "2"];
    let answer: Value =
        project.json(&[&["next", "*/15 9-17 * * mon-fri", "--tz", "Europe/Berlin"], &from[..]].concat());
    assert_eq!(
        answer,
        json!({
            "expression": "*/15 9-17 * * mon-fri",
            "timezone": "Europe/Berlin",
            "description": "every 15 minutes from 09:00 to 17:45, Monday to Friday (Europe/Berlin)",
            "fires": ["2026-11-23T09:00:00+01:00", "2026-11-23T09:15:00+01:00"],
        })
    );
    project
        .person(&[&["next", "@daily"], &from[..]].concat())
        .shows(&["  Sun 2026-11-22 00:00 +00:00  in 15h\n"]);
    let read = project.neap(&[&["next", "every 6h"], &from[..]].concat());
    assert_eq!(
        read.out,
        "every 6h\n2026-11-21T12:00:00+00:00\tin 3h\n2026-11-21T18:00:00+00:00\tin 9h\n  4 times a day, 28 a week\n"
    );
}

#[test]
fn a_clock_change_is_followed() {
    let project = Project::new(&[]);
    let fires = |expression: &str, from: &str| -> Value {
        let args = ["next", expression, "--tz", "Europe/Berlin", "--from", from, "-n", "2"];
        project.json::<Value>(&args)["fires"].clone()
    };
    assert_eq!(
        fires("30 2 * * *", "2027-03-27T12:00:00+01:00"),
        json!(["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"])
    );
    assert_eq!(
        fires("30 2 * * *", "2027-10-30 12:00"),
        json!(["2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"])
    );
}

#[test]
fn what_is_wrong_is_shown_in_its_place() {
    let project = Project::new(&[]);
    let refused = project.neap(&["next", "0 61 * * *"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert_eq!(
        refused.err,
        "error: the hour field is wrong: `61` is not between 0 and 23\n  0 61 * * *\n    ^^\n"
    );
    let refused = project.neap(&["next", "0 61 * * *", "--json"]);
    let error: Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!(error["error"]["span"], json!([2, 4]));
    assert_eq!((refused.code, refused.err.as_str()), (1, ""));
    let never: Value = project.json(&["next", "0 0 31 2 *"]);
    assert_eq!(never["fires"], json!([]));
    project.person(&["next", "0 0 31 2 *"]).shows(&["never: none of its months", "it never fires again"]);
    assert_eq!(project.neap(&["next", "@daily", "--tz", "Europe/Berln"]).code, 2);
    assert_eq!(project.neap(&["next", "@daily", "--from", "soon"]).code, 2);
}

#[test]
fn schedules_of_a_project_are_listed() {
    let project = Project::new(&[
        (
            "a",
            "{ run: ls, schedule: [{ cron: '13 3 * * *', timezone: UTC }, { every: 7d, enabled: false }] }",
        ),
        ("b", "{ run: ls, schedule: { cron: '13 3 * * *', timezone: UTC } }"),
        ("c", "run: ls"),
    ]);
    project.person(&["next", "--from", "2026-11-21T09:00:00Z"]).shows(&[
        "03:13 tomorrow  18h13m  a     13 3 * * *  daily at 03:13 (UTC)\n",
        "7 minutes in the next 7 days begin more than one run. The busiest: 03:13 tomorrow (2 runs: a, b).\n",
    ]);
    let fires: Vec<FireInfo> = project.json(&["next"]);
    assert_eq!(fires.iter().map(|fire| fire.task.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let one: Vec<Value> = project.json(&["next", "a", "-n", "2", "--from", "2026-11-21T09:00:00Z"]);
    assert_eq!(one[0]["fires"], json!(["2026-11-22T03:13:00+00:00", "2026-11-23T03:13:00+00:00"]));
    serde_json::from_value::<FireInfo>(one[0].clone()).unwrap();
    let none = project.neap(&["next", "c"]);
    assert!(none.code == 0 && none.err.contains("c has no schedule"), "{none:?}");
    let unknown = project.neap(&["next", "nothing"]);
    assert!(unknown.code == 1 && unknown.err.contains("there is no task `nothing`"), "{unknown:?}");
}

/// Nobody knows when: all that can be told is for what.
#[test]
fn what_waits_for_files_says_so_everywhere() {
    let project = Project::new(&[("take", "schedule: { watch: [in/*.csv, \"a b\"] }\nrun: echo\n")]);
    let words = "on change of in/*.csv, a b";
    project.person(&["next"]).shows(&[words]);
    project.person(&["next", "take"]).shows(&[words]);
    project.person(&["ls"]).shows(&[words]);
    project.person(&["show", "take"]).shows(&[words]);
    project.person(&["why", "take"]).shows(&["on change of in/*.csv, a b fires when that happens"]);
    project
        .person(&["plan"])
        .shows(&["Nothing starts until", "not foreseen: take, on change of in/*.csv, a b"]);
    let ahead: Value = project.json(&["plan"]);
    assert_eq!(ahead["unforeseen"], json!([{ "task": "take", "schedule": words }]));
}
