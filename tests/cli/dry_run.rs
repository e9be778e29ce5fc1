//! `neap run --dry-run` and conditions: what can be told before a run is told, and as the run then decides.

use super::support::Cli;
use serde_json::{Value, json};

/// What stands behind the conditions of the jobs, in their order.
fn conditions(cli: &Cli, args: &[&str]) -> Vec<String> {
    let told = cli.neap(&[&["run", "--dry-run"], args].concat());
    assert_eq!((told.stderr.as_str(), told.code), ("nothing was started\n", 0), "{told:?}");
    let behind = |line: &str| Some(line.trim().strip_prefix("if ")?.split_once(" -> ")?.1.to_owned());
    told.stdout.lines().filter_map(behind).collect()
}

#[track_caller]
fn check(condition: &str, expected: &str) {
    let params = "params: { deploy: false, day: { type: string }, n: '${{ #params.m * 2 }}', m: xyz, \
                  who: '${{ run.id }}-${{ params.m }}', bad: { type: string, default: '${{ params.who }}' } }";
    let cli = Cli::new().task(
        "t",
        &format!(
            "{params}
env: {{ MODE: fast, MADE: '${{{{ params.m }}}}', KEY: hidden }}
secrets: [{{ name: SECRET, from: env, key: USER }}]
tasks:
  a: {{ run: echo a }}
  b-c: {{ run: echo b }}
  x: {{ depends_on: [a, b-c], if: '{}', run: touch ran }}
",
            condition.replace('\'', "''")
        ),
    );
    let found = conditions(&cli, &["t", "m=four"]);
    assert_eq!(found, [expected], "{condition}");
    assert!(!cli.root().join(".neap").exists(), "something was written");
    assert!(!cli.root().join("ran").exists(), "something was run");
}

#[test]
fn a_condition_is_evaluated_when_nothing_but_the_run_is_missing() {
    check("params.deploy == true", "no: it would be skipped");
    check("not params.deploy", "yes");
    check("params.day == nil", "yes");
    check("params.n == \"8\"", "yes");
    check("env.MODE == \"fast\" and env.TZ == \"UTC\" and env.NOTHING == nil", "yes");
    check("env.MADE", "no: it would be skipped");
    check("env.USER", "no: it would be skipped");
    check("task.name == \"t/x\"", "yes");
    check("run.trigger == \"manual\" and run.by == \"anna\" and run.task == \"t\"", "yes");
    check("#run.date == 10 and run.scheduled_at == nil and run.reason == nil", "yes");
}

#[test]
fn what_only_a_run_knows_is_left_to_it() {
    check("tasks.a.outcome == \"succeeded\"", "it is decided when a has ended");
    check(
        "tasks.a.outcome == \"succeeded\" and tasks[\"b-c\"].outputs.n == run.number",
        "it is decided when a, b-c have ended",
    );
    check("run.number > 3", "it is decided in the run, for it reads run.number");
    check(
        "params.who and params.bad == run.id",
        "it is decided in the run, for it reads params.bad, params.who, run.id",
    );
    check("contains(params, 1)", "it is decided in the run, for it reads params");
}

#[test]
fn a_condition_that_fails_is_told() {
    check(
        "params.day.month == 3",
        "it would fail: `params.day.month == 3`: attempt to index nil with 'month'",
    );
    let cli = Cli::new().task(
        "t",
        "params: { n: { type: integer, default: '${{ params.of }}' }, of: many }\n\
         tasks: { a: { if: true, run: touch ran }, b: { run: 'true' } }\n",
    );
    assert_eq!(
        conditions(&cli, &["t"]),
        ["it would fail: the default of the parameter `n` does not fit: `many` is not a whole number"]
    );
}

#[test]
fn cells_decide_for_themselves() {
    let cli = Cli::new().task(
        "t",
        "tasks:
  a: { foreach: [1, 2], if: item > 1, run: 'true' }
  b: { strategy: { matrix: { os: [x] } }, if: 'matrix.os == \"x\"', run: 'true' }
  c: { foreach: [1, 2], if: 1 > 2, run: 'true' }
  d: { depends_on: c, run: 'true' }
",
    );
    assert_eq!(
        conditions(&cli, &["t"]),
        ["it is decided for each cell", "it is decided for each cell", "no: it would be skipped"]
    );
}

