//! Loading and reloading: what is refused, what stays, and which attempt sees which version.

use super::*;

fn says(word: &str) -> String {
    format!("return {{ retry = function() return {{ reason = '{word}' }} end }}")
}

#[tokio::test]
async fn an_attempt_keeps_the_version_it_began_with() {
    let bench = Bench::new();
    bench.load("x.lua", &says("one"));
    assert_eq!(bench.reason("x.lua", 1).await, "one");
    assert!(bench.scripts.defines(attempt(2), "x.lua", Hook::Retry));
    bench.load("x.lua", &says("two"));
    assert_eq!(bench.reason("x.lua", 1).await, "one");
    assert_eq!(bench.reason("x.lua", 2).await, "one", "the first question ties an attempt");
    assert_eq!(bench.reason("x.lua", 3).await, "two");
    bench.scripts.forget(attempt(1));
    assert_eq!(bench.reason("x.lua", 1).await, "two");
}

#[tokio::test]
async fn a_broken_edit_keeps_the_last_good_version() {
    let bench = Bench::new();
    bench.load("x.lua", &says("good"));
    let generation = bench.scripts.status()[0].generation;
    for broken in [
        "return {",
        "return { on_sucess = function() end }",
        "return 1",
        "error('at load')",
        "while true do end",
    ] {
        bench.write("x.lua", broken);
        let problems = bench.scripts.reload(&[hooks("x.lua")]);
        assert_eq!(problems.len(), 1, "{broken}");
        assert_eq!(bench.scripts.status()[0].problem.as_ref(), problems.first());
        assert_eq!(bench.scripts.status()[0].generation, generation);
        assert_eq!(bench.reason("x.lua", 1).await, "good");
    }
    std::fs::remove_file(bench.folder.path().join("scripts/x.lua")).unwrap();
    assert_eq!(bench.scripts.reload(&[hooks("x.lua")]).len(), 1);
    assert_eq!(bench.reason("x.lua", 2).await, "good");
    bench.load("x.lua", &says("mended"));
    assert_eq!(bench.scripts.status()[0].problem, None);
    assert_eq!(bench.reason("x.lua", 3).await, "mended");
    assert_eq!(bench.scripts.reload(&[]), []);
    assert_eq!(bench.retry("x.lua", 4).await.unwrap_err().message(), "scripts/x.lua is not loaded");
}

#[tokio::test]
async fn an_unchanged_file_is_left_alone_and_a_changed_module_is_seen() {
    let bench = Bench::new();
    bench.write("lib/word.lua", "return 'one'");
    bench.load(
        "x.lua",
        "local word = require('lib.word')\nreturn { retry = function() return { reason = word } end }",
    );
    let first = bench.scripts.status()[0].generation;
    assert_eq!(bench.scripts.reload(&[hooks("x.lua")]), []);
    assert_eq!(bench.scripts.status()[0].generation, first);
    assert_eq!(bench.reason("x.lua", 1).await, "one");
    bench.write("lib/word.lua", "return 'two'");
    assert_eq!(bench.scripts.reload(&[hooks("x.lua")]), []);
    assert_ne!(bench.scripts.status()[0].generation, first);
    assert_eq!(
        (bench.reason("x.lua", 1).await, bench.reason("x.lua", 2).await),
        ("one".into(), "two".into())
    );
}

#[test]
fn problems_say_where_and_what() {
    let bench = Bench::new();
    assert_eq!(
        bench.problem("local M = {}\nfunction M.on_sucess() end\nreturn M"),
        "scripts/bad.lua:2: unknown hook `on_sucess`; did you mean `success`?\n     1 | local M = {}\n >   2 | function \
         M.on_sucess() end\n     3 | return M"
    );
    assert_eq!(
        bench.problem("local M = {}"),
        "scripts/bad.lua: a hook file returns a table of functions, scripts/bad.lua returns nil: end it with `return M`"
    );
    assert!(
        bench
            .problem("return { retry = 3 }")
            .starts_with("scripts/bad.lua:1: hook `retry` must be a function, not a number")
    );
    assert!(
        bench
            .problem("return { output_filter = { '' } }")
            .contains("`output_filter` must be a list of texts")
    );
    assert!(bench.problem("local x = 1\ngoto out").starts_with("scripts/bad.lua:2:"));
    assert!(bench.problem("local x = 1\nx = x & 3").contains("help: use bit32.band"));
    assert!(bench.problem("neap.sleep(1)").contains("neap.sleep cannot be used while a file is loaded"));
    assert!(
        bench
            .problem("local t = nil\nt.x = 1")
            .starts_with("scripts/bad.lua:2: attempt to index nil with 'x'")
    );
    assert!(bench.problem("require 'lib.absent'").contains("scripts/lib/absent.lua cannot be read"));
    assert!(bench.problem(&format!("--{}", "x".repeat(300 << 10))).contains("is longer than 256 KiB"));
    bench.write("lib/a.lua", "return require 'lib.b'");
    bench.write("lib/b.lua", "return require 'lib.a'");
    assert!(bench.problem("require 'lib.a'").contains("requires itself"));
    bench.write("lib/broken.lua", "local x = \n");
    assert!(bench.problem("require 'lib.broken'").starts_with("scripts/lib/broken.lua:"));
    let outside = bench.scripts.check(&[hooks("../x.lua")]);
    assert!(outside[0].message.contains("must name a file below"), "{}", outside[0]);
}
