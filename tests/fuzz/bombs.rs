//! What somebody would write to bring a reader down: small texts that mean something large, and large ones that mean nothing.

use super::EVALUATED;
use super::expressions::Bench;
use super::kit::{ALLOWED, ALLOWED_LARGE, processor_time};
use neap::definition::{
    Catalog, OutputFault, Problem, Registered, Settings, Source, Template, outputs, references, safe_script,
};
use neap::schedule::Zone;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// The best of three, so that others on the machine do not count.
fn best(once: impl Fn() -> Duration) -> Duration {
    let first = once();
    if first <= ALLOWED { first } else { first.min(once()).min(once()) }
}

/// Collects what is wrong, so that one run tells everything.
#[derive(Default)]
struct Bombs(Vec<String>);

impl Bombs {
    /// Loads a file. `expected` is in the first problem; `""` means that there must be none, `"*"` that any will do.
    fn check(&mut self, name: &str, text: String, expected: &str) {
        let settings = Settings::new(Zone::utc());
        let load = || {
            Catalog::load(
                [Source::new("tasks/a.yaml", text.as_str())],
                &Registered::default(),
                &settings,
                None,
            )
        };
        let took = best(|| {
            let begun = processor_time();
            let catalog = load();
            let took = processor_time() - begun;
            drop(catalog);
            took
        });
        let catalog = load();
        let first = catalog.problems().first().map_or(String::new(), ToString::to_string);
        let shown: String = first.chars().take(120).collect();
        println!("fuzz bomb {name}: {} KiB in {took:.1?}: {shown}", text.len() >> 10);
        self.time(name, text.len(), took);
        let is_right =
            if expected.is_empty() { first.is_empty() } else { expected == "*" || first.contains(expected) };
        if !is_right {
            self.0.push(format!("{name}: {shown}"));
        }
        let is_outside = |problem: &&Problem| text.get(problem.span.clone()).is_none();
        self.0.extend(catalog.problems().iter().find(is_outside).map(|problem| format!("{name}: {problem}")));
    }

