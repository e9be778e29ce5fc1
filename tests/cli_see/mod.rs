//! The commands that look, from outside: the real program on a project with a real past.

mod ahead;
mod next;
mod support;
mod why;

use neap::api::{RunInfo, RunState, TaskInfo};
use neap::host::RunRequest;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use support::{Project, started};

const NIGHTLY: &str = "
description: Dump and upload
tasks:
  dump: { run: 'echo dumped' }
  upload: { depends_on: dump, run: 'echo trying; echo again >&2; exit 7', retry: { attempts: 2, delay: 1ms } }
  notify: { depends_on: upload, run: 'echo never' }
";
/// Titles, clears, links, bells, an invalid byte and a carriage return.
const HOSTILE: &str = r"
description: 'Rings'
run: 'printf ''\033]0;title\007\033[2J\033[31mred\033[0m \302\233x\377 evil\rgood\nlast\n'''
";

async fn nightly() -> Project {
    let project = Project::new(&[("nightly", NIGHTLY), ("ops/rings", HOSTILE)]);
    project.past(&["nightly", "ops/rings", "nightly"]).await;
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn ls_shows_tasks_their_past_and_broken_files() {
    let project = nightly().await;
    project.task("broken", "rnu: make");
    let seen = project.person(&["ls"]);
    seen.is_clean().shows(&[
        "nightly  FAIL  ......XX",
        "[ops]\nrings    ok    .......o",
        "2 tasks, 1 failed last time.   neap show nightly#2   neap next",
        "1 file has errors: tasks/broken.yaml   neap check",
    ]);
    let read = project.neap(&["ls"]);
    read.shows(&["nightly\tFAIL\t......XX\t20", "ops/rings\tok\t"]);
    assert!(!read.out.contains("errors") && read.err.contains("1 file has errors"), "{read:?}");
    let tasks: Vec<TaskInfo> = project.json(&["ls"]);
    assert_eq!(tasks.len(), 2);
    assert_eq!(tasks[0].recent.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Failed; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_filtered_and_paged() {
    let project = nightly().await;
    let names = |args: &[&str]| -> Vec<String> {
        let runs: Vec<RunInfo> = project.json(&[&["history"], args].concat());
        runs.into_iter().map(|run| run.name).collect()
    };
    assert_eq!(names(&[]), ["nightly#2", "ops/rings#1", "nightly#1"]);
    assert_eq!(names(&["nightly"]), ["nightly#2", "nightly#1"]);
    assert_eq!(names(&["--status", "succeeded"]), ["ops/rings#1"]);
    assert_eq!(names(&["-n", "1"]), ["nightly#2"]);
    assert_eq!(names(&["--before", "nightly#2"]), ["ops/rings#1", "nightly#1"]);
    assert_eq!(names(&["--since", "1h"]).len(), 3);
    project.person(&["history", "nightly"]).is_clean().shows(&[
        "RUN        ID",
        "upload (exit 7)",
        "last 30 days: 2 failed",
    ]);
    let wrong = project.neap(&["history", "nihgtly"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""));
    assert!(wrong.err.contains("did you mean `nightly`?"), "{wrong:?}");
    assert_eq!(project.neap(&["history", "--status", "great"]).code, 2);
    assert_eq!(project.neap(&["history", "--since", "soon"]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_tells_of_a_run_and_of_a_task() {
    let project = nightly().await;
    let run = project.person(&["show", "nightly#1"]);
    run.is_clean().shows(&[
        "x nightly#1  ",
        "by anna, ",
        "(unchanged since)",
        "reason  because",
        "cause   upload (exit 7)",
        "o  dump",
        "x  upload  exit 7",
        "-  notify  skipped",
        "needs upload",
        "critical path: dump > upload",
        "3 logs",
        "/upload | neap retry ",
    ]);
    let info: RunInfo = project.json(&["show", "nightly#1"]);
    assert_eq!((info.root.as_deref(), info.exit_code), (Some("upload"), Some(7)));
    assert_eq!(info.jobs.len(), 3);
    let task = project.person(&["show", "nightly"]);
    task.is_clean().shows(&[
        "nightly   Dump and upload",
        "upload  echo trying",
        "2 tries",
        "nightly#2",
        "2 failed",
    ]);
    let json: Value = project.json(&["show", "nightly"]);
    assert_eq!(json["stats"]["failed"], 2);
    serde_json::from_value::<TaskInfo>(json).unwrap();
    project.neap(&["show", "nightly", "--definition"]).shows(&[
        "name: nightly",
        "leaves:",
        "script: echo dumped",
    ]);
    project.neap(&["show", "nightly#1", "--definition"]).shows(&["task: nightly", "nodes:"]);
    project.neap(&["show", "nightly", "--events"]).shows(&[
        "nightly#2 created by anna: \"because\"",
        "upload, attempt 2 ended: exit 7",
        "notify is done: skipped, it needs upload",
        "nightly#2 ended: failed at upload",
    ]);
    let events: Vec<Value> = project.json(&["show", "@", "--events"]);
    assert!(events.iter().all(|entry| entry["seq"].is_u64() && entry["event"].is_object()), "{events:?}");
    project.task("bad", "rnu: make");
    let broken = project.neap(&["show", "bad"]);
    assert!(broken.code == 1 && broken.err.contains("tasks/bad.yaml:1:1: error["), "{broken:?}");
    let unknown = project.neap(&["show", "nihgtly"]);
    assert!(unknown.code == 1 && unknown.err.contains("did you mean `nightly`?"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_raw_for_programs_and_safe_for_people() {
    let project = nightly().await;
    let raw = project.command(&["logs", "ops/rings"]).output().unwrap().stdout;
    assert_eq!(raw, b"\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m \xc2\x9bx\xff evil\rgood\nlast\n");
    project.person(&["logs", "ops/rings"]).is_clean().shows(&[
        "ops/rings#1/ops/rings  attempt 1 of 1  ok  ",
        "\u{fffd}]0;title\u{fffd}\u{fffd}[2Jred \u{fffd}x\u{fffd} evil\ngood\nlast\n[end of log]\n",
    ]);
    project.neap(&["logs", "nightly"]).shows(&[
        "nightly#2/dump  attempt 1 of 1  ok  ",
        "\ndumped\n",
        "nightly#2/upload  attempt 2 of 2  exit 7  ",
    ]);
    assert_eq!(project.neap(&["logs", "nightly", "--failed"]).out, "trying\nagain\n");
    assert_eq!(project.neap(&["logs", "nightly#1/upload", "-n", "1"]).out, "again\n");
    assert_eq!(project.neap(&["logs", "nightly#1/upload.1", "--grep", "try"]).out, "trying\n");
    assert_eq!(project.neap(&["logs", "nightly", "--job", "dump"]).out, "dumped\n");
    let logs: Vec<Value> = project.json(&["logs", "nightly", "--job", "upload", "--attempt", "1"]);
    assert_eq!(logs[0]["lines"], serde_json::json!(["trying", "again"]));
    let skipped = project.neap(&["logs", "nightly/notify"]);
    assert!(skipped.out.is_empty() && skipped.err.contains("notify skipped: needs upload"), "{skipped:?}");
    let wrong = project.neap(&["logs", "nightly", "--job", "dmup"]);
    assert!(wrong.code == 1 && wrong.err.contains("did you mean `dump`?"), "{wrong:?}");
    std::fs::remove_dir_all(project.root().join(".neap/runs")).unwrap();
    let gone = project.neap(&["logs", "nightly/dump"]);
    assert!(gone.code == 0 && gone.err.contains("the log is not there any more"), "{gone:?}");
    // A run that has ended is followed to its end at once.
    let over = project.neap(&["logs", "-f", "nightly"]);
    assert!(over.code == 0 && over.err.contains("nightly#2 failed after"), "{over:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_seen_and_followed() {
    let project = Project::new(&[(
        "gate",
        "tasks: { wait: { run: 'echo begun; cat gate; echo done' }, then: { depends_on: wait, run: echo end } }",
    )]);
    project.fifo("gate");
    let host = project.host().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut feed = host.listen();
    let serving = tokio::spawn(neap::api::serve(host.clone(), stop.clone()));
    let run = host.submit(RunRequest::new("gate", "anna")).await.unwrap();
    started(&mut feed).await;
    let mut follower = project.command(&["logs", "-f", "gate"]);
    let mut follower = follower.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap());
    let mut first = String::new();
    let asked = tokio::task::spawn_blocking(move || {
        lines.read_line(&mut first).unwrap();
        assert_eq!(first, "wait | begun\n");
        let seen = project.person(&["ps"]);
        seen.is_clean().shows(&[
            "gate#1",
            "running",
            "wait",
            "0/2",
            "anna",
            "1 running.   slots 1/2   neap logs -f ",
        ]);
        let runs: Vec<RunInfo> = project.json(&["ps"]);
        assert_eq!((runs.len(), runs[0].jobs[0].name.as_str()), (1, "wait"));
        project.person(&["show", "gate#1"]).shows(&["* gate#1", "*  wait", ".  then", "then waits for wait"]);
        std::fs::write(project.root().join("gate"), "opened\n").unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "wait | opened\nwait | done\nthen | end\n");
        let mut talk = String::new();
        follower.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
        assert!(follower.wait().unwrap().success() && talk.starts_with("gate#1 ok after"), "{talk}");
        project.person(&["ps"]).shows(&["Nothing goes on.\n", "slots 0/2"]);
        project
    });
    let project = asked.await.unwrap();
    assert!(host.wait(run).await.is_some());
    stop.cancel();
    serving.await.unwrap().unwrap();
    host.shutdown().await;
    drop(project);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_rests_says_who_and_why() {
    let project = Project::new(&[("a", "run: echo a")]);
    let host = project.host().await;
    let by = neap::engine::Author("bert".into());
    host.rest("a".parse().unwrap(), true, by, Some("quiet".into())).await.unwrap();
    host.shutdown().await;
    project.person(&["ls"]).shows(&["paused  (paused by bert ", "\"quiet\")"]);
    let tasks: Vec<TaskInfo> = project.json(&["ls"]);
    assert_eq!(tasks[0].paused.as_ref().unwrap().reason.as_deref(), Some("quiet"));
    project.person(&["ps"]).shows(&["Nothing goes on."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_carries_on_is_said_when_no_host_is_up() {
    let project = Project::new(&[("gate", "run: cat gate")]);
    project.fifo("gate");
    let host = project.host().await;
    let mut feed = host.listen();
    host.submit(RunRequest::new("gate", "anna")).await.unwrap();
    started(&mut feed).await;
    // This host has no socket, as that of a command in another terminal.
    let held = project.neap(&["ps"]);
    assert!(held.out.contains("gate#1\t") && held.err.contains("carries out its own work"), "{held:?}");
    host.shutdown().await;
    // The lock goes with the last handle.
    drop(host);
    let left = project.neap(&["ps"]);
    assert!(
        left.out.contains("gate#1\t") && left.err.contains("nothing goes on until `neap serve`"),
        "{left:?}"
    );
    assert_eq!(project.json::<Vec<RunInfo>>(&["ps"]).len(), 1);
}

#[test]
fn a_project_without_a_past_answers_too() {
    let project = Project::new(&[("a", "run: echo a")]);
    project.person(&["ls"]).shows(&["a     -     ........", "1 task.   neap show a   neap next"]);
    assert_eq!(project.json::<Vec<RunInfo>>(&["ps"]), []);
    assert_eq!(project.json::<Vec<RunInfo>>(&["history"]), []);
    project.person(&["history"]).shows(&["No runs.\n"]);
    project.person(&["show", "a"]).shows(&["a\n  file      tasks/a.yaml", "neap run a\n"]);
    let logs = project.neap(&["logs", "a"]);
    assert!(logs.code == 1 && logs.err.contains("no run matches `a`"), "{logs:?}");
    let empty = Project::new(&[]);
    empty.person(&["ls"]).shows(&["There are no tasks yet"]);
    assert_eq!(empty.json::<Vec<TaskInfo>>(&["ls"]), []);
}

#[test]
fn graph_draws_in_five_forms() {
    let project = Project::new(&[("nightly", NIGHTLY)]);
    project
        .person(&["graph", "nightly"])
        .shows(&["nightly: 3 jobs in 3 steps\n\ndump ──> upload ──> notify\n"]);
    project.neap(&["graph", "nightly"]).shows(&["dump --> upload --> notify\n"]);
    project.neap(&["graph", "nightly", "--format", "mermaid"]).shows(&["flowchart LR\n", "j1 --> j2\n"]);
    project.neap(&["graph", "nightly", "--format", "dot"]).shows(&["digraph \"nightly\" {\n", "j1 -> j2;\n"]);
    let picture: Value = project.json(&["graph", "nightly"]);
    let notify = serde_json::json!({ "name": "notify", "needs": ["upload"], "layer": 2, "row": 0.0 });
    assert_eq!(picture["nodes"][2], notify);
    let same = project.neap(&["graph", "nightly", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&same.out).unwrap(), picture);
    let svg = project.neap(&["graph", "nightly", "--format", "svg"]);
    assert!(svg.out.starts_with("<svg ") && svg.out.ends_with("</svg>\n"), "{svg:?}");
    assert_eq!((svg.out.matches("<rect").count(), svg.out.matches("marker-end").count()), (3, 2));
    let unknown = project.neap(&["graph", "nihgtly"]);
    assert!(unknown.code == 2 && unknown.err.contains("nightly"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_completes_tasks_and_runs() {
    let project = nightly().await;
    for (shell, word) in [("bash", "complete"), ("zsh", "compdef"), ("fish", "complete")] {
        project.neap(&["completions", shell]).shows(&[word, "COMPLETE", "neap"]);
    }
    let complete = |words: &[&str]| {
        let mut command = project.command(&[&["--", "neap"], words].concat());
        let index = words.len().to_string();
        command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
        support::Answer::from(command.output().unwrap())
    };
    complete(&["show", "ni"]).shows(&["nightly", "nightly#2", "nightly#1"]);
    complete(&["run", "ops"]).shows(&["ops/rings"]);
    let nowhere = complete(&["-C", "/nonexistent", "show", "ni"]);
    assert_eq!((nowhere.out.as_str(), nowhere.err.as_str()), ("", ""));
}
