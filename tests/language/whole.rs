//! Every key that makes a run flow, in one project.

use crate::cli_write::support::Cli;
use serde_json::Value;
use std::collections::BTreeMap;

const ALL: &str = r#"
params:
  day: { type: date, default: "${{ run.date }}" }
  who: { default: "a'b; touch hacked" }
templates:
  polite: { env: { GREETING: "hello ${{ params.who }}" } }
tasks:
  list:
    extends: polite
    run: |
      echo "$GREETING"
      echo 'files=["a b", "c"]' >> "$NEAP_OUTPUT"
      echo size=42 >> "$NEAP_OUTPUT"
    outputs: { files: list, size: integer }
  each:
    depends_on: list
    foreach: { items: "${{ tasks.list.outputs.files }}", as: file, max_parallel: 1 }
    run: |
      echo "<${{ file }}> <$NEAP_FILE>"
      echo "length=${{ #file }}" >> "$NEAP_OUTPUT"
  cells:
    strategy: { matrix: { os: [linux, mac], v: [1, 2] }, exclude: [{ os: mac, v: 1 }] }
    run: echo "$MATRIX_OS ${{ matrix.v }}"
  big: { depends_on: list, if: tasks.list.outputs.size > 100, run: echo big }
  small: { depends_on: [list, big], if: tasks.list.outputs.size <= 100, run: echo small }
  sum: { depends_on: each, run: "echo ${{ join(tasks.each.outputs.length, '+') }}" }
  bad: { run: exit 3, continue_on_error: true }
  onbad: { depends_on: { task: bad, when: failed }, run: echo it failed }
  never: { depends_on: { task: list, when: failed }, run: echo never }
  writer: { run: "printf 'b\\na\\n'" }
  sorter: { stdin: { task: writer }, run: sort }
  text: { stdin: "today is ${{ run.task }}", run: cat }
  numbers: { run: seq 1 100000 }
  count: { stdin: { task: numbers, stream: true }, run: wc -l }
  poll:
    run: |
      n=$(cat n 2>/dev/null || echo 0)
      echo $((n + 1)) > n
      echo "n=$((n + 1))" >> "$NEAP_OUTPUT"
    repeat: { until: tonumber(outputs.n) >= 3, every: 10ms }
  fresh: { depends_on: poll, sources: tasks/*.yaml, generates: n, run: echo built }
  guarded: { preconditions: [{ run: test -d nowhere, message: no such folder }], run: echo never, continue_on_error: true }
  sub: { uses: "task:other", with: { params: { x: "${{ params.day }}" } } }
  after: { depends_on: sub, run: "echo ${{ tasks.sub.outputs.y }}" }
  kept: { run: "mkdir -p out && echo kept > out/a.txt", artifacts: out }
finally:
  bye: { run: echo bye }
"#;

const OTHER: &str = "params: { x: { required: true } }\nrun: echo \"y=got $PARAM_X\" >> \"$NEAP_OUTPUT\"\n";

/// What became of each job of a run, by name.
pub(super) fn results(cli: &Cli, run: &str) -> BTreeMap<String, String> {
    let said = cli.neap(&["show", run, "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let run: Value = serde_json::from_str(&said.stdout).unwrap();
    let jobs = run["jobs"].as_array().unwrap().iter();
    jobs.map(|job| (job["name"].as_str().unwrap().into(), job["result"].as_str().unwrap().into())).collect()
}

pub(super) fn log(cli: &Cli, job: &str) -> String {
    let said = cli.neap(&["logs", job]);
    assert_eq!(said.code, 0, "{said:?}");
    said.stdout
}

#[test]
fn a_run_flows_as_its_file_says() {
    let cli = Cli::new();
    cli.write("tasks/all.yaml", ALL).write("tasks/other.yaml", OTHER);
    let checked = cli.neap(&["check"]);
    assert_eq!(checked.code, 0, "{}", checked.stdout);
    let said = cli.neap(&["run", "all"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(!cli.root().join("hacked").exists());
    let found = results(&cli, "all#1");
    let expected = [
        ("after", "ok"),
        ("bad", "exit 3"),
        ("big", "skipped: not so: tasks.list.outputs.size > 100"),
        ("bye", "ok"),
        ("cells", "ok"),
        ("cells.linux-1", "ok"),
        ("cells.linux-2", "ok"),
        ("cells.mac-2", "ok"),
        ("count", "ok"),
        ("each", "ok"),
        ("each.a-b", "ok"),
        ("each.c", "ok"),
        ("fresh", "ok"),
        ("guarded", "precondition: no such folder"),
        ("kept", "ok"),
        ("list", "ok"),
        ("never", "skipped: what it waits for did not happen at list"),
        ("numbers", "ok"),
        ("onbad", "ok"),
        ("poll", "ok"),
        ("small", "ok"),
        ("sorter", "ok"),
        ("sub", "ok"),
        ("sum", "ok"),
        ("text", "ok"),
        ("writer", "ok"),
    ];
    assert_eq!(found, expected.map(|(job, result)| (job.to_owned(), result.to_owned())).into());
    assert_eq!(log(&cli, "all#1/list"), "hello a'b; touch hacked\n");
    assert_eq!(log(&cli, "all#1/each.a-b"), "<a b> <a b>\n");
    assert_eq!(log(&cli, "all#1/sum"), "3+1\n");
    assert_eq!(log(&cli, "all#1/sorter"), "a\nb\n");
    assert_eq!(log(&cli, "all#1/text"), "today is all");
    assert_eq!(log(&cli, "all#1/count"), "100000\n");
    assert!(log(&cli, "all#1/after").starts_with("got 20"));
    let again = cli.neap(&["run", "all"]);
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    assert_eq!(results(&cli, "all#2")["fresh"], "skipped: inputs unchanged since all#1");
    let forced = cli.neap(&["run", "all", "--force"]);
    assert_eq!(forced.code, 0, "{}{}", forced.stdout, forced.stderr);
    assert_eq!(results(&cli, "all#3")["fresh"], "ok");
}

#[test]
fn what_cannot_be_found_out_fails_the_job_and_says_why() {
    let cli = Cli::new();
    cli.write(
        "tasks/t.yaml",
        r#"
tasks:
  a: { run: echo x=1 >> "$NEAP_OUTPUT" }
  b: { depends_on: a, run: "echo ${{ tasks.a.outputs.y }}" }
  c: { outputs: { n: integer }, run: echo n=many >> "$NEAP_OUTPUT" }
  d: { outputs: [n], run: echo nothing }
  e: { foreach: "${{ 5 }}", run: echo never }
  f: { foreach: "${{ {} }}", run: echo never }
  g: { secrets: [{ name: A, from: file, key: nowhere }], run: echo never }
  h: { run: exit 1, repeat: { until: "true", limit: 2 } }
  i: { run: echo x=1 >> "$NEAP_OUTPUT", repeat: { until: "false", limit: 2, every: 0s } }
  j: { stdin: { task: h }, run: cat }
"#,
    );
    let said = cli.neap(&["run", "t"]);
    assert_ne!(said.code, 0);
    let found = results(&cli, "t#1");
    assert!(found["b"].contains("`y`") && found["b"].contains("tasks.a.outputs.y"), "{}", found["b"]);
    assert!(found["c"].contains("outputs cannot be read: line 1"), "{}", found["c"]);
    assert_eq!(found["d"], "the output `n` is declared, and was not written to $NEAP_OUTPUT");
    assert_eq!(found["e"], "the cells cannot be made: `items` must give a list");
    assert_eq!(found["f"], "skipped: there are no items");
    assert!(found["g"].starts_with("not started: the secret `A` cannot be read from"), "{}", found["g"]);
    assert_eq!(found["h"], "exit 1");
    assert_eq!(found["i"], "not there after 2 rounds");
    assert_eq!(found["j"], "skipped: needs h");
}
