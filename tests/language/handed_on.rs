//! What jobs hand on, also where there was nothing to do, nothing to run for, or a failure before.

use super::whole::{log, results};
use crate::cli_write::support::Cli;

fn project(task: &str) -> Cli {
    let cli = Cli::new();
    cli.write("tasks/p.yaml", task);
    let checked = cli.neap(&["check"]);
    assert_eq!(checked.code, 0, "{}", checked.stdout);
    cli
}

#[track_caller]
fn run(cli: &Cli, args: &[&str], code: i32) {
    let said = cli.neap(args);
    assert_eq!(said.code, code, "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_job_that_is_up_to_date_hands_on_what_it_put_out_when_it_was_not() {
    for method in ["checksum", "timestamp", "none"] {
        let cli = project(&format!(
            "tasks:
  b: {{ sources: s.txt, generates: made, method: {method}, outputs: {{ v: integer }}, run: 'echo v=42 >> $NEAP_OUTPUT; touch made' }}
  g: {{ depends_on: b, run: 'echo ${{{{ tasks.b.outputs.v + 1 }}}}' }}
"
        ));
        // The outputs are not known, although what it generates is there.
        cli.write("s.txt", "s").write("made", "");
        let dry = cli.neap(&["run", "p", "--dry-run"]).stdout;
        assert!(dry.contains("fresh   skipped while "), "{dry}");
        for round in 1..=3 {
            run(&cli, &["run", "p"], 0);
            let result = &results(&cli, &format!("p#{round}"))["b"];
            assert_eq!(result.starts_with("skipped: "), round > 1, "{method}: {result}");
            let dry = cli.neap(&["run", "p", "--dry-run"]).stdout;
            assert!(dry.contains("fresh   nothing to do now: "), "{dry}");
            assert_eq!(log(&cli, "p/g"), "43\n", "{method}");
        }
        run(&cli, &["run", "p", "--force"], 0);
        assert_eq!(results(&cli, "p#4")["b"], "ok");
    }
}

#[test]
fn a_retry_takes_outputs_over() {
    let cli = project(
        "tasks:
  a: { run: 'echo v=1 >> $NEAP_OUTPUT' }
  f: { run: test -f there }
  c: { depends_on: [a, f], run: 'echo c ${{ tasks.a.outputs.v }}' }
",
    );
    run(&cli, &["run", "p"], 1);
    cli.write("there", "");
    run(&cli, &["retry", "p"], 0);
    assert_eq!(log(&cli, "p/c"), "c 1\n");
    let journal = cli.neap(&["show", "p", "--events", "--json"]);
    assert_eq!(journal.code, 0, "{journal:?}");
}

#[test]
fn nothing_to_run_for_puts_out_empty_lists() {
    let cli = project(
        "tasks:
  list: { run: \"echo 'l=[]' >> $NEAP_OUTPUT\", outputs: { l: list } }
  each: { depends_on: list, foreach: '${{ tasks.list.outputs.l }}', run: 'echo o=x >> $NEAP_OUTPUT' }
  sum: { depends_on: each, run: 'echo ${{ #tasks.each.outputs.o }}' }
",
    );
    run(&cli, &["run", "p"], 0);
    assert_eq!(log(&cli, "p/sum"), "0\n");
}

#[test]
fn what_nobody_gave_is_nil() {
    let cli = project(
        "params: { opt: { type: string }, n: { type: integer } }
tasks:
  none: { if: params.opt == nil, run: 'echo ${{ default(params.opt, \"none\") }}' }
  some: { if: params.opt ~= nil, run: 'echo ${{ params.opt }} \"${PARAM_N-unset}\"' }
",
    );
    run(&cli, &["run", "p"], 0);
    assert_eq!(log(&cli, "p/none"), "none\n");
    run(&cli, &["run", "p", "opt=x"], 0);
    assert_eq!(log(&cli, "p/some"), "x unset\n");
}

#[test]
fn a_round_may_put_out_nothing() {
    let cli = project(
        "run: 'if test -f there; then echo state=ready >> $NEAP_OUTPUT; fi; touch there'
repeat: { until: outputs.state == \"ready\", every: 1ms, limit: 5 }
",
    );
    run(&cli, &["run", "p"], 0);
}

#[test]
fn what_was_held_back_has_put_out_nil() {
    let cli = project(
        "tasks:
  bad: { run: exit 3 }
  held: { depends_on: bad, run: 'echo v=1 >> $NEAP_OUTPUT' }
finally:
  tell: { run: 'echo ${{ default(tasks.held.outputs.v, \"nothing\") }} ${{ tasks.held.outcome }}' }
",
    );
    run(&cli, &["run", "p"], 3);
    assert_eq!(log(&cli, "p/tell"), "nothing skipped\n");
}

#[test]
fn what_was_put_out_and_kept_is_shown() {
    let cli = project(
        "tasks:
  a: { run: 'echo v=1 >> $NEAP_OUTPUT; mkdir -p out; touch out/1 out/2', outputs: { v: integer }, artifacts: out }
",
    );
    run(&cli, &["run", "p"], 0);
    assert!(cli.neap(&["show", "p#1"]).stdout.contains("  outputs a  v=1\n"));
    let shown = cli.on_a_terminal(&["show", "p#1"], "").stdout;
    assert!(shown.contains("2 files in artifacts/"), "{shown}");
}
