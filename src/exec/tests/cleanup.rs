//! Tidying up with commands. What may be removed is tested beside the code that removes.

use super::*;
use crate::definition::Cleanup;

async fn tidy(bench: &Bench, item: Cleanup, limit: u64) -> Result<(), String> {
    let env: Vec<(OsString, OsString)> = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
    let masks = Masks::new(["hunter2"]);
    let result =
        run_cleanup(&item, bench.folder.path(), &env, &bench.path("1.log"), Millis(limit), &masks).await;
    result.map_err(|problem| problem.to_string())
}

fn shell(script: &str) -> Cleanup {
    Cleanup::Run { script: script.into() }
}

#[tokio::test]
async fn commands_tidy_up_where_the_job_ran() {
    let bench = Bench::processes();
    std::fs::create_dir_all(bench.path("a/b")).unwrap();
    assert_eq!(tidy(&bench, shell("echo tidied; rmdir a/b"), 60_000).await, Ok(()));
    assert_eq!(tidy(&bench, Cleanup::Exec { argv: words(&["rmdir", "a"]) }, 60_000).await, Ok(()));
    assert!(!bench.path("a").exists());
    assert_eq!(bench.log(1), b"tidied\n");
}

#[tokio::test]
async fn problems_are_told() {
    let bench = Bench::processes();
    for (item, expected) in [
        (shell("exit 3"), "the command ended with exit code 3"),
        (shell("kill -9 $$"), "the command ended with SIGKILL"),
        (Cleanup::Exec { argv: words(&["nonsense"]) }, "there is no program `nonsense` on the PATH"),
        (Cleanup::Remove { path: "../x".into() }, "`../x` is not removed: `..` is not allowed in it"),
    ] {
        assert_eq!(tidy(&bench, item, 60_000).await, Err(expected.into()));
    }
}

#[tokio::test]
async fn secrets_do_not_show() {
    let bench = Bench::processes();
    assert_eq!(tidy(&bench, shell("echo hunter2; echo hunter2 >&2"), 60_000).await, Ok(()));
    assert_eq!(bench.log(1), b"***\n***\n");
    for (item, expected) in [
        (Cleanup::Exec { argv: words(&["hunter2"]) }, "there is no program `***` on the PATH"),
        (Cleanup::Remove { path: "../hunter2".into() }, "`../***` is not removed: `..` is not allowed in it"),
    ] {
        assert_eq!(tidy(&bench, item, 60_000).await, Err(expected.into()));
    }
}

#[tokio::test]
async fn a_command_that_hangs_is_stopped() {
    let bench = Bench::processes();
    let result = tidy(&bench, shell("sleep 1000"), 50).await;
    assert_eq!(result, Err("the command was stopped after 50ms".into()));
}

#[tokio::test]
async fn a_tree_is_removed() {
    let bench = Bench::processes();
    std::fs::create_dir_all(bench.path("a/b/c")).unwrap();
    assert_eq!(tidy(&bench, Cleanup::Remove { path: "a".into() }, 0).await, Ok(()));
    assert!(!bench.path("a").exists());
    assert_eq!(tidy(&bench, Cleanup::Remove { path: "a".into() }, 0).await, Ok(()));
}
