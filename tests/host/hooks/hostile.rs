//! Callers who mean no good, or know no better.

use super::caller::{Caller, TOKEN, post, request};
use super::{DEPLOY, Hooked};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_but_hooks_and_nothing_but_post() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let check = async |what: &str, expected: u16| {
        let heard = hooked.call(request(what, &token, b"")).await;
        assert_eq!(heard.status, expected, "{what}: {heard:?}");
        assert!(expected != 405 || heard.header("allow") == Some("POST"), "{heard:?}");
    };
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "X"] {
        check(&format!("{method} /hooks/ops/deploy"), 405).await;
        check(&format!("{method} /hooks/nobody"), 405).await;
    }
    for path in
        ["/", "/hooks", "/hook/ops/deploy", "/HOOKS/ops/deploy", "/api/v1/host", "//hooks/ops/deploy", "*"]
    {
        check(&format!("POST {path}"), 404).await;
    }
    // Nothing is decoded and nothing is tidied: only the name itself is the name.
    for path in ["../hooks/ops/deploy", "ops/../ops/deploy", "ops%2Fdeploy", "ops/deploy/", "./ops/deploy"] {
        check(&format!("POST /hooks/{path}"), 401).await;
    }
    check("POST http://x/hooks/ops/deploy", 202).await;
    hooked.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_the_connection_closed() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let check = async |bytes: &[u8], expected: u16| {
        let mut caller = Caller::new(hooked.address).await;
        caller.send(bytes).await;
        let heard = caller.hear().await.map(|heard| heard.status);
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        assert_eq!(heard, Some(expected), "{text}");
        assert!(caller.hear().await.is_none(), "it goes on after {text}");
    };
    check(b"nonsense\r\n\r\n", 400).await;
    check(b"POST /hooks/a\0b HTTP/1.1\r\nHost: x\r\n\r\n", 400).await;
    check(b"POST /hooks/a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400).await;
    check(b"POST /hooks/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400).await;
    check(b"POST /hooks/ops/deploy HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 505).await;
    let huge = format!("POST /hooks/a HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    check(huge.as_bytes(), 431).await;
    let many = format!("POST /hooks/a HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(500));
    check(many.as_bytes(), 431).await;
    let mut caller = Caller::new(hooked.address).await;
    caller.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(caller.hear().await.is_none(), "HTTP/2 is answered");
    hooked.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_more_than_64_kib_is_refused() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let largest = vec![b'x'; 64 << 10];
    hooked.run(post("/hooks/ops/deploy", "", &largest)).await;
    assert_eq!(hooked.project.read("body").len(), 64 << 10);
    let heard = hooked.call(post("/hooks/ops/deploy", "", &[&largest[..], b"x"].concat())).await;
    assert_eq!(heard.status, 413, "{heard:?}");
    // One that does not say how long it will be.
    let head = format!(
        "POST /hooks/ops/deploy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = [b"8000\r\n", &largest[..0x8000], b"\r\n"].concat();
    let mut caller = Caller::new(hooked.address).await;
    caller.send([head.as_bytes(), &chunk, &chunk, b"1\r\nx\r\n"].concat()).await;
    assert_eq!(caller.hear().await.unwrap().status, 413);
    let mut caller = Caller::new(hooked.address).await;
    caller.send([head.as_bytes(), &chunk, &chunk, b"0\r\n\r\n"].concat()).await;
    assert_eq!(caller.hear().await.unwrap().status, 202);
    hooked.down().await;
}

/// Answers come in the order of the questions, and a body is not taken for a request.
#[tokio::test(flavor = "multi_thread")]
async fn requests_may_follow_each_other_without_a_pause() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let mut caller = Caller::new(hooked.address).await;
    let inner = post("/hooks/ops/deploy", "", b"");
    let all = [
        post("/hooks/ops/deploy", "", &inner),
        request("GET /hooks/ops/deploy", "", b""),
        post("/hooks/nobody", "", &inner),
        post("/hooks/ops/deploy?n=x", "", b""),
        post("/hooks/ops/deploy", "Connection: close\r\n", b""),
        post("/hooks/ops/deploy", "", b""),
    ];
    caller.send(all.concat()).await;
    let mut told = Vec::new();
    while let Some(heard) = caller.hear().await {
        told.push(heard.status);
    }
    assert_eq!(told, [202, 405, 401, 422, 202]);
    let runs = hooked.host.look(|live| live.state.numbers.values().sum::<u64>());
    assert_eq!(runs, 2, "a body was taken for a request");
    hooked.down().await;
}

/// The head, the body and the pause before the next request: each has ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_is_left() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let slow = async |bytes: &[u8], answers: &[u16]| {
        let begun = Instant::now();
        let mut caller = Caller::new(hooked.address).await;
        caller.send(bytes).await;
        let mut told = Vec::new();
        while let Some(heard) = caller.hear().await {
            told.push(heard.status);
        }
        let took = begun.elapsed();
        assert_eq!(told, answers, "{:?}", String::from_utf8_lossy(bytes));
        // How much later than that is the machine's business.
        assert!(took >= Duration::from_millis(9900), "{took:?}");
    };
    let head = b"POST /hooks/ops/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
    let whole = post("/hooks/ops/deploy", "", b"");
    tokio::join!(
        slow(b"", &[]),
        slow(b"POST /hooks/ops/deploy HTTP/1.1\r\nHost:", &[]),
        slow(head, &[408]),
        slow(&whole, &[202]),
    );
    hooked.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_are_connected_at_once() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let mut callers = Vec::new();
    for _ in 0..64 {
        let mut caller = Caller::new(hooked.address).await;
        // Whoever has an answer is connected.
        assert_eq!(caller.ask(request("GET /", "", b"")).await.status, 404);
        callers.push(caller);
    }
    for request in [post("/hooks/ops/deploy", "", b""), Vec::new()] {
        let mut one_more = Caller::new(hooked.address).await;
        one_more.send(request).await;
        let heard = one_more.hear().await.expect("it was not told");
        assert!(heard.status == 503 && heard.header("retry-after").is_some(), "{heard:?}");
        assert!(one_more.hear().await.is_none());
    }
    assert_eq!(callers[63].ask(post("/hooks/ops/deploy", "", b"")).await.status, 202);
    // When one leaves, another one may come. That it has left is seen a moment later.
    drop(callers.pop());
    let comes = async {
        loop {
            let mut caller = Caller::new(hooked.address).await;
            caller.send(post("/hooks/ops/deploy", "", b"")).await;
            if caller.hear().await.is_some_and(|heard| heard.status == 202) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), comes).await.expect("the place stays taken");
    hooked.down().await;
}