    fn time(&mut self, name: &str, size: usize, took: Duration) {
        if took > if size > MIB / 8 { ALLOWED_LARGE } else { ALLOWED } {
            self.0.push(format!("{name} took {took:?}"));
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

/// `line` again and again, up to a mebibyte.
fn full(line: &str) -> String {
    line.repeat(MIB / line.len())
}

fn laughs(levels: usize, width: usize) -> String {
    let mut text = String::from("x-0: &n0 [lol]\n");
    for level in 1..levels {
        let aliases = vec![format!("*n{}", level - 1); width].join(", ");
        let _ = writeln!(text, "x-{level}: &n{level} [{aliases}]");
    }
    text + "run: ls\n"
}

fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0..count {
        let line = line(number);
        if text.len() + line.len() > MIB {
            break;
        }
        text += &line;
    }
    text
}

#[test]
fn aliases_do_not_multiply() {
    let mut bombs = Bombs::default();
    bombs.check("laughs", laughs(12, 10), "aliases repeat more than 10000 values");
    bombs.check("laughs in pairs", laughs(64, 2), "aliases repeat more than 10000 values");
    bombs.check(
        "an alias again and again",
        format!("x-a: &a [{}]\nx-b: [{}]\nrun: ls\n", "1, ".repeat(5_000), "*a, ".repeat(100_000)),
        "aliases repeat more than 10000 values",
    );
    let merges = numbered(600, |n| format!("x-{}: &m{} {{ <<: *m{n}, k{n}: {n} }}\n", n + 1, n + 1));
    bombs.check(
        "merges of merges",
        format!("x-0: &m0 {{ a: 1 }}\n{merges}run: ls\n"),
        "aliases repeat more than",
    );
    let circle = "a: &a { <<: *b }\nb: &b { <<: *a }\nrun: ls\n";
    bombs.check("merges in a circle", circle.into(), "*");
    bombs.check(
        "a merge of itself",
        "x-a: &a { <<: *a }\nrun: ls\nenv: *a\n".into(),
        "an anchor cannot contain itself",
    );
    bombs.check("a merge of everything", "<<: &a { <<: &b { <<: &c { run: ls } } }\n".into(), "");
    bombs.check("a million anchors", numbered(1_000_000, |n| format!("- &a{n} x\n")), "*");
    bombs.check("anchors in flow", format!("[{}]", numbered(70_000, |n| format!("&a{n} x,"))), "*");
    bombs.check("unknown aliases", full("- *a\n"), "no anchor named");
    let line = |item: &str| format!("x-a: [{}]\nrun: ls\n", item.repeat(16_000));
    bombs.check("unknown aliases in one line", line("*.c, "), "no anchor named");
    bombs.check("unknown stars in one line", line("*/5, "), "must be quoted");
    bombs.check(
        "nearly known aliases",
        format!("x: &abc 1\n{}", numbered(40_000, |n| format!("k{n}: *abd\n"))),
        "*",
    );
    bombs.end();
}

#[test]
fn nothing_is_too_deep() {
    let mut bombs = Bombs::default();
    for (count, expected) in
        [(63, ""), (64, "deeper than 64"), (300, "too deeply"), (MIB / 2 - 20, "too deeply")]
    {
        bombs.check(
            "brackets",
            format!("x-a: {}{}\nrun: ls\n", "[".repeat(count), "]".repeat(count)),
            expected,
        );
    }
    bombs.check("a mebibyte of [", "[".repeat(MIB), "deep");
    bombs.check("a mebibyte of {", "{".repeat(MIB), "*");
    bombs.check("a mebibyte of [{", full("[{"), "*");
    bombs.check("a mebibyte of ]", "]".repeat(MIB), "*");
    bombs.check("a mebibyte of dashes", full("- "), "deep");
    bombs.check("dashes below each other", numbered(2_000, |n| format!("{}-\n", " ".repeat(n))), "deep");
    bombs.check("keys below each other", numbered(2_000, |n| format!("{}a:\n", " ".repeat(n))), "deep");
    bombs.check("a mebibyte of question marks", full("? "), "*");
    bombs.check("a mebibyte of colons", full(": "), "*");
    bombs.check("keys on one line", full("a: "), "*");
    bombs.end();
}

#[test]
fn nothing_is_too_large() {
    let mut bombs = Bombs::default();
    bombs.check("one byte too many", "x".repeat(MIB + 1), "the file is larger than 1024 KiB");
    bombs.check("a hundred mebibytes", "x".repeat(100 * MIB), "the file is larger than 1024 KiB");
    bombs.check("one line", "x".repeat(MIB), "a task must be a mapping");
    bombs.check("one line as a command", format!("run: {}", "x".repeat(MIB - 5)), "");
    bombs.check(
        "one line of words",
        format!("run: {}", full("x ").trim_end_matches(' ').get(..MIB - 6).unwrap_or_default()),
        "",
    );
    bombs.check("one line of quotes", format!("run: {}", "'".repeat(MIB - 5)), "*");
    bombs.check(
        "a quote that never ends",
        format!("run: \"{}", "x\n".repeat(MIB / 2 - 3)),
        "a quote is not closed",
    );
    bombs.check("a block", filled("run: |\n", "  echo hello\n", ""), "");
    bombs.check(
        "a folded block",
        format!("description: >\n{}", full("  word\n").get(..MIB - 15).unwrap_or_default()),
        "*",
    );
    bombs.check("empty lines", "\n".repeat(MIB), "the file is empty");
    bombs.check("blanks", " ".repeat(MIB), "the file is empty");
    bombs.check("tabs", "\t".repeat(MIB), "*");
    bombs.check("comments", full("# x\n"), "the file is empty");
    bombs.check("one comment", format!("#{}", "x".repeat(MIB - 1)), "the file is empty");
    bombs.check("unknown keys", numbered(49_000, |n| format!("k{n}: x\n")), "*");
    bombs.check("the same key", full("run: x\n"), "*");
    bombs.check("keys without values", full("a:\n"), "*");
    bombs.check(
        "variables",
        format!("env: {{{}}}\nrun: ls\n", numbered(49_000, |n| format!("A{n}: x,"))),
        "*",
    );
    bombs.check("steps", format!("steps:\n{}", numbered(60_000, |_| "- ls\n".into())), "*");
    bombs.check(
        "tasks in a chain",
        format!(
            "tasks:\n{}",
            numbered(20_000, |n| format!(" t{n}: {{ run: x, depends_on: t{} }}\n", n.saturating_sub(1)))
        ),
        "*",
    );
    bombs.check(
        "tasks that all need one",
        format!(
            "tasks:\n t: {{ run: x }}\n{}",
            numbered(20_000, |n| format!(" t{n}: {{ run: x, depends_on: [t, t0] }}\n"))
        ),
        "*",
    );
    bombs.check(
        "a large matrix",
        format!(
            "strategy: {{ matrix: {{ a: [{}], b: [{}] }} }}\nrun: ls\n",
            "1, ".repeat(30_000),
            "2, ".repeat(30_000)
        ),
        "*",
    );
    bombs.check("a long number", format!("retry: {}\nrun: ls\n", "9".repeat(MIB - 20)), "*");
    bombs.check("a long fraction", format!("metadata: {{ a: 0.{} }}\nrun: ls\n", "3".repeat(MIB - 40)), "*");
    bombs.check("a long exponent", format!("metadata: {{ a: 1e{} }}\nrun: ls\n", "9".repeat(MIB - 40)), "*");
    bombs.check("a long duration", format!("timeout: {}\nrun: ls\n", "1s".repeat(MIB / 2 - 20)), "*");
    bombs.check("a long cron", format!("schedule: \"{}\"\nrun: ls\n", "*,".repeat(MIB / 2 - 20)), "*");
    bombs.check("a long name", format!("depends_on: {}\nrun: ls\n", "a".repeat(MIB - 30)), "*");
    bombs.check("a long key", format!("{}: x\n", "a".repeat(MIB - 10)), "*");
    bombs.check("documents", full("---\n"), "*");
    bombs.check("documents with ends", full("--- x\n...\n"), "*");
    bombs.check("directives", full("%YAML 1.2\n"), "*");
    bombs.check("tags", full("- !x y\n"), "the tag");
    bombs.check("escapes", format!("run: \"{}\"", "\\x41".repeat(MIB / 4 - 3)), "");
    bombs.check("unquoted stars", full("- * * *\n"), "*");
    bombs.check("colons in values", full("a: b: c\n"), "*");
    bombs.check("tabs before keys", full("\ta: b\n"), "a tab");
    bombs.check("expressions without braces around", full("{ a: ${{ x }} }\n"), "*");
    bombs.check("two bytes for each character", "é".repeat(MIB / 2), "a task must be a mapping");
    bombs.end();
}

#[test]
fn expressions_in_files_are_not_too_many() {
    let mut bombs = Bombs::default();
    bombs.check(
        "expressions",
        format!("run: {}\n", full("${{ run.id }}").get(..MIB - 16).unwrap_or_default()),
        "*",
    );
    bombs.check(
        "expressions that never end",
        format!("run: {}\n", full("${{ ").get(..MIB - 16).unwrap_or_default()),
        "*",
    );
    bombs.check("one expression", format!("run: ${{{{ {} }}}}\n", "a.".repeat(MIB / 2 - 20)), "*");
    bombs.check(
        "wrong parameters",
        format!("run: {}\n", full("${{ params.x }}").get(..MIB - 16).unwrap_or_default()),
        "*",
    );
    bombs.check(
        "brackets that never close",
        format!("run: 'echo ${{{{ {} }}}}'\n", "[=[".repeat(MIB / 3 - 20)),
        "*",
    );
    bombs.check(
        "here-documents",
        format!("run: |\n{}", numbered(60_000, |n| format!("  cat <<E{n}\n"))),
        "*",
    );
    bombs.check(
        "here-documents with expressions",
        format!("run: |\n{}", numbered(60_000, |n| format!("  cat <<E{n} ${{{{ run.id }}}}\n"))),
        "*",
    );
    bombs.check(
        "nested substitutions",
        format!("run: echo ${{{{ run.id }}}} {}\n", "$(".repeat(MIB / 2 - 40)),
        "*",
    );
    bombs.check(
        "nested quotes",
        format!("run: |\n  echo ${{{{ run.id }}}} {}\n", "\"$(".repeat(MIB / 3 - 40)),
        "*",
    );
    bombs.check("backticks", format!("run: |\n  echo ${{{{ run.id }}}} {}\n", "`".repeat(MIB - 60)), "*");
    bombs.end();
}

/// `begin`, then `line` again and again, then `end`: a mebibyte.
fn filled(begin: &str, line: &str, end: &str) -> String {
    format!("{begin}{}{end}\n", line.repeat((MIB - begin.len() - end.len() - 1) / line.len()))
}

/// What one expression asks about the rest of its line, text or file is not asked again by each of them.
#[test]
fn expressions_do_not_look_at_everything_behind_them() {
    let mut bombs = Bombs::default();
    let mut check = |name: &str, text: (&str, &str, &str), expected| {
        bombs.check(name, filled(text.0, text.1, text.2), expected)
    };
    check("a line that does not end", ("cleanup: { run: \"x\\n", "${{ task", ""), "a quote is not closed");
    check("an open quote in braces", ("a: { b: \"", "${{ }}", ""), "a quote is not closed");
    check("expressions between braces", ("run: { a: ", "${{ task", ""), "must be quoted");
    check("values between brackets", ("a: [", "${{ x }}, ", "]: b"), "must be quoted");
    check("a colon behind expressions", ("run: echo ", "${{ }ho ", ": b: c"), "must be quoted");
    check("quotes that are not closed", ("run: |\n  ", "${{ \\\" }}", ""), "*");
    check("a quote in one expression", ("run: |\n  ${{ ", "\"\\", " }}"), "*");
    check("long brackets", ("run: |\n  ", "${{ [[ }}", ""), "*");
    check("comments", ("run: |\n  ", "${{ x -- }}", ""), "no variable");
    check("code in an argument", ("exec: [sh, -c, \"", "${{ run.id }}", "\"]"), "cannot be put here safely");
    check("code that is read", ("exec: [sh]\nstdin: \"", "${{ run.id }}", "\""), "cannot be put here safely");
    check("tasks in one expression", ("run: ${{ ", "tasks.a ", "}}"), "no such task");
    check("tasks with dashes", ("run: |\n  ", "${{ tasks.a-b.outcome }}", ""), "no variable");
    let secrets = numbered(30_000, |n| format!("A{n}, "));
    let text = filled(&format!("secrets: [{secrets}]\nrun: |\n  "), "${{ env.X }}", "");
    bombs.check("secrets", text, "");
    let axes = numbered(30_000, |n| format!("a{n}: [1], "));
    let text = filled(&format!("strategy: {{ matrix: {{ {axes} }} }}\nrun: |\n  "), "${{ matrix.x }}", "");
    bombs.check("axes", text, "*");
    let cleanups = numbered(30_000, |n| format!("- run: a{n} ${{{{ run.id }}}}\n"));
    bombs.check("cleanups", format!("run: ls\ncleanup:\n{cleanups}"), "");
    let words = numbered(24_000, |n| format!("sh, -c, \"a{n} ${{{{ run.id }}}}\", "));
    bombs.check("shells", format!("exec: [{words}]\n"), "cannot be put here safely");
    let children = numbered(14_000, |n| {
        format!("  a-{n}: {{ run: \"${{{{ tasks.a-{n}.outcome }}}}\", depends_on: a-0 }}\n")
    });
    bombs.check("children with dashes", format!("tasks:\n{children}"), "*");
    bombs.end();
}

/// What Lua says is looked for by its place as well.
#[test]
fn expressions_that_are_no_lua_are_placed_in_time() {
    let (mut bombs, bench) = (Bombs::default(), Bench::new());
    let text = format!("run: |\n  {}\n", "${{ = }}".repeat(MIB / 16));
    let source = Source::new("tasks/a.yaml", text.as_str());
    let catalog = Catalog::load([source], &Registered::default(), &Settings::new(Zone::utc()), None);
    let fault = |source: &str| Some(bench.scripts.check_expression("expression", source)?.message);
    let took = best(|| {
        let begun = processor_time();
        assert_eq!(catalog.bad_expressions(fault).len(), 100);
        processor_time() - begun
    });
    println!("fuzz bomb expressions that are no Lua: {} KiB in {took:.1?}", text.len() >> 10);
    bombs.time("expressions that are no Lua", text.len(), took);
    bombs.end();
}

/// Programs that run their arguments, and variables that hold values: neither is followed without end.
#[test]
fn scripts_do_not_multiply() {
    let mut bombs = Bombs::default();
    for program in ["watch", "sed", "git -c", "git submodule", "xargs", "xargs env", "rsync", "rsh", "ssh"] {
        let words = filled("run: ", &format!("{program} "), "${{ run.id }}");
        bombs.check(program, words, "*");
        let argv = program.replace(' ', ", ");
        let count = 99_000 / program.split(' ').count();
        let argv = format!("exec: [{}\"${{{{ run.id }}}}\"]\n", format!("{argv}, ").repeat(count));
        bombs.check(&format!("exec {program}"), argv, "*");
    }
    let refused_ = "cannot be put here safely";
    let mut check = |name: &str, line: &str, end: &str, expected| {
        bombs.check(name, filled("run: |\n  a=${{ run.id }}\n", line, end), expected);
    };
    check("a variable that grows", "  a=$a$a\n", "  eval $a", refused_);
    check("a variable that is read", "  echo $a$a\n", "  eval $a", refused_);
    check("a variable that is given again", "  a=${{ run.id }}\n  eval $a\n", "", refused_);
    check("a variable that is shown", "  a=${{ run.id }}\n  echo $a\n", "", "");
    check("arguments", "  set -- $1 ${{ run.id }}\n  echo $1\n", "", "");
    check("pipes", "  echo $a | ", "sh", refused_);
    check("pipes of shells", "  sh -c $a | ", "sh", refused_);
    let words = full("$a ");
    let words = &words[..MIB - 100];
    bombs.check(
        "a word with variables",
        format!("run: |\n  a=${{{{ run.id }}}}\n  eval {words}\n"),
        refused_,
    );
    let (names, holes) = ("a ".repeat(MIB / 5), "${{ run.id }}".repeat(MIB / 30));
    bombs.check("names that are read", format!("run: |\n  read {names} <<< \"{holes}\"\n"), "");
    bombs.end();
}

/// Taken apart alone: the same texts without YAML around them.
#[test]
fn large_templates_are_taken_apart() {
    let mut bombs = Bombs::default();
    let texts = [
        full("${{ x }}"),
        full("${{"),
        full("${{ { "),
        format!("${{{{ {} }}}}", "(".repeat(MIB)),
        format!("${{{{ {} }}}}", "`{".repeat(MIB / 2)),
        format!("${{{{ {} }}}}", "[[".repeat(MIB / 2)),
        format!("${{{{ {} }}}}", "--[==[".repeat(MIB / 6)),
        format!("${{{{ {} }}}}", "function(a,".repeat(MIB / 11)),
        format!("${{{{ {} }}}}", "for ".repeat(MIB / 4)),
        format!("${{{{ {} }}}}", "local x ".repeat(MIB / 8)),
        format!("${{{{ raw{} }}}}", "(".repeat(MIB)),
        full("<<A ${{ x }}"),
        full("\"$(${{ x }}"),
        full("eval ${{ x }} "),
        full("case ${{ x }} in "),
    ];
    for text in texts {
        let took = best(|| {
            let begun = processor_time();
            if let Ok(template) = Template::parse(&text) {
                let _ = safe_script(&template);
                template.expressions().for_each(|expression| drop(references(&expression.source)));
            }
            processor_time() - begun
        });
        let begin: String = text.chars().take(24).collect();
        println!("fuzz bomb template {begin:?}: {took:.1?}");
        bombs.time(&begin, text.len(), took);
    }
    bombs.end();
}

/// Evaluates an expression that must end by its budget, or be refused before.
#[track_caller]
fn refused(bench: &Bench, name: &str, source: &str) {
    let begun = Instant::now();
    let answer = bench.value(source);
    let mut took = begun.elapsed();
    for _ in 0..2 {
        if took > EVALUATED {
            let begun = Instant::now();
            let _ = bench.value(source);
            took = took.min(begun.elapsed());
        }
    }
    let message = answer.expect_err(name);
    println!("fuzz bomb expression {name}: {took:.1?}: {}", message.chars().take(100).collect::<String>());
    assert!(took <= EVALUATED, "{name} took {took:?}");
    assert_eq!(bench.value("1 + 1"), Ok(2.into()), "after {name}");
}

#[test]
fn expressions_end_by_their_budget() {
    let bench = Bench::new();
    let nested =
        |open: &str, close: &str, count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
    refused(&bench, "nested parentheses", &nested("(", ")", 100_000));
    refused(&bench, "nested parentheses within the bound", &nested("(", ")", 8_000));
    refused(&bench, "nested tables", &nested("{", "}", 8_000));
    refused(&bench, "nested functions", &nested("(function() return ", " end)()", 600));
    refused(&bench, "a mebibyte", &"1 + ".repeat(MIB / 4));
    refused(&bench, "a long sum of texts", &format!("{}'a'", "'a' .. ".repeat(2_000)));
    refused(&bench, "minus signs", &format!("{}1", "- ".repeat(8_000)));
    refused(&bench, "an infinite loop", "(function() while true do end end)()");
    refused(
        &bench,
        "a loop that catches",
        "(function() while true do pcall(function() while true do end end) end end)()",
    );
    refused(
        &bench,
        "endless recursion",
        "(function() local function f() return 1 + f() end return f() end)()",
    );
    refused(&bench, "endless tail calls", "(function() local function f() return f() end return f() end)()");
    refused(&bench, "a long text", "string.rep('x', 1e9)");
    refused(&bench, "a long text by halves", "(function() local s = 'x' while true do s = s .. s end end)()");
    refused(&bench, "a large table", "(function() local t = {} while true do t[#t + 1] = {} end end)()");
    refused(&bench, "a table in itself", "(function() local t = {} t.t = t return t end)()");
    refused(
        &bench,
        "a value that doubles",
        "(function() local t = {1} for _ = 1, 40 do t = { t, t } end return t end)()",
    );
    refused(&bench, "a slow pattern", "('a'):rep(40):find(('.-'):rep(25) .. 'b')");
    refused(&bench, "a large split", "#split(('a,'):rep(4e6), ',') > 0 and string.rep('x', 1e9)");
    refused(&bench, "nested JSON", "fromjson(('['):rep(1e5))");
    refused(&bench, "a large join", "join(table.create(1e6, ('x'):rep(1000)), ',')");
}

#[test]
fn outputs_are_bounded() {
    let mut bombs = Bombs::default();
    let declared = BTreeMap::new();
    let texts = [
        (full("a=1\n"), None),
        (numbered(200_000, |n| format!("k{n}=1\n")), Some(OutputFault::Many)),
        (numbered(200_000, |n| format!("k{n}<<E{n}\n")), None),
        (full("a<<E\n"), None),
        (full("=\n"), None),
        ("x".repeat(MIB), Some(OutputFault::NoValue)),
        ("\n".repeat(MIB), None),
        ("<".repeat(MIB), None),
    ];
    for (text, fault) in texts {
        let took = best(|| {
            let begun = processor_time();
            drop(outputs(&text, &declared));
            processor_time() - begun
        });
        let begin: String = text.chars().take(12).collect();
        println!("fuzz bomb output {begin:?}: {took:.1?}");
        bombs.time(&begin, text.len(), took);
        let (values, problems) = outputs(&text, &declared);
        assert!(values.len() <= 1_000);
        assert!(fault.is_none_or(|fault| problems[0].fault == fault), "{begin:?}");
    }
    bombs.end();
}

/// Whoever has that many mistakes is not told for each of them what was meant.
#[test]
fn suggestions_are_bounded() {
    let mut bombs = Bombs::default();
    let tasks = numbered(15_000, |n| format!(" task{n}: {{ run: x, depends_on: tusk{n} }}\n"));
    bombs.check("tasks that are not there", format!("tasks:\n{tasks}"), "*");
    let params = numbered(15_000, |n| format!(" param{n}: 1\n"));
    let reads = numbered(15_000, |n| format!("  ${{{{ params.porom{n} }}}}\n"));
    bombs.check("parameters that are not there", format!("params:\n{params}run: |\n{reads}"), "*");
    let anchors = numbered(15_000, |n| format!("x-{n}: &anchor{n} 1\n"));
    let aliases = numbered(15_000, |n| format!("y-{n}: *ancher{n}\n"));
    bombs.check("anchors that are not there", format!("{anchors}{aliases}run: ls\n"), "*");
    let templates = numbered(10_000, |n| format!(" common{n}: {{ env: {{ A: 1 }} }}\n"));
    let children = numbered(10_000, |n| format!(" t{n}: {{ run: x, extends: commun{n} }}\n"));
    let given = numbered(15_000, |n| format!("   porom{n}: 1\n"));
    bombs.check(
        "parameters that are given and not there",
        format!("params:\n{params}schedule:\n  cron: 0 3 * * *\n  params:\n{given}run: ls\n"),
        "*",
    );
    let times = |count: usize| "- 0 3 * * *\n".repeat(count);
    bombs.check(
        "parameters that no schedule gives",
        format!("params:\n{}schedule:\n{}run: ls\n", params.replace(" 1", " { type: string }"), times(9_000)),
        "9000 schedules would keep parameters",
    );
    bombs.check(
        "large parameters of schedules",
        format!("params: {{ a: {} }}\nschedule:\n{}run: ls\n", "x".repeat(500_000), times(9_000)),
        "9000 schedules would keep parameters",
    );
    bombs.check(
        "parameters of a few schedules",
        format!("params:\n{params}schedule: [1 3 * * *, 2 3 * * *, 3 3 * * *, 4 3 * * *]\nrun: ls\n"),
        "",
    );
    bombs.check("variables that are not there", filled("run: ${{ f(", "ens.a, ", "0) }}"), "there is no");
    bombs.check("fields that are not there", filled("run: ${{ f(", "run.idd, ", "0) }}"), "has no `idd`");
    let chain = numbered(9_000, |n| {
        format!(
            " t{n}: {{ run: 'x ${{{{ tasks.t{}.outputs.x }}}}', depends_on: t{} }}\n",
            n.saturating_sub(1),
            n.saturating_sub(1)
        )
    });
    bombs.check("outputs of the one before", format!("tasks:\n{chain}"), "*");
    let many = |name: &str| numbered(5_000, |n| format!("  {name}{n}: {{ run: x }}\n"));
    bombs.check(
        "children that wait for all others",
        format!("tasks:\n{}finally:\n{}", many("a"), many("z")),
        "5000 children under `finally`",
    );
    bombs.check("templates that are not there", format!("templates:\n{templates}tasks:\n{children}"), "*");
    let reads = numbered(10_000, |n| format!(" t{n}: {{ run: 'x ${{{{ tasks.u{n}.outputs.x }}}}' }}\n"));
    bombs.check("outputs that are not there", format!("tasks:\n{reads}"), "*");
    bombs.end();
}

/// Templates multiply as aliases do, and a long row of them is as deep as brackets are.
#[test]
fn templates_do_not_multiply() {
    let mut bombs = Bombs::default();
    let row = |count: usize| numbered(count, |n| format!(" t{}: {{ extends: t{n} }}\n", n + 1));
    let file = |row: String, last: usize| {
        format!("templates:\n t0: {{ timeout: 1m }}\n{row}tasks: {{ a: {{ run: ls, extends: t{last} }} }}\n")
    };
    bombs.check("a row of templates", file(row(49), 49), "");
    bombs.check("a longer row of templates", file(row(50), 50), "more than 50 templates are extended");
    bombs.check(
        "a very long row of templates",
        file(row(20_000), 20_000),
        "more than 50 templates are extended",
    );
    let pairs = numbered(40, |n| format!(" t{}: {{ extends: [t{n}, t{n}, t0] }}\n", n + 1));
    bombs.check("templates in pairs", file(pairs, 40), "");
    let many = numbered(9_000, |n| format!(" t{n}: {{ timeout: 1m }}\n"));
    let names = numbered(9_000, |n| format!("t{n},"));
    let tasks = numbered(9_000, |n| format!(" a{n}: {{ run: ls, extends: all }}\n"));
    let text = format!("templates:\n{many} all: {{ extends: [{names}] }}\ntasks:\n{tasks}");
    bombs.check("all templates for all tasks", text, "more than 50 templates are extended");
    bombs.end();
}

/// The table in which two names are compared has a cell for every two letters.
#[test]
fn long_names_are_not_compared() {
    let mut bombs = Bombs::default();
    let (one, two) = ("a".repeat(300_000), "a".repeat(299_999));
    bombs.check("long anchors", format!("x-a: &{one} 1\nx-b: *{two}\nrun: ls\n"), "no anchor named");
    bombs.check(
        "long children",
        format!("tasks:\n  ? {one}\n  : {{ run: ls }}\n  b: {{ run: ls, depends_on: {two} }}\n"),
        "*",
    );
    bombs.check(
        "long templates",
        format!("templates:\n  ? {one}\n  : {{ timeout: 1m }}\nextends: {two}\nrun: ls\n"),
        "*",
    );
    bombs.check(
        "long parameters",
        format!("params:\n  ? {one}\n  : 1\nrun: echo ${{{{ params.{two} }}}}\n"),
        "*",
    );
    bombs.end();
}