/// What is told is what the run does.
#[test]
fn the_run_decides_as_was_told() {
    let yaml = "params: { deploy: false, n: '${{ 2 * 21 }}' }
tasks:
  build: { run: 'true' }
  push: { depends_on: build, if: params.deploy == true, run: 'true' }
  count: { if: params.n == \"42\", run: 'true' }
  tell: { depends_on: push, run: 'true' }
";
    for (given, expected) in [("deploy=false", [false, true]), ("deploy=true", [true, true])] {
        let cli = Cli::new().task("t", yaml);
        let told = cli.neap(&["run", "t", given, "--dry-run", "--json"]);
        let plan: Value = serde_json::from_str(&told.stdout).unwrap();
        let job = |name: &str| {
            plan["jobs"].as_array().unwrap().iter().find(|job| job["name"] == name).unwrap()["condition"]
                .clone()
        };
        let known = |text: &str, holds: bool| json!({ "text": text, "holds": holds, "why_unknown": null, "error": null });
        assert_eq!(job("push"), known("params.deploy == true", expected[0]), "{given}");
        assert_eq!(job("count"), known("params.n == \"42\"", expected[1]), "{given}");
        assert_eq!(job("tell"), Value::Null);
        let told = cli.neap(&["run", "t", given, "--json"]);
        let run: Value = serde_json::from_str(&told.stdout).unwrap();
        let has_run = |name: &str| {
            let job = run["jobs"].as_array().unwrap().iter().find(|job| job["name"] == name).unwrap();
            job["outcome"]["outcome"] == "succeeded"
        };
        assert_eq!(["push", "count"].map(has_run), expected, "{given}: {run}");
        assert!(has_run("tell"), "a skipped job is no obstacle: {run}");
    }
}

/// A run goes to the host that is up, and has its environment.
#[test]
fn the_environment_of_a_host_is_not_ours() {
    let cli = Cli::new().task(
        "t",
        "env: { OWN: x }
tasks:
  a: { if: env.TZ == \"UTC\", run: 'true' }
  b: { if: env.OWN == \"x\", run: 'true' }
",
    );
    assert_eq!(conditions(&cli, &["t"]), ["yes", "yes"]);
    let _server = cli.serve();
    assert_eq!(conditions(&cli, &["t"]), ["it is decided in the run, for it reads env.TZ", "yes"]);
}

#[test]
fn a_dry_run_shows_conditions_among_the_rest() {
    let cli = Cli::new().task(
        "t",
        "params: { deploy: false }
tasks:
  build: { run: make }
  push: { depends_on: build, if: params.deploy == true, run: make push }
  tell: { depends_on: push, if: 'tasks.push.outcome ~= \"skipped\"', run: make news }
",
    );
    let told = cli.neap(&["run", "--dry-run", "t"]);
    let expected = "\
t: 3 jobs
  deploy=false

1. build
     $ make

2. push
     $ make push
     needs   build
     if      params.deploy == true -> no: it would be skipped

3. tell
     $ make news
     needs   push
     if      tasks.push.outcome ~= \"skipped\" -> it is decided when push has ended
";
    assert_eq!(
        (told.stdout.as_str(), told.stderr.as_str(), told.code),
        (expected, "nothing was started\n", 0)
    );
    let told = cli.neap(&["run", "--dry-run", "--json", "t"]);
    let plan: Value = serde_json::from_str(&told.stdout).unwrap();
    let tell = json!({
        "text": "tasks.push.outcome ~= \"skipped\"",
        "holds": null,
        "why_unknown": "it is decided when push has ended",
        "error": null,
    });
    assert_eq!((&plan["jobs"][0]["condition"], &plan["jobs"][2]["condition"]), (&Value::Null, &tell));
}
