//! Approvals in a run that has no host.

use super::whole::log;
use crate::cli_write::support::Cli;

const ASKING: &str = "tasks:
  ask: { uses: approval, with: { message: Publish it? } }
  go: { depends_on: ask, run: echo gone }
";

#[test]
fn an_approval_that_nobody_can_give_is_none() {
    let cli = Cli::new();
    cli.write("tasks/p.yaml", ASKING);
    let said = cli.neap(&["run", "p"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(log(&cli, "p/ask").contains("nobody can be asked: there is no terminal, and no host is up"));
    assert!(
        said.stderr.contains("1 failed, 1 skipped") || said.stdout.contains("1 failed, 1 skipped"),
        "{said:?}"
    );
}

#[test]
fn an_approval_is_asked_for_on_the_terminal() {
    for (typed, code) in [("what\ny\n", 0), ("n\n", 1)] {
        let cli = Cli::new();
        cli.write("tasks/p.yaml", ASKING);
        let said = cli.on_a_terminal(&["run", "p"], typed);
        assert_eq!(said.code, code, "{}", said.stdout);
        assert!(said.stdout.contains("ask: Publish it? [y/n]"), "{}", said.stdout);
    }
}

#[test]
fn the_command_that_decides_is_said_in_full() {
    let cli = Cli::new();
    cli.write("tasks/ops/deep/p.yaml", ASKING);
    cli.neap(&["run", "ops/deep/p"]);
    let log = log(&cli, "ops/deep/p/ask");
    let selector = log.lines().find_map(|line| line.strip_prefix("to decide: neap approve ")).unwrap();
    let selector = selector.split(' ').next().unwrap();
    assert!(selector.ends_with("/ask") && selector.matches('/').count() == 1, "{log}");
    assert_eq!(cli.neap(&["show", selector]).code, 0, "{log}");
}
