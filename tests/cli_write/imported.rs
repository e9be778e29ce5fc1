//! Files of other tools are imported and what came of them is run, with scripts in the place of their programs that
//! write down how they were called. Which text comes out of an import is in `tests/exchange`.

use super::support::{Cli, repository};
use std::os::unix::fs::PermissionsExt;

/// One run: the words behind `neap run`, its exit code, and what was seen: first the calls, each with its arguments in
/// brackets, then the lines of the jobs.
type Run = (&'static [&'static str], i32, &'static [&'static str]);

/// Folders of other machines. Here they are below the project.
const ELSEWHERE: [&str; 3] = ["/tmp/", "/srv/", "/home/anna/"];

/// What a program does besides being called.
fn does(program: &str) -> &'static str {
    match program {
        "cat" | "gzip" | "mail" | "python3" => "exec /bin/cat",
        "mkdir" => "exec /bin/mkdir \"$@\"",
        "date" => "case \"$1\" in +%u) echo 1;; +%F) echo 2026-11-23;; +%s) echo 1795392000;; esac",
        "srv/etl/extract.sh" => "echo 7",
        "git" => "echo v1.2-3",
        "npx" => "mkdir -p public; : > public/site.css",
        "pg_dump" => "echo rows",
        "tr" => "exec /usr/bin/tr \"$@\"",
        _ => "",
    }
}

