//! Whatever a parameter holds, it arrives byte by byte, and nothing of it is executed.

use crate::cli_write::support::Cli;
use neap::host::{Host, Mode, RunRequest};
use std::fs;

/// How many values; `HOSTILE=500` for the full count.
fn count() -> usize {
    std::env::var("HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(60)
}

/// Pieces that mean something to a shell, to printf, to Lua, to YAML or to a terminal.
const PIECES: [&str; 48] = [
    "'",
    "\"",
    "`",
    "$",
    "\\",
    ";",
    "&",
    "|",
    "<",
    ">",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "*",
    "?",
    "~",
    "#",
    "!",
    "=",
    "%",
    "%s",
    "%n",
    "\n",
    "\r\n",
    "\t",
    " ",
    "-n",
    "--",
    "$(touch hacked)",
    "`touch hacked`",
    "'; touch hacked; '",
    "\"; touch hacked; \"",
    "$IFS",
    "${PATH}",
    "\\n",
    "\u{1b}[31m",
    "é",
    "日本",
    "\u{202e}",
    "${{ 1 }}",
    "]]",
    "EOF\n",
    "|| touch hacked",
    "&& touch hacked",
    "\u{7f}",
];

/// A value made of pieces; the same number gives the same value.
fn value(number: usize) -> String {
    if let Some(piece) = PIECES.get(number) {
        return (*piece).to_owned();
    }
    let mut state = number as u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..1 + next() % 9).map(|_| PIECES[next() % PIECES.len()]).collect()
}

const FILE: &str = r#"
params: { x: { type: string } }
tasks:
  shell:
    run: |
      printf '%s\0' ${{ params.x }} "${{ params.x }}" 'a${{ params.x }}b' c${{ params.x }}d > shell.out
      cat > heredoc.out <<END
      <${{ params.x }}>
      END
      printf %s "$(printf '%s.' "${{ params.x }}")" > nested.out
  direct: { exec: [sh, -c, 'printf "%s\0" "$@" > direct.out', sh, "${{ params.x }}", "a${{ params.x }}b"] }
  given: { env: { VALUE: "${{ params.x }}" }, run: 'printf "%s\0" "$VALUE" "$PARAM_X" > given.out' }
  read: { stdin: "${{ params.x }}", run: cat > read.out }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_stay_values() {
    let cli = Cli::new();
    cli.write("tasks/t.yaml", FILE);
    let host = Host::builder(cli.root()).mode(Mode::Run).slots(4).open().await.unwrap();
    for number in 0..count() {
        let x = value(number);
        let run = host.submit(RunRequest::new("t", "me").param("x", x.clone())).await.unwrap();
        let outcome = host.wait(run).await;
        assert_eq!(outcome, Some(neap::engine::RunOutcome::Succeeded), "{x:?}");
        let read = |file: &str| fs::read(cli.root().join(file)).unwrap();
        let words = |words: &[&str]| {
            words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>()
        };
        let (around, inside) = (format!("a{x}b"), format!("c{x}d"));
        assert_eq!(read("shell.out"), words(&[&x, &x, &around, &inside]), "{x:?}");
        assert_eq!(read("heredoc.out"), format!("<{x}>\n").into_bytes(), "{x:?}");
        assert_eq!(read("nested.out"), format!("{x}.").into_bytes(), "{x:?}");
        assert_eq!(read("direct.out"), words(&[&x, &around]), "{x:?}");
        assert_eq!(read("given.out"), words(&[&x, &x]), "{x:?}");
        assert_eq!(read("read.out"), x.as_bytes(), "{x:?}");
        assert!(!cli.root().join("hacked").exists(), "{x:?} was executed");
    }
    host.shutdown().await;
}
