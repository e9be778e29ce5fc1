//! Scripts that mean harm, or have an accident that looks like it. Each must come back in time with the expected verdict, and the
//! next script on the same thread must not notice.

use super::*;
use std::time::{Duration, Instant};

const BUDGET: Budget = Budget { cpu: Millis(100), wall: Millis(400) };

/// How an attack must end.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// Its time is up.
    Time,
    /// Its memory is up, or its time while it tried.
    Memory,
    /// It is refused with an error that says this.
    Refused(&'static str),
    /// It does no harm; this is what it returns as its reason.
    Harmless(&'static str),
}
use Verdict::{Harmless, Memory, Refused, Time};

/// Each is the body of `retry`.
const ATTACKS: &[(&str, Verdict)] = &[
    // Loops.
    ("while true do end", Time),
    ("repeat until false", Time),
    ("for i = 1, math.huge do end", Time),
    ("local function f() return f() end return f()", Refused("stack overflow")),
    ("local function f() f() end while true do pcall(f) end", Time),
    ("while true do pcall(function() while true do end end) end", Time),
    ("while true do pcall(error) end", Time),
    ("xpcall(error, function() while true do end end)", Time),
    ("while true do xpcall(function() while true do end end, function() while true do end end) end", Time),
    ("xpcall(function() error('x') end, function(e) error(e) end) while true do end", Time),
    ("coroutine.wrap(function() while true do end end)()", Time),
    ("while true do coroutine.resume(coroutine.create(function() while true do end end)) end", Time),
    (
        "while true do local co = coroutine.wrap(function() while true do coroutine.yield() end end) for i = 1, 9 do co() end end",
        Time,
    ),
    ("while true do coroutine.yield() end", Time),
    ("while true do coroutine.yield(1, 2, 3) end", Time),
    ("local function nest() coroutine.wrap(nest)() end nest()", Refused("")),
    ("while true do pcall(coroutine.wrap(function() error('x') end)) end", Time),
    ("while true do pcall(neap.sleep, 0) end", Time),
    ("neap.sleep(3600)", Time),
    ("coroutine.wrap(function() neap.sleep(3600) end)()", Time),
    ("while true do print('spam') end", Time),
    ("while true do ctx:log('info', ('x'):rep(1e5), { a = 1 }) end", Time),
    // Where the interrupt cannot yield.
    ("table.sort({3, 2, 1}, function() while true do end end)", Time),
    ("while true do pcall(table.sort, {3, 2, 1}, function() while true do end end) end", Time),
    ("return setmetatable({}, { __index = function() while true do end end }).x", Time),
    ("return setmetatable({}, { __add = function() while true do end end }) + 1", Time),
    ("return tostring(setmetatable({}, { __tostring = function() while true do end end }))", Time),
    ("print(setmetatable({}, { __tostring = function() while true do end end }))", Time),
    ("for _ in setmetatable({}, { __iter = function() while true do end end }) do end", Time),
    ("return #setmetatable({}, { __len = function() while true do end end })", Time),
    (
        "local m = { __eq = function() while true do end end } return setmetatable({}, m) == setmetatable({}, m)",
        Time,
    ),
    ("('x'):gsub('.', function() while true do end end)", Time),
    ("while true do pcall(string.gsub, 'x', '.', function() while true do end end) end", Time),
    ("table.foreach({1}, function() while true do end end)", Time),
    // Loops in C.
    ("return ('a'):rep(40):find(('.-'):rep(25) .. 'b')", Time),
    ("return ('a'):rep(1e6):find('a*b')", Time),
    ("return ('a'):rep(4e6):match('.-.-.-b')", Time),
    ("for _ in ('a'):rep(1e6):gmatch('a*b') do end", Time),
    ("return ('a'):rep(4e6):find(('a'):rep(2e6) .. 'b', 1, true)", Refused("too long for one another")),
    ("return ('a'):rep(4e6):split(('a'):rep(2e6) .. 'b')", Refused("too long for one another")),
    ("table.move({}, 1, 2^31 - 2, 2)", Refused("the range is too long")),
    ("return { reason = #string.rep('', 2^31 - 1) .. '' }", Harmless("0")),
    ("return { reason = #string.rep('', 2^31 - 1, '') .. '' }", Harmless("0")),
    (
        "local t = table.create(5e5, 0) for i = 1, #t do t[i] = i * 7919 % 1000003 end while true do table.sort(t) table.sort(t, function(a, b) return a > b end) end",
        Time,
    ),
    (
        "return table.concat({}, 'x', 1, 2^31 - 2)",
        Refused("invalid value (nil) at index 1 in table for 'concat'"),
    ),
    ("return unpack({}, 1, 1e8)", Refused("too many results to unpack")),
    // Memory.
    ("local t = {} while true do t[#t + 1] = {} end", Memory),
    (
        "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1000) .. #t end end) end",
        Memory,
    ),
    ("local s = 'x' while true do s = s .. s end", Memory),
    ("return ('x'):rep(2^30)", Memory),
    ("return table.create(2^26, 0)", Memory),
    ("return buffer.create(2^30)", Memory),
    (
        "ctx.vars.keep = {} while true do table.insert(ctx.vars.keep, ('y'):rep(1e5) .. #ctx.vars.keep) end",
        Memory,
    ),
    ("local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end", Memory),
    ("local t = {} t.t = t return t", Refused("levels")),
    ("local t = {1} for _ = 1, 60 do t = { t, t } end return t", Refused("is too large")),
    ("return neap.json.decode(('['):rep(1e5))", Refused("neap.json.decode")),
    // Errors that are traps.
    (
        "local e = {} for _ = 1, 1e5 do e = { e } end error(e)",
        Refused("the error object is a table of more than"),
    ),
    ("local e = {} e.e = e error(e)", Refused("the error object is a table of more than")),
    (
        "error(setmetatable({}, { __tostring = function() while true do end end, __index = function() while true do end end }))",
        Refused("{}"),
    ),
    ("error(('x'):rep(4e6))", Refused("xxxx")),
    ("error(function() end)", Refused("error(function)")),
    ("error(newproxy)", Refused("error(nil)")),
    // Ways out.
    ("return os.execute('true')", Refused("attempt to call")),
    ("return os.exit(0)", Refused("attempt to call")),
    ("return os.getenv('HOME')", Refused("attempt to call")),
    ("return io.open('/etc/passwd')", Refused("attempt to index nil with 'open'")),
    ("return load('return 1')", Refused("attempt to call")),
    ("return loadstring('\\27Lua')", Refused("attempt to call")),
    ("return dofile('/etc/passwd')", Refused("attempt to call")),
    ("return getfenv(0)", Refused("attempt to call")),
    ("return setfenv(1, {})", Refused("attempt to call")),
    ("return newproxy(true)", Refused("attempt to call")),
    ("return collectgarbage('stop')", Refused("attempt to call")),
    ("return string.dump(print)", Refused("attempt to call")),
    ("return debug.getregistry()", Refused("attempt to call")),
    ("return debug.info(1, 'f')", Refused("attempt to call")),
    ("return require('../x')", Refused("cannot be required")),
    ("return require('/etc/passwd')", Refused("cannot be required")),
    ("return require('@self/x')", Refused("cannot be required")),
    ("return require({})", Refused("cannot be required")),
    // Traps for others.
    ("string.upper = nil", Refused("readonly")),
    ("string.find = function() return 1 end", Refused("readonly")),
    ("getmetatable('').__index = nil", Refused("readonly")),
    ("getmetatable('').__index.len = nil", Refused("readonly")),
    ("rawset(string, 'len', nil)", Refused("readonly")),
    ("setmetatable(string, {})", Refused("readonly")),
    ("setmetatable(_G, {})", Refused("protected")),
    ("setmetatable(neap, {})", Refused("protected")),
    ("rawset(neap, 'sleep', nil)", Refused("readonly")),
    ("rawset(ctx, 'params', nil)", Refused("readonly")),
    ("neap.log.info = nil", Refused("readonly")),
    ("table.clear(ev)", Refused("readonly")),
    (
        "_G.print = nil _G.string = nil tostring = nil _G._G = nil poisoned = true return { reason = 'mine' }",
        Harmless("mine"),
    ),
    (
        "return { reason = tostring(getmetatable(_G)) .. tostring(getmetatable(neap)) }",
        Harmless("falsefalse"),
    ),
];

fn file(index: usize) -> String {
    format!("attack{index}.lua")
}

fn bench() -> Bench {
    let hooks = BTreeMap::from([(Hook::Retry, BUDGET)]);
    Bench::with(Limits { workers: 1, load: BUDGET, hooks, ..Limits::default() })
}

const GOOD: &str = "local seen = tostring(poisoned) .. string.upper('a') .. #('abc') \
    return { retry = function(ctx) neap.sleep(0) return { reason = seen .. ctx.params.n } end }";

#[tokio::test]
async fn every_attack_comes_back_in_time_and_harms_nobody() {
    let bench = bench();
    let mut wanted = vec![super::hooks("good.lua")];
    bench.write("good.lua", GOOD);
    for (index, (attack, _)) in ATTACKS.iter().enumerate() {
        bench.write(&file(index), &format!("return {{ retry = function(ctx, ev)\n{attack}\nend }}"));
        wanted.push(super::hooks(&file(index)));
    }
    assert_eq!(bench.scripts.reload(&wanted), []);
    let mut wrong = Vec::new();
    for (index, (attack, expected)) in ATTACKS.iter().enumerate() {
        let n = index as u32;
        let began = Instant::now();
        let ended = bench.retry(&file(index), n).await;
        let took = began.elapsed();
        let ended = ended.map(|decision| decision.and_then(|decision| decision.reason).unwrap_or_default());
        let is_right = match (expected, &ended) {
            (Time, Err(error)) => matches!(error.kind(), ErrorKind::Cpu | ErrorKind::Wall),
            (Memory, Err(error)) => error.kind().is_budget(),
            (Refused(word), Err(error)) => !error.kind().is_budget() && error.message().contains(word),
            (Harmless(word), Ok(reason)) => reason == word,
            (Time | Memory | Refused(_), Ok(_)) | (Harmless(_), Err(_)) => false,
        };
        if !is_right {
            wrong.push(format!("{attack}\n   must end as {expected:?}, ended as {ended:?}"));
        }
        if took > BUDGET.wall.to_duration() + Duration::from_millis(300) {
            wrong.push(format!("{attack}\n   took {took:?}"));
        }
        let good = bench.retry("good.lua", 1000 + n).await;
        let good = good.map(|decision| decision.and_then(|decision| decision.reason));
        if good != Ok(Some("nilA35".into())) {
            wrong.push(format!("{attack}\n   harmed the next one: {good:?}"));
        }
        bench.scripts.forget(attempt(n));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn attacks_at_the_top_level_are_problems() {
    let bench = bench();
    for text in [
        "while true do end",
        "local t = {} while true do t[#t + 1] = {} end",
        "while true do pcall(error) end",
        "return setmetatable({}, { __index = function() while true do end end })[1]",
    ] {
        let began = Instant::now();
        bench.problem(text);
        assert!(began.elapsed() < BUDGET.wall.to_duration() + Duration::from_millis(300), "{text}");
    }
}

#[tokio::test]
async fn a_machine_out_of_memory_serves_the_next_attempt() {
    let bench = bench();
    bench.load(
        "x.lua",
        "return { retry = function(ctx) if ctx.vars == nil then return end \
         if ctx.attempt.number == 1 and not ctx.vars.again then ctx.vars.again = true end return { reason = 'small' } end, \
         start = function(ctx) ctx.vars.hoard = {} while true do table.insert(ctx.vars.hoard, {}) end end }",
    );
    let error = bench.scripts.tell(Hook::Start, call("x.lua", 1).0).await.unwrap_err();
    assert!(error.kind().is_budget(), "{error}");
    assert_eq!(bench.reason("x.lua", 1).await, "small", "the same attempt");
    assert_eq!(bench.reason("x.lua", 2).await, "small", "another attempt in the same machine");
}

/// Nothing can interrupt one long concatenation in C, so the thread itself has to be given up.
#[tokio::test]
async fn a_thread_that_does_not_come_back_is_replaced() {
    let hooks = BTreeMap::from([(Hook::Retry, Budget { cpu: Millis(20), wall: Millis(40) })]);
    let limits = Limits {
        workers: 1,
        memory: 1 << 30,
        stuck_after: Millis(1),
        lost_workers: 1,
        hooks,
        ..Limits::default()
    };
    let bench = Bench::with(limits);
    bench.write("stuck.lua", "return { retry = function() local s = ('x'):rep(1e6) local t = table.create(300, s) while true do table.concat(t) end end }");
    bench.write("sleep.lua", "return { start = function() neap.sleep(60) end }");
    bench.write("good.lua", "return { start = function() end }");
    assert_eq!(bench.scripts.reload(&["stuck.lua", "sleep.lua", "good.lua"].map(super::hooks)), []);
    let scripts = bench.scripts.clone();
    let (sleeper, _heard) = call("sleep.lua", 1);
    let mut sleeping = std::pin::pin!(scripts.tell(Hook::Start, sleeper));
    assert!(tokio::time::timeout(Duration::from_millis(30), &mut sleeping).await.is_err());
    let error = bench.retry("stuck.lua", 2).await.unwrap_err();
    assert!(error.kind().is_budget() && error.hint().unwrap().contains("given up"), "{error}");
    let bystander = sleeping.await.unwrap_err();
    assert_eq!(bystander.kind(), ErrorKind::Host, "{bystander}");
    bench.scripts.tell(Hook::Start, call("good.lua", 3).0).await.unwrap();
    let error = bench.retry("stuck.lua", 4).await.unwrap_err();
    assert!(error.kind().is_budget(), "{error}");
    let off = bench.scripts.tell(Hook::Start, call("good.lua", 5).0).await.unwrap_err();
    assert_eq!(off.message(), "scripts are off: 2 threads are stuck in scripts");
}