/// A project with the sample, and with scripts in the place of these programs.
fn project(sample: &str, programs: &[&str], files: &[(&str, &str)]) -> Cli {
    let cli = Cli::new();
    let root = cli.root().to_str().unwrap().to_owned();
    for program in programs {
        let path = if program.contains('/') { (*program).to_owned() } else { format!("bin/{program}") };
        let name = program.rsplit('/').next().unwrap();
        let record = format!(
            "{{ printf %s {name}; for word; do printf ' [%s]' \"$word\"; done; echo; }} >> '{root}/calls'"
        );
        cli.write(&path, &format!("#!/bin/sh\n{record}\n{}\n", does(program)));
        std::fs::set_permissions(cli.root().join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (path, text) in files {
        cli.write(path, text);
    }
    let mut text = std::fs::read_to_string(repository("tests/data/import").join(sample)).unwrap();
    for folder in ELSEWHERE {
        text = text.replace(folder, &format!("{root}{folder}"));
    }
    // A crontab says itself where its programs are.
    let text = text.replace("PATH=\"/usr/local/bin:", &format!("PATH=\"{root}/bin:"));
    cli.write(if sample.starts_with("taskfile/") { "Taskfile.yml" } else { "given.yaml" }, &text);
    cli
}

/// The calls and the lines of one run.
fn run(cli: &Cli, words: &[&str]) -> (i32, Vec<String>) {
    cli.write("calls", "");
    // With one slot there is one order.
    let said = cli.neap_with_bin(&[&["run", "--output", "prefix", "-j", "1"], words].concat());
    let root = cli.root().to_str().unwrap();
    let calls = cli.read("calls").replace(root, "ROOT");
    let mut seen: Vec<String> = calls.lines().map(str::to_owned).collect();
    let lines = said.stdout.lines().filter_map(|line| line.split_once(" | "));
    seen.extend(lines.map(|(job, line)| format!("{} | {}", job.trim(), line.replace(root, "ROOT"))));
    (said.code, seen)
}

#[track_caller]
fn check(sample: &str, programs: &[&str], files: &[(&str, &str)], runs: &[Run]) -> Cli {
    let cli = project(sample, programs, files);
    let import: &[&str] = match sample.split_once('/').unwrap() {
        ("crontab", _) => &["import", "crontab", "given.yaml"],
        ("dagu", "parts.yaml") => &["import", "dagu", "given.yaml", "other-dag.yaml"],
        ("dagu", _) => &["import", "dagu", "given.yaml"],
        _ => &["import", "taskfile", "--into", "tasks"],
    };
    let said = cli.neap(import);
    assert_eq!(said.code, 0, "{sample}: {said:?}");
    for (words, code, seen) in runs {
        let expected = (*code, seen.iter().map(|&seen| seen.to_owned()).collect());
        assert_eq!(run(&cli, words), expected, "{sample}: neap run {words:?}");
    }
    cli
}

#[test]
fn crontabs_run() {
    let cli = check("crontab/braces.cron", &[], &[], &[(&["imported/echo"], 0, &["imported/echo | first"])]);
    // The shell of cron cannot read this either; each says so in its own words.
    assert_ne!(run(&cli, &["imported/echo-2"]).0, 0);
    check(
        "crontab/plain.cron",
        &["cat"],
        &[],
        &[
            (&["imported/cat"], 0, &["cat", "imported/cat | first line", "imported/cat | 50% of it"]),
            (&["imported/echo"], 0, &["imported/echo | in ROOT"]),
            (&["imported/true"], 0, &[]),
        ],
    );
    let cli = check(
        "crontab/user.cron",
        &["pg_dump", "gzip", "date", "mail", "find", "home/anna/bin/tunnel.sh", "srv/app/manage.py"],
        &[("backup/keep", ""), ("srv/app/log/keep", "")],
        &[
            (
                &["imported/mail"],
                0,
                &[
                    "mail [-s] [100% ready] [team@example.org]",
                    "imported/mail | Dear all,",
                    "imported/mail | ",
                    "imported/mail | the week is over.",
                ],
            ),
            (&["imported/find"], 0, &["find [ROOT/tmp/scratch] [-mtime] [+7] [-delete]"]),
            (&["imported/tunnel-sh"], 0, &["tunnel.sh [start]"]),
            (&["imported/manage-py"], 0, &["manage.py [sync]"]),
        ],
    );
    // The programs of a pipe start in any order.
    let (code, mut seen) = run(&cli, &["imported/pg-dump"]);
    seen.sort();
    assert_eq!((code, seen), (0, ["date [+%F]", "gzip", "pg_dump [app]"].map(str::to_owned).to_vec()));
    assert_eq!(cli.read("backup/app-2026-11-23.sql.gz"), "rows\n");
    check(
        "crontab/zones.cron",
        &["nice"],
        &[],
        &[
            (&["imported/echo"], 0, &["imported/echo | market opens   hello there "]),
            (&["imported/echo-2"], 0, &["imported/echo-2 | either"]),
            (&["imported/echo-3"], 0, &["nice [-n] [19] [echo] [both]"]),
        ],
    );
}

#[test]
fn dagu_files_run() {
    let chain = |last: &'static str| ["echo [first]", "echo [left]", "echo [right]", "step4 | through", last];
    let cli = check("dagu/chain.yaml", &["echo"], &[], &[]);
    assert_eq!(
        run(&cli, &["imported/given"]),
        (0, chain("last | last one hello").map(str::to_owned).to_vec())
    );
    let given = run(&cli, &["imported/given", "P1=two  words"]);
    assert_eq!(given, (0, chain("last | last one two  words").map(str::to_owned).to_vec()));
    check(
        "dagu/hello.yaml",
        &["cat"],
        &[],
        &[(&["imported/hello", "NAME=Bo Derek"], 0, &["cat", "say | hello Bo Derek"])],
    );
    check(
        "dagu/etl.yaml",
        &["date", "srv/etl/extract.sh", "psql", "rm"],
        &[("load.sql", "")],
        &[(
            &["imported/etl", "DAY=2026-02-03"],
            0,
            &[
                "date [+%s]",
                "extract.sh [--day] [2026-02-03]",
                "date [+%s]",
                "date [+%u]",
                "date [+%s]",
                "psql [-f] [load.sql] [-v] [day=2026-02-03]",
                "date [+%s]",
                "rm [-rf] [ROOT/srv/data/tmp]",
                "extract | 7",
                "check-rows | got 7",
            ],
        )],
    );
    check(
        "dagu/mixed.yaml",
        &[],
        &[("tmp/ready", "")],
        &[
            (&["imported/given/wait"], 0, &[]),
            (
                &["imported/given/child"],
                1,
                &["imported/given/child | neap: a step was not translated, see the task file"],
            ),
        ],
    );
    check(
        "dagu/scripts.yaml",
        &["python3"],
        &[],
        &[(
            &["imported/given"],
            0,
            &[
                "python3 [-]",
                "count | print(6 * 7)",
                "tell | the answer is print(6 * 7)",
                "both | one",
                "both | two",
            ],
        )],
    );
}

/// A step that repeats, and one that runs the pipeline of another file.
#[test]
fn dagu_files_run_each_other() {
    let before = ["date [+%u]", "date [+%F]", "date [+%u]", "date [+%u]"];
    let cli = check(
        "dagu/parts.yaml",
        &["date", "echo", "tell"],
        &[("other-dag.yaml", "name: sub-dag\nparams: day=never mode=slow\nsteps:\n  - tell $mode on $day\n")],
        &[],
    );
    let (code, seen) = run(&cli, &["imported/parts/twice"]);
    assert_eq!((code, &seen[..4]), (0, &before.map(str::to_owned)[..]));
    assert_eq!(seen[4..6], ["echo [again]", "echo [again]"]);
    let (code, seen) = run(&cli, &["imported/parts/other"]);
    assert_eq!((code, &seen[..4]), (0, &before.map(str::to_owned)[..]));
    assert_eq!(seen[4], "tell [fast] [on] [monday]");
}

#[test]
fn taskfiles_run() {
    check(
        "taskfile/called.yml",
        &[],
        &[],
        &[
            (&["all", "WHO=Ada"], 0, &["greet | Ada", "greet-2 | world"]),
            (&["greet", "WHO=Bo"], 0, &["greet | Bo"]),
            (&["mac"], 0, &[]),
        ],
    );
    check(
        "taskfile/calls.yml",
        &["rm", "mkdir"],
        &[],
        &[
            (&["guarded"], 1, &[]),
            (
                &["release"],
                0,
                &[
                    "rm [-rf] [out]",
                    "mkdir [-p] [out]",
                    "mkdir [-p] [out]",
                    "run | begin beta",
                    "pack | packed linux",
                    "pack-2 | packed mac",
                    "run-2 | end of beta",
                ],
            ),
            (&["guarded"], 0, &["rm [-rf] [out]", "run | cleaned by 'guarded'"]),
        ],
    );
    check(
        "taskfile/site.yml",
        &["npx", "gzip", "npm", "rsync"],
        &[("web/src/a.scss", "")],
        &[
            (&["css"], 0, &["npx [sass] [src:public]", "gzip [-k] [public/site.css]"]),
            (&["css"], 0, &[]),
            (&["site/deploy"], 1, &["js | neap: a command was not translated, see the task file"]),
        ],
    );
    check(
        "taskfile/tiny.yml",
        &["tr"],
        &[],
        &[
            (&["default", "WHO=Ada"], 0, &["tr [a-z] [A-Z]", "default | hello Ada", "default | or ADA"]),
            (
                &["all"],
                0,
                &["tr [a-z] [A-Z]", "default | hello world", "default | or WORLD", "other | other"],
            ),
        ],
    );
}

#[test]
fn a_taskfile_of_a_real_project_runs() {
    check(
        "taskfile/go.yml",
        &["go", "git", "docker", "golangci-lint", "scp", "ssh"],
        &[("go.mod", "module x\n"), (".env", "DEPLOY_KEY=k\n")],
        &[
            (
                &["default"],
                0,
                &[
                    "golangci-lint [run]",
                    "go [generate] [./...]",
                    "git [describe] [--tags] [--always]",
                    "go [build] [-trimpath] [-ldflags] [-X main.version=v1.2-3] [-o] [bin/server] [./cmd/server]",
                    "docker [compose] [up] [-d] [db]",
                    "go [test] [./...]",
                    "docker [compose] [down]",
                ],
            ),
            (
                &["test", "CLI_ARGS=-v -race"],
                0,
                &[
                    "docker [compose] [up] [-d] [db]",
                    "go [test] [-v] [-race] [./...]",
                    "docker [compose] [down]",
                ],
            ),
            (&["deploy", "HOST=web1"], 1, &[]),
            (&["deploy"], 2, &[]),
        ],
    );
    check(
        "taskfile/go.yml",
        &["scp", "ssh"],
        &[("bin/server", ""), (".env", "DEPLOY_KEY=k\n")],
        &[(
            &["deploy", "HOST=web1"],
            0,
            &["scp [bin/server] [web1:/opt/]", "ssh [web1] [systemctl] [restart] [server]"],
        )],
    );
}

/// There the first of several files wins, and one that is missing is passed over; the import says so.
#[test]
fn the_first_dotenv_file_of_a_taskfile_wins() {
    let cli = Cli::new();
    cli.write(
        "Taskfile.yml",
        "version: '3'\ndotenv: [near.env, far.env]\ntasks:\n  show: { cmds: ['echo $A $B in {{.TASK}}'] }\n",
    );
    cli.write("near.env", "A=near\n").write("far.env", "A=far\nB=far\n");
    let said = cli.neap(&["import", "taskfile", "--into", "tasks"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stderr.contains("Taskfile.yml:2: warning: not translated: dotenv: near.env — "),
        "{}",
        said.stderr
    );
    assert!(cli.read("tasks/show.yaml").contains("dotenv: [far.env, near.env]\n"));
    assert_eq!(run(&cli, &["show"]), (0, vec!["show | near far in show".to_owned()]));
}
