//! Expressions: their values, what they refuse, and that none of them harms the next.

use super::*;
use std::time::{Duration, Instant};

fn variables() -> serde_json::Map<String, Value> {
    let variables = json!({
        "params": {
            "day": "2026-11-21", "n": 5, "big": 9_007_199_254_740_991_i64, "half": 0.5, "ok": true, "none": null,
            "files": ["a", "b"], "empty": [], "holes": [1, null, 3], "nested": { "deep": { "x": 1 } },
        },
        "env": { "HOME": "/root" },
        "run": { "id": "abc", "date": "2026-11-21" },
        "tasks": {
            "dump": { "outcome": "succeeded", "outputs": { "size": 42, "files": [] } },
            "my-dump": { "outcome": "skipped", "outputs": {} },
        },
        "item": null,
        "matrix": { "os": "debian" },
    });
    match variables {
        Value::Object(variables) => variables,
        other => panic!("{other}"),
    }
}

impl Bench {
    async fn values(&self, sources: &[&str]) -> Result<Vec<Value>, EvaluationError> {
        let sources = sources.iter().map(|source| Arc::from(*source)).collect();
        let request = Evaluation { label: "nightly#3/dump".into(), sources, variables: variables() };
        self.scripts.evaluate(request).await
    }

    async fn value(&self, source: &str) -> Result<Value, String> {
        match self.values(&[source]).await {
            Ok(mut values) => Ok(values.remove(0)),
            Err(error) => Err(error.message),
        }
    }
}

