//! Secrets are nowhere: not in the database, its log, the logs of jobs, arguments, answers or messages.

use crate::cli_write::support::Cli;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Every file below a folder that holds one of these bytes, with what it holds.
pub(crate) fn holding(folder: &Path, needles: &[Vec<u8>], found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            holding(&entry.path(), needles, found);
        } else if entry.file_type().unwrap().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            for needle in needles {
                if bytes.windows(needle.len()).any(|window| window == needle) {
                    found.push(format!("{}: {}", entry.path().display(), String::from_utf8_lossy(needle)));
                }
            }
        }
    }
}

#[test]
fn no_secret_is_written_anywhere() {
    let cli = Cli::new();
    cli.write("private/pg", "canary/from file\n").write(".neap/secrets/signing", "canary-from-store\n");
    let store = cli.root().join(".neap/secrets/signing");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o600)).unwrap();
    cli.write("private/key", "first canary line\nsecond canary line\n");
    cli.write(
        "scripts/spy.lua",
        "return { output = function(ctx, ev) ctx:progress(5, ev.line) neap.log.info(ev.line) end }\n",
    );
    cli.write(
        "tasks/t.yaml",
        r#"
secrets:
  - { name: PG, from: file, key: private/pg }
  - { name: SIGNING, from: store, key: signing }
  - { name: ASKED, from: command, key: "printf canary-; echo from-command" }
  - { name: KEY, from: file, key: private/key }
defaults: { hooks: spy.lua }
tasks:
  shown:
    run: |
      echo "$PG $SIGNING $ASKED"
      echo "$KEY" >&2
      printf %s "$PG" | base64
      printf %s "$PG" | sed 's/\//%2F/g; s/ /%20/g; s/$/\n/'
      for part in $(printf %s "$ASKED" | sed 's/./& /g'); do printf %s "$part"; done; echo
      echo "out=$PG" >> "$NEAP_OUTPUT"
  handed: { depends_on: shown, run: "echo ${{ tasks.shown.outputs.out }}; ls -a; exit 0" }
  wrong: { run: 'echo "n=$SIGNING" >> "$NEAP_OUTPUT"', outputs: { n: integer }, continue_on_error: true }
  failing: { run: 'exec "./$PG"', continue_on_error: true }
  asked:
    preconditions: [{ run: 'echo "before: $PG $ASKED"' }]
    status: ['echo "$SIGNING $KEY"; exit 1']
    run: "true"
  cleaned: { run: "true", cleanup: 'echo "$PG"' }
"#,
    );
    let said = cli.neap(&["run", "t", "--output", "prefix"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let canaries = [
        "canary/from file",
        "canary-from-store",
        "canary-from-command",
        "first canary line",
        "second canary line",
    ];
    let encoded = ["Y2FuYXJ5L2Zyb20gZmls", "canary%2Ffrom%20file"];
    let needles: Vec<Vec<u8>> =
        canaries.iter().chain(&encoded).map(|needle| needle.as_bytes().to_vec()).collect();
    let mut answers = vec![said.stdout, said.stderr];
    for args in [
        &["show", "t#1", "--json"][..],
        &["show", "t#1", "--events"],
        &["show", "t#1", "--definition"],
        &["show", "t", "--json"],
        &["logs", "t#1"],
        &["logs", "t#1/asked", "--attempt", "0"],
        &["history", "--json"],
        &["check", "--json"],
        &["run", "t", "--dry-run", "--json"],
    ] {
        let said = cli.neap(args);
        answers.extend([said.stdout, said.stderr]);
    }
    for (canary, answer) in
        canaries.iter().chain(&encoded).flat_map(|canary| answers.iter().map(move |a| (canary, a)))
    {
        assert!(!answer.contains(canary), "{canary} in {answer}");
    }
    fs::remove_dir_all(cli.root().join(".neap/secrets")).unwrap();
    let mut found = Vec::new();
    holding(&cli.root().join(".neap"), &needles, &mut found);
    assert_eq!(found, Vec::<String>::new());
    // And they did arrive: the job itself saw them.
    assert!(answers.iter().any(|answer| answer.contains("*** *** ***")));
    assert!(answers.iter().any(|answer| answer.contains("before: *** ***")), "{answers:?}");
}

#[test]
fn a_host_that_died_leaves_no_secret_behind() {
    let cli = crate::cli::support::Cli::new();
    fs::create_dir(cli.root().join("private")).unwrap();
    cli.write("private/pg", "canary-from-file\n");
    cli.write(
        "tasks/t.yaml",
        "secrets: [{ name: PG, from: file, key: private/pg }]
run: 'echo \"o=$PG\" >> $NEAP_OUTPUT; echo up > up; sleep 100'\n",
    );
    let going = cli.start(&["run", "t"]);
    cli.wait_for("up");
    let needles = [b"canary-from-file".to_vec()];
    let mut found = Vec::new();
    holding(&cli.root().join(".neap"), &needles, &mut found);
    assert_eq!(found.len(), 1, "the job had not got so far");
    // Dropped it is killed, by SIGKILL.
    drop(going);
    // The next host tidies up.
    cli.write("tasks/next.yaml", "run: 'true'\n");
    assert_eq!(cli.neap(&["run", "next"]).code, 0);
    found.clear();
    holding(&cli.root().join(".neap"), &needles, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_timeout_holds_while_secrets_are_looked_up() {
    let cli = Cli::new();
    cli.write(
        "tasks/t.yaml",
        "secrets: [{ name: A, from: command, key: sleep 100 }]\nrun: echo never\ntimeout: 200ms\n",
    );
    let began = std::time::Instant::now();
    let said = cli.neap(&["run", "t"]);
    assert_eq!(said.code, 124, "{said:?}");
    assert!(began.elapsed().as_secs() < 20, "it waited for the secret");
    let log = cli.neap(&["logs", "t"]).stdout;
    assert!(log.contains("stopped while its secrets were looked up"), "{log}");
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let cli = Cli::new();
    cli.write(".neap/secrets/open", "canary");
    let path = cli.root().join(".neap/secrets/open");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    cli.write("tasks/t.yaml", "secrets: [{ name: A, from: store, key: open }]\nrun: echo never\n");
    let said = cli.neap(&["run", "t"]);
    assert_eq!(said.code, 125, "{said:?}");
    assert!((said.stdout.clone() + &said.stderr).contains("is open to others; run: chmod 600"), "{said:?}");
}
