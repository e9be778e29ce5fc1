//! `neap backfill`: runs for slots that went by without one, each slot once.

use super::support::Cli;
use neap::api::FilledInfo;

fn filled(cli: &Cli, args: &[&str]) -> Vec<(String, String)> {
    let told = cli.neap(&[&["backfill", "etl", "--json"], args].concat());
    assert_eq!(told.code, 0, "{told:?}");
    let filled: Vec<FilledInfo> = serde_json::from_str(&told.stdout).unwrap();
    filled.into_iter().map(|one| (one.slot.0.to_string(), one.state)).collect()
}

#[test]
fn each_slot_that_has_none_gets_its_run_in_order() {
    let task = "schedule: { cron: '0 * * * *', timezone: UTC }\nrun: echo $NEAP_SCHEDULED_AT >> seen";
    let cli = Cli::new().task("etl", task).task("hello", "run: echo");
    let night = ["--from", "2026-01-01 00:30", "--to", "2026-01-01 03:00"];
    let alone = cli.neap(&[&["backfill", "etl"][..], &night].concat());
    assert!(alone.code == 125 && alone.stderr.contains("no host is up"), "{alone:?}");
    let _server = cli.serve();
    let slot = |hour: u32, state: &str| (format!("2026-01-01T{hour:02}:00:00Z"), state.to_owned());
    let all = |state: &str| [slot(1, state), slot(2, state), slot(3, state)];
    assert_eq!(filled(&cli, &[&night[..], &["--dry-run"]].concat()), all("missing"));
    assert_eq!(
        filled(&cli, &["--from", "2026-01-01 02:00", "--to", "2026-01-01 02:00"]),
        [slot(2, "created")]
    );
    // Two at once: one of them creates what is missing.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| filled(&cli, &night));
        }
    });
    assert_eq!(filled(&cli, &night), all("there"));
    assert_eq!(cli.neap(&["wait", "etl#1", "etl#2", "etl#3"]).code, 0);
    let seen = std::fs::read_to_string(cli.root().join("seen")).unwrap();
    let seen: Vec<&str> = seen.lines().collect();
    assert_eq!(seen, ["2026-01-01T02:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z"]);
    // What has not come yet is not filled in.
    assert_eq!(filled(&cli, &["--from", "2126-01-01 00:00", "--to", "2126-01-02 00:00"]), []);
    for (args, why) in [
        (
            &["etl", "--from", "2025-01-01 00:00"][..],
            "there are more than 1000 slots; up to 2025-02-11T15:00:00Z",
        ),
        (&["hello", "--from", "2026-01-01 00:00"], "`hello` has no schedule whose slots could be filled in"),
        (&["elt", "--from", "2026-01-01 00:00"], "there is no task `elt`"),
        (&["etl", "--from", "soon"], "--from: "),
    ] {
        let told = cli.neap(&[&["backfill"], args].concat());
        assert!(told.code != 0 && told.stderr.contains(why), "{told:?}");
    }
}
