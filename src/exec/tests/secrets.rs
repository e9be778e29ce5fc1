//! Canaries: secrets that jobs print in every way they can, and that must not be found anywhere.

use super::*;

const SECRET: &str = "it's a \"p\\ss/w\u{f6}rd\"+key?~";

fn masked(bench: &Bench, number: u32, action: Action) -> Start {
    let key: String = ('a'..='z').cycle().take(200).collect();
    let lines = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG\n-----END KEY-----\n";
    let mut order = bench.order(number, action);
    order.masks = Masks::new([SECRET, &key, lines]);
    order
        .env
        .extend([("S", SECRET), ("K", &key), ("L", lines)].map(|(name, value)| (name.into(), value.into())));
    order
}

/// What a script prints to both sides, one byte at a time, and leaves as its output.
async fn printed(script_text: &str) -> String {
    let mut bench = Bench::processes();
    let text = format!(
        "say() {{ {script_text}; }}; say | dd bs=1 status=none; say | dd bs=7 status=none >&2; say > 1.outputs"
    );
    let stdout = Stdout::LogAnd(bench.path("1.out"));
    let order = Start { watch_lines: true, stdout, ..masked(&bench, 1, script(&text)) };
    let ending = bench.run(order).await;
    assert_eq!(ending.exit, code(0), "{:?}", ending.lines);
    let copy = std::fs::read_to_string(bench.path("1.out")).unwrap();
    let mut both: Vec<&str> = copy.lines().chain(copy.lines()).collect();
    let log = String::from_utf8(bench.log(1)).unwrap();
    // The two streams may meet in the middle of a line, so only their bytes are compared in the log.
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_owned();
        bytes.sort_unstable();
        bytes
    };
    assert_eq!(sorted(&log), sorted(&copy.repeat(2)), "{log}");
    let mut lines = ending.lines;
    lines.sort_unstable();
    both.sort_unstable();
    assert_eq!(lines, both);
    assert_eq!(ending.outputs, copy);
    copy
}

#[tokio::test]
async fn no_form_of_a_secret_is_printed() {
    for (text, expected) in [
        ("echo \"[$S]\"", "[***]\n"),
        ("printf %s \"$S\" | base64 -w0", "***"),
        ("echo \"$S\" | base64 -w0", "***"),
        ("printf %s \"$S\" | base64 -w0 | tr +/ -_ | tr -d =", "***"),
        ("printf %s \"$S\" | od -An -v -tx1 | tr -d ' \\n'", "***"),
        ("printf %s \"$K\" | base64", "***\n***\n***\n***\n"),
        ("printf %s \"$L\"", "***\n"),
        ("printf %s \"$L\" | sed 's/^/  /; s/$/\\r/'", "  ***\r\n  ***\r\n  ***\r\n  ***\r\n"),
        ("echo \"${S}_$S$S\"", "***_***\n"),
    ] {
        assert_eq!(printed(text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn next_to_something_else_base64_shows_only_the_neighbours() {
    for (before, after, seen) in
        [("x", "", 1), ("xy", "", 2), ("xyz", "!", 8), ("user:", "", 7), ("", "::", 4)]
    {
        let printed = printed(&format!("printf '%s%s%s' '{before}' \"$S\" '{after}' | base64 -w0")).await;
        let rest = printed.replace("***", "");
        assert_eq!(printed.matches("***").count(), 1, "{printed}");
        // A character of base64 holds six bits, so one at each side belongs to both.
        assert!(rest.len() <= seen + 2, "{before} {after}: {printed}");
    }
}

#[tokio::test]
async fn each_stream_is_masked_by_itself() {
    let mut bench = Bench::processes();
    let text = "printf hun; printf hunt >&2; printf ter2; printf er2 >&2";
    let order = Start { masks: Masks::new(["hunter2"]), ..bench.order(1, script(text)) };
    let ending = bench.run(order).await;
    assert_eq!((ending.exit, ending.lines.len()), (code(0), 0), "nobody watches");
    assert_eq!(bench.log(1), b"******");
}

#[tokio::test]
async fn what_might_have_become_a_secret_is_there_in_the_end() {
    let mut bench = Bench::processes();
    let order = Start { masks: Masks::new(["hunter2"]), ..bench.order(1, script("printf 'a hunt'")) };
    assert_eq!(bench.run(order).await.exit, code(0));
    assert_eq!(bench.log(1), b"a hunt");
}

#[tokio::test]
async fn a_refusal_tells_no_secret() {
    let mut bench = Bench::processes();
    let order = Start { masks: Masks::new(["hunter2"]), ..bench.order(1, exec(&["./hunter2"])) };
    let message = "there is no file `./***`".into();
    assert_eq!(bench.run(order).await.exit, Exit::NotSpawned { why: NotSpawned::NotFound, message });
}