/// Runs one table of expressions: each must give its value.
async fn all(table: &[(&str, Value)]) {
    let bench = Bench::new();
    let mut wrong = Vec::new();
    for (source, expected) in table {
        let found = bench.value(source).await;
        if found.as_ref() != Ok(expected) {
            wrong.push(format!("{source}: expected {expected}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs one table of expressions: each must fail with its message.
async fn none(table: &[(&str, &str)]) {
    let bench = Bench::new();
    let mut wrong = Vec::new();
    for (source, expected) in table {
        let found = bench.value(source).await;
        if found != Err((*expected).to_owned()) {
            wrong.push(format!("{source}\n   expected {expected}\n   found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn expressions_have_values() {
    all(&[
        ("params.day", json!("2026-11-21")),
        ("params.day == '2026-11-21'", json!(true)),
        ("params.n + 1", json!(6)),
        ("params.n / 2", json!(2.5)),
        ("params.big", json!(9_007_199_254_740_991_i64)),
        ("params.half", json!(0.5)),
        ("params.n == 5 and params.ok", json!(true)),
        ("params.none", json!(null)),
        ("params['none'] == nil", json!(true)),
        ("params.files", json!(["a", "b"])),
        ("params.empty", json!([])),
        ("params.holes", json!([1, null, 3])),
        ("{ #params.files, #params.empty, #params.holes }", json!([2, 0, 3])),
        ("params.files[2]", json!("b")),
        ("params.holes[2]", json!(null)),
        ("params.nested", json!({ "deep": { "x": 1 } })),
        ("env.HOME .. '/x'", json!("/root/x")),
        ("env.NOPE", json!(null)),
        ("default(env.NOPE, 'none')", json!("none")),
        ("item", json!(null)),
        ("item == nil", json!(true)),
        ("tasks.dump.outputs.size > 41", json!(true)),
        ("tasks['my-dump'].outcome", json!("skipped")),
        ("tasks.dump.outputs.files", json!([])),
        ("tasks", variables()["tasks"].clone()),
        ("matrix.os:upper()", json!("DEBIAN")),
        ("`on {matrix.os}, {params.n} times`", json!("on debian, 5 times")),
        ("if params.n > 3 then 'many' else 'few'", json!("many")),
        ("string.format('%03d', params.n)", json!("005")),
        ("math.max(1, params.n)", json!(5)),
        ("table.concat(params.files, '+')", json!("a+b")),
        ("('a,b'):split(',')", json!(["a", "b"])),
        ("os.date('!%Y', 0)", json!("1970")),
        ("os.time() > 0", json!(true)),
        ("utf8.len('äö')", json!(2)),
        ("bit32.band(6, 3)", json!(2)),
        (
            "(function() local sum = 0 for _, item in params.files do sum += #item end return sum end)()",
            json!(2),
        ),
        (
            "(function() local t = {} for k in pairs(params.nested) do t[#t + 1] = k end return t end)()",
            json!(["deep"]),
        ),
        ("select('#', 1, 2)", json!(2)),
        ("(('abc'):gsub('b', 'x'))", json!("axc")),
        ("('abc'):gsub('b', 'x')", json!("axc")),
        ("nil", json!(null)),
        ("{}", json!({})),
        ("params.day -- the day", json!("2026-11-21")),
        ("\n  params.n\n  + 1\n", json!(6)),
    ])
    .await;
}

#[tokio::test]
async fn functions_do_what_their_table_says() {
    let examples = EXPRESSION_FUNCTIONS
        .map(|function| (function.example, serde_json::from_str(function.gives).unwrap()));
    all(&examples).await;
    assert!(EXPRESSION_FUNCTIONS.is_sorted_by_key(|function| function.name));
    for function in EXPRESSION_FUNCTIONS {
        assert!(function.usage.starts_with(&format!("{}(", function.name)), "{}", function.name);
    }
    all(&[
        ("contains('backup.sql', '.sql')", json!(true)),
        ("contains(params.files, 'c')", json!(false)),
        ("contains('a%d', '%d')", json!(true)),
        ("startswith('a', 'ab') or endswith('a', 'ba')", json!(false)),
        ("startswith('', '') and endswith('a', '')", json!(true)),
        ("join(params.files)", json!("a,b")),
        ("join({ 5, 1e15, 0.5, true, { 1 } }, ' ')", json!("5 1000000000000000 0.5 true [1]")),
        ("split('')", json!([])),
        ("split('a')", json!(["a"])),
        ("split('a\\nb\\n', '\\n')", json!(["a", "b", ""])),
        ("default(params.none, 1)", json!(1)),
        ("default(false, 1)", json!(false)),
        ("{ basename('/'), basename('a'), basename('/a/b//'), basename('') }", json!(["/", "a", "b", ""])),
        (
            "{ dirname('/'), dirname('a'), dirname('/a/b//'), dirname('/a'), dirname('a//b') }",
            json!(["/", ".", "/a", "/", "a"]),
        ),
        ("json({ a = 1 })", json!("{\"a\":1}")),
        ("json(params.empty) .. json(params.holes)", json!("[][1,null,3]")),
        ("fromjson('[1, {\"a\": []}]')", json!([1, { "a": [] }])),
        ("fromjson('null')", json!(null)),
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    none(&[
        ("params.dya", "there is no parameter `dya`; did you mean `day`?"),
        ("params.zzz", "there is no parameter `zzz`; there are: big, day, empty, files, half, holes, n, nested, none, ok"),
        ("params[nil]", "there is no parameter `nil`; there are: big, day, empty, files, half, holes, n, nested, none, ok"),
        ("parms.day", "there is no `parms`; did you mean `params`?"),
        ("matrx.os", "there is no `matrx`; did you mean `matrix`?"),
        ("contain('a', 'b')", "there is no `contain`; did you mean `contains`?"),
        ("whatever", "there is no `whatever`"),
        ("neap.sleep(1)", "`neap` is not available in an expression"),
        ("require('x')", "`require` is not available in an expression"),
        ("tasks.dmup.outcome", "`dmup` is not a task that this one depends on; did you mean `dump`?"),
        ("tasks.other.outcome", "`other` is not a task that this one depends on; it depends on: dump, my-dump"),
        ("tasks.dump.outputs.sise", "`dump` has no output `sise`; did you mean `size`?"),
        ("tasks.dump.outputs.k", "`dump` has no output `k`; its outputs are: files, size"),
        ("tasks['my-dump'].outputs.k", "`my-dump` has no output `k`; it has written none"),
        ("tasks.dump.result", "there is no `tasks.dump.result`; there are: outcome, outputs"),
        ("run.dat", "there is no `run.dat`; did you mean `date`?"),
        ("params.nested.deep.y", "there is no `params.nested.deep.y`; there are: x"),
        ("params.files[3]", "`params.files` has 2 items, there is no item 3"),
        ("params.files.first", "`params.files` is a list: its items have numbers from 1, not `first`"),
        ("params.day.size", "a text has no `size`"),
        ("string.trim(' ')", "a text has no `trim`"),
        ("math.flor(1)", "there is no `math.flor`; did you mean `floor`?"),
        ("math.randomsed()", "there is no `math.randomsed`; did you mean `random`?"),
        ("os.clock()", "there is no `os.clock`; there are: date, difftime, time"),
        ("env.NOPE .. 'x'", "attempt to concatenate nil with string"),
    ])
    .await;
}

#[tokio::test]
async fn mistakes_are_told_in_one_line() {
    none(&[
        ("params.n +", "Expected identifier when parsing expression, got <eof>"),
        ("params.n params.n", "Expected <eof>, got 'params'"),
        ("1, 2", "there must be exactly one value: one expression, without `,` and `;` behind it"),
        ("1;", "there must be exactly one value: one expression, without `,` and `;` behind it"),
        ("1) os.time() (2", "Expected <eof>, got ')'"),
        ("local x = 1", "Expected identifier when parsing expression, got 'local'"),
        ("-- nothing", "there must be exactly one value: one expression, without `,` and `;` behind it"),
        ("params.n != 5", "Unexpected '!='; did you mean '~='?"),
        ("error('a\\nb')", "a b"),
        ("error({ message = 'told' })", "told"),
        ("1 + {}", "attempt to perform arithmetic (add) on number and table"),
        ("params.none.x", "attempt to index nil with 'x'"),
        ("params.day()", "attempt to call a string value"),
        ("\nparams.n +\nparams.dya", "line 3: there is no parameter `dya`; did you mean `day`?"),
        ("\nparams.n +\n{}", "line 3: attempt to perform arithmetic (add) on number and table"),
        ("contains(5, 1)", "contains: a list is needed, not a number"),
        ("contains(nil, 1)", "contains: a list is needed, not nil"),
        ("startswith(nil, 'a')", "startswith: a text is needed, not nil"),
        ("join('a')", "join: a list is needed, not a string"),
        ("join({ print })", "`print` is not available in an expression"),
        ("fromjson('{')", "fromjson: EOF while parsing an object at line 1 column 1"),
        ("fromjson(true)", "fromjson: a text is needed, not a boolean"),
        ("json(json)", "json: the value holds a function"),
        ("json", "an expression must give text, a number, true/false, a list or a table, not a function"),
        (
            "{ a = { type } }",
            "an expression must give text, a number, true/false, a list or a table, not a function",
        ),
        ("1 / 0", "an expression must give a number that is finite"),
        ("{ 0 / 0 }", "an expression must give a number that is finite"),
        ("('x'):rep(1048577)", "an expression must give no more than 1 MiB"),
    ])
    .await;
}

#[tokio::test]
async fn errors_say_which_expression_of_whom() {
    let bench = Bench::new();
    let error = bench.values(&["params.n", "params.day", "params.x", "1 / 0"]).await.unwrap_err();
    assert_eq!(error.index, 2);
    assert!(error.to_string().starts_with("nightly#3/dump: there is no parameter `x`"), "{error}");
    let error = bench.values(&["params.x", "1 +"]).await.unwrap_err();
    assert_eq!(error.index, 1, "what is no Lua is told before anything runs");
    assert_eq!(bench.values(&[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn expressions_are_checked_without_running() {
    let bench = Bench::new();
    assert_eq!(bench.scripts.check_expression("tasks/x.yaml", "whatever(params.nope, 1)"), None);
    let problem = bench.scripts.check_expression("tasks/x.yaml", "params.n\n  + + 1\n").unwrap();
    assert_eq!((problem.file.as_str(), problem.line), ("tasks/x.yaml", Some(2)));
    assert_eq!(problem.excerpt[1], (2, "  + + 1".to_owned()));
    let problem = bench.scripts.check_expression("x", "params.n & 1").unwrap();
    assert_eq!(problem.hint.as_deref(), Some("use bit32.band(a, b)"));
    let problem = bench.scripts.check_expression("x", &"(".repeat(20_000)).unwrap();
    assert_eq!(problem.message, "an expression may have 16 KiB at most");
    assert!(bench.scripts.check_expression("x", &"(".repeat(10_000)).is_some());
}

/// Expressions that mean harm, and how their messages begin: each must come back in time.
const HOSTILE: &[(&str, &str)] = &[
    ("(function() while true do end end)()", "the expression was stopped: 50 ms of CPU used"),
    ("(function() repeat until false end)()", "the expression was stopped: 50 ms of CPU used"),
    ("(function() local function f() return f() end return f() end)()", "stack overflow"),
    ("(function() local function f() return 1 + f() end return f() end)()", "stack overflow"),
    ("('x'):rep(1e9)", "the expression used up its memory"),
    ("string.rep('x', 1e9)", "the expression used up its memory"),
    ("(function() local s = 'x' while true do s = s .. s end end)()", "the expression used up its memory"),
    ("(function() local t = {} while true do t[#t + 1] = {} end end)()", "the expression "),
    ("table.create(5e6, 0)", "the expression used up its memory"),
    ("table.create(1e8, 0)", "table overflow"),
    ("('a'):rep(40):find(('.-'):rep(25) .. 'b')", "the expression was stopped: 50 ms of CPU used"),
    ("('a'):rep(1e6):find('a*b')", "the expression was stopped: 50 ms of CPU used"),
    ("('a'):rep(4e6):split(('a'):rep(2e6) .. 'b')", "string.split: text and separator are too long"),
    ("contains(('a'):rep(4e6), ('a'):rep(2e6) .. 'b')", "string.find: text and pattern are too long"),
    ("split(('a'):rep(4e6), ('a'):rep(2e6) .. 'b')", "string.split: text and separator are too long"),
    ("join(table.create(1e6, 'aaaaaaaaaaaaaaaaaaaa'), ('x'):rep(1e4))", "the expression "),
    (
        "table.sort({ 3, 2, 1 }, function() while true do end end)",
        "the expression was stopped: 50 ms of CPU used",
    ),
    ("('x'):gsub('.', function() while true do end end)", "the expression was stopped: 50 ms of CPU used"),
    ("table.move({}, 1, 2^31 - 2, 2)", "table.move: the range is too long"),
    (
        "(function() local t = {} t.t = t return t end)()",
        "the value of the expression is a table of more than",
    ),
    (
        "(function() local t = {1} for _ = 1, 60 do t = { t, t } end return t end)()",
        "an expression must give no more than 1 MiB",
    ),
    ("fromjson(('['):rep(1e5))", "fromjson: recursion limit exceeded"),
    ("io.open('/etc/passwd')", "`io` is not available in an expression"),
    ("os.execute('true')", "there is no `os.execute`"),
    ("os.getenv('HOME')", "there is no `os.getenv`"),
    ("load('return 1')()", "`load` is not available in an expression"),
    ("getfenv(0)", "there is no `getfenv`"),
    ("debug.info(1, 'f')", "`debug` is not available in an expression"),
    ("setmetatable(params, {})", "`setmetatable` is not available in an expression"),
    ("getmetatable('').__index", "`getmetatable` is not available in an expression"),
    ("_G.print", "`_G` is not available in an expression"),
    ("pcall(function() while true do end end)", "`pcall` is not available in an expression"),
    ("coroutine.wrap(function() while true do end end)()", "`coroutine` is not available in an expression"),
    ("string.dump(tostring)", "a text has no `dump`"),
    ("(function() params.day = 'x' end)()", "attempt to modify a readonly table"),
    ("(function() params.files[1] = 'x' end)()", "attempt to modify a readonly table"),
    ("(function() env.HOME = 'x' end)()", "attempt to modify a readonly table"),
    ("table.insert(params.files, 'x')", "attempt to modify a readonly table"),
    ("table.clear(tasks)", "attempt to modify a readonly table"),
    ("(function() string.upper = nil end)()", "attempt to modify a readonly table"),
    ("(function() math.max = nil end)()", "attempt to modify a readonly table"),
    ("(function() params = nil end)()", "attempt to modify a readonly table"),
    ("(function() leak = 1 end)()", "attempt to modify a readonly table"),
    ("(function() type = nil end)()", "attempt to modify a readonly table"),
    ("error(('x'):rep(1e6))", "xxxx"),
    ("error(table.create(2e5, 'x'))", "the error object is too large"),
];

#[tokio::test]
async fn every_attack_comes_back_in_time_and_harms_nobody() {
    let bench = Bench::with(Limits { workers: 1, ..Limits::default() });
    let good = "type(params) .. string.upper('a') .. params.day .. math.max(1, 2) .. #('x'):rep(1e6)";
    let mut wrong = Vec::new();
    for (source, expected) in HOSTILE {
        let began = Instant::now();
        let found = bench.value(source).await;
        let took = began.elapsed();
        if !found.as_ref().is_err_and(|message| message.starts_with(expected) && message.len() < 2_500) {
            wrong.push(format!("{source}\n   expected {expected}\n   found    {found:?}"));
        }
        if took > Duration::from_millis(800) {
            wrong.push(format!("{source}\n   took {took:?}"));
        }
        let next = bench.value(good).await;
        if next != Ok(json!("tableA2026-11-2121000000")) {
            wrong.push(format!("{source}\n   harmed the next one: {next:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn memory_that_one_leaves_behind_is_not_missing_to_the_next() {
    let bench = Bench::with(Limits { workers: 1, ..Limits::default() });
    for round in 0..40 {
        let found = bench.value("#table.concat({ ('x'):rep(3e6), ('y'):rep(3e6) })").await;
        assert_eq!(found, Ok(json!(6_000_000)), "{round}");
    }
}

#[tokio::test]
async fn a_hundred_evaluations_at_once_know_their_own_variables() {
    let bench = Bench::new();
    let one = |n: u64| {
        let scripts = bench.scripts.clone();
        async move {
            let busy = "(function() local x = 0 for i = 1, 2e4 do x += i end return x end)()";
            let sources = ["params.n", busy, "params.n + 1", "tasks.t.outputs.n"].map(Arc::from).to_vec();
            let variables = json!({ "params": { "n": n }, "tasks": { "t": { "outputs": { "n": n * 2 } } } });
            let variables = variables.as_object().unwrap().clone();
            scripts.evaluate(Evaluation { label: format!("t#{n}"), sources, variables }).await
        }
    };
    let running: Vec<_> = (0..100).map(|n| tokio::spawn(one(n))).collect();
    for (n, evaluated) in (0_u64..).zip(running) {
        assert_eq!(
            evaluated.await.unwrap(),
            Ok(vec![json!(n), json!(200_010_000), json!(n + 1), json!(n * 2)])
        );
    }
}

#[tokio::test]
async fn an_evaluation_that_nobody_waits_for_ends() {
    let expression = Budget { cpu: Millis(600_000), wall: Millis(600_000) };
    let bench = Bench::with(Limits { workers: 1, expression, ..Limits::default() });
    let endless = bench.value("(function() while true do end end)()");
    assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
    assert_eq!(bench.value("params.n").await, Ok(json!(5)));
}

/// Bounds nothing tightly, since machines differ: it notices when a machine is made for each evaluation.
#[tokio::test]
async fn an_expression_is_cheap() {
    let bench = Bench::with(Limits { workers: 1, ..Limits::default() });
    bench.value("params.day == 'x'").await.unwrap();
    let began = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(bench.value("params.day == 'x'").await, Ok(json!(false)));
    }
    let took = began.elapsed() / 1_000;
    println!("{took:?} for each evaluation");
    assert!(took < Duration::from_millis(2), "{took:?}");
}
