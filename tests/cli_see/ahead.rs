//! `neap plan`: the rules themselves on a clock that nobody waits for.

use super::support::Project;
use neap::api::AheadInfo;

/// Three tasks at one minute.
fn project(slots: u32) -> Project {
    let at_three =
        |shell: &str| format!("schedule: {{ cron: \"0 3 * * *\", timezone: UTC }}\nrun: {shell}\n");
    let project = Project::new(&[
        ("a", &at_three("sleep 0.2")),
        ("b", &at_three("sleep 0.2")),
        ("c", &at_three("'true'")),
    ]);
    std::fs::write(project.root().join("neap.yaml"), format!("slots: {slots}\ntimezone: UTC\n")).unwrap();
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn what_starts_when_and_what_waits_is_foreseen() {
    let project = project(1);
    project.past(&["a", "b"]).await;
    let night = ["plan", "--from", "2027-01-01T02:00:00Z", "--to", "2h"];
    let ahead: AheadInfo = project.json(&night);
    let told: Vec<_> =
        ahead.runs.iter().map(|run| (run.task.as_str(), run.is_guessed, run.waits_ms > 0)).collect();
    assert_eq!(told, [("a", false, false), ("b", false, true), ("c", true, true)]);
    let (a, b) = (&ahead.runs[0], &ahead.runs[1]);
    assert_eq!(
        (a.created, b.started),
        (a.started.unwrap(), a.ended),
        "one slot: each begins where the last one ends"
    );
    assert!(a.takes().unwrap().0 >= 200, "as long as it took: {a:?}");
    assert_eq!((ahead.full.len(), ahead.full[0].waiting, ahead.full[0].to), (1, 2, b.ended));
    let fast: AheadInfo = project.json(&[&night[..], &["--speed", "10"]].concat());
    let (slow, fast) = (a.takes().unwrap().0, fast.runs[0].takes().unwrap().0);
    assert!((slow / 10..=slow / 10 + 1).contains(&fast), "{slow} and {fast}");
    project.person(&night).is_clean().shows(&[
        "2027-01-01 03:00  a",
        "3 runs until 2027-01-01 04:00.\nup to 2 jobs would wait from 2027-01-01 03:00 to 2027-01-01 03:00\n",
        "? was never seen to succeed; a second is assumed\n",
    ]);
    let hour = ["plan", "--from", "2027-01-01T02:30:00Z", "--to", "1h"];
    project.person(&hour).shows(&["03:00:00  a", "up to 2 jobs would wait from 03:00:00 to 03:00:"]);
    let none: AheadInfo = project.json(&["plan", "--from", "2027-01-01T04:00:00Z", "--to", "1h"]);
    assert_eq!((none.runs.len(), none.is_cut), (0, false));
    for wrong in [["--to", "2020-01-01"], ["--speed", "0"], ["--speed", "-1"], ["--from", "soon"]] {
        let answer = project.neap(&[&["plan"][..], &wrong].concat());
        assert_eq!(answer.code, 2, "{wrong:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overlaps_and_rests_are_foreseen_too() {
    let project = Project::new(&[
        ("often", "schedule: { every: 1s }\nrun: sleep 0.1\n"),
        ("rests", "schedule: { every: 1s }\nrun: echo\n"),
    ]);
    project.past(&["often"]).await;
    let host = project.host().await;
    let by = neap::engine::Author("bert".into());
    host.rest("rests".parse().unwrap(), true, by, None).await.unwrap();
    host.shutdown().await;
    drop(host);
    // Slower than life: what takes a tenth of a second takes more than one.
    let minute = ["plan", "--from", "2027-01-01T02:00:00Z", "--to", "60s", "--speed", "0.05"];
    let ahead: AheadInfo = project.json(&minute);
    let of = |task: &str, why: Option<&str>| {
        ahead.runs.iter().filter(|run| run.task.as_str() == task && run.skipped.as_deref() == why).count()
    };
    assert_eq!(of("rests", Some("the schedules of the task rest")), 60);
    let skipped = of("often", Some("the run before it still goes on"));
    assert_eq!((of("often", None) + skipped, ahead.runs.len()), (60, 120));
    assert!(skipped >= 30, "{skipped}");
    let all: AheadInfo = project.json(&["plan", "--from", "2027-01-01T00:00:00Z", "--to", "1d"]);
    assert_eq!((all.is_cut, all.runs.len()), (true, 10_000));
}
