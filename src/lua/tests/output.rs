//! The `output` hook: batches, filters, and lines that are lost rather than waited for.

use super::*;

fn line(feed: &OutputFeed, text: &str) {
    feed.push(Stream::Stderr, text.as_bytes());
}

#[tokio::test]
async fn lines_become_progress() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        r#"local M = { output_filter = { "time=", "%" } }
           function M.output(ctx, ev)
             ctx.vars.lines = (ctx.vars.lines or 0) + 1
             local percent = ev.line:match("(%d+)%%")
             if percent then
               return { progress = tonumber(percent), message = ev.stream .. " " .. ev.n .. " " .. ctx.vars.lines }
             end
           end
           return M"#,
    );
    let (feed, mut decisions) = bench.scripts.output(call("x.lua", 1).0).unwrap();
    for text in ["nothing", "10%", "time=3", "20%", "not wanted"] {
        line(&feed, text);
    }
    let decision = decisions.next().await.unwrap().unwrap();
    assert_eq!(decision.progress, Some(20.0), "the last word counts");
    assert_eq!(
        decision.message.as_deref(),
        Some("stderr 4 3"),
        "filtered lines never reach the script, but are counted"
    );
    line(&feed, "30%");
    drop(feed);
    assert_eq!(decisions.next().await.unwrap().unwrap().progress, Some(30.0));
    assert_eq!(decisions.next().await, None);
}

#[tokio::test]
async fn the_oldest_lines_are_dropped_and_counted() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        "return { output = function(ctx, ev) return { message = ev.n == 1000 and tostring(ctx.vars.dropped) or nil, \
         eta = (function() ctx.vars.dropped = (ctx.vars.dropped or 0) + ev.dropped end)() } end }",
    );
    let (feed, mut decisions) = bench.scripts.output(call("x.lua", 1).0).unwrap();
    for n in 1..=1000 {
        line(&feed, &n.to_string());
    }
    drop(feed);
    assert_eq!(
        decisions.next().await.unwrap().unwrap().message.as_deref(),
        Some("488"),
        "512 of 1000 were kept"
    );
}

#[tokio::test]
async fn the_first_fail_counts_and_an_error_ends_only_its_batch() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        r#"return { output = function(ctx, ev)
             if ev.line == "boom" then error("boom") end
             if ev.line == "wait" then neap.sleep(1) end
             return { fail = ev.line }
           end }"#,
    );
    let (feed, mut decisions) = bench.scripts.output(call("x.lua", 1).0).unwrap();
    line(&feed, "boom");
    assert_eq!(decisions.next().await.unwrap().unwrap_err().message(), "boom");
    line(&feed, "wait");
    let denied = decisions.next().await.unwrap().unwrap_err();
    assert_eq!(denied.message(), "neap.sleep cannot be used in `output`: it would have to wait");
    line(&feed, "first");
    line(&feed, "second");
    assert_eq!(decisions.next().await.unwrap().unwrap().fail.as_deref(), Some("first"));
    assert!(bench.scripts.output(call("absent.lua", 1).0).is_none());
}

#[tokio::test]
async fn three_stops_in_ten_minutes_mute_a_hook_until_its_file_changes() {
    let bench = Bench::new();
    let text = "return { output = function() while true do end end, retry = function() return { reason = 'fine' } end }";
    bench.load("x.lua", text);
    let (feed, mut decisions) = bench.scripts.output(call("x.lua", 1).0).unwrap();
    for minute in [0, 11, 12, 13] {
        bench.now.store(minute * 60_000, std::sync::atomic::Ordering::Relaxed);
        line(&feed, "x");
        let error = decisions.next().await.unwrap().unwrap_err();
        assert!(error.kind().is_budget(), "{error}");
        assert_eq!(error.place().map(|place| place.line), Some(1), "{error}");
    }
    line(&feed, "x");
    assert_eq!(decisions.next().await.unwrap().unwrap_err().kind(), ErrorKind::Muted);
    assert_eq!(decisions.next().await, None);
    assert_eq!(bench.reason("x.lua", 2).await, "fine", "other hooks of the file go on");
    assert_eq!(bench.scripts.status()[0].muted, [Hook::Output].into());
    bench.load("x.lua", &format!("{text}\n"));
    let (feed, mut decisions) = bench.scripts.output(call("x.lua", 3).0).unwrap();
    line(&feed, "x");
    assert!(decisions.next().await.unwrap().unwrap_err().kind().is_budget());
}
