//! Hooks of the real program: how it comes up, how it dies, and what it says of them.

use super::support::{Cli, Server};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const TOKEN: &str = "sixteen bytes and more";
const TASK: &str = "{ schedule: { webhook: { token: TOKEN } }, delay: 1s, run: 'cp \"$NEAP_WEBHOOK_BODY\" body.part; mv body.part body' }";

fn project(listen: &str) -> Cli {
    let cli = Cli::new().task("deploy", TASK);
    let secrets = "secrets: [{ name: TOKEN, from: command, key: echo sixteen bytes and more }]";
    cli.write("neap.yaml", &format!("{secrets}\n{listen}"));
    cli
}

fn listen(address: &str) -> String {
    format!("webhooks: {{ listen: \"{address}\" }}\n")
}

/// Where the host says that it takes calls.
fn address(server: &mut Server) -> String {
    let line = server.says("takes calls at ");
    let address = line.split("http://").nth(1).unwrap();
    address.trim().strip_suffix("/hooks/").unwrap().to_owned()
}

/// The status and the rest of the answer.
fn call(address: &str, task: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /hooks/{task} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), rest.to_owned())
}

#[test]
fn a_call_that_was_answered_outlives_the_host() {
    let cli = project(&listen("127.0.0.1:0"));
    let mut server = cli.serve();
    let address = address(&mut server);
    let (status, answer) = call(&address, "deploy", "what was sent");
    assert_eq!(status, 202, "{answer}");
    server.kill();
    assert!(!cli.root().join("body").exists(), "the run began before the host was killed");
    let run: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(run["label"], "deploy#1");
    let server = cli.serve();
    let waited = cli.neap(&["wait", run["run"].as_str().unwrap()]);
    assert_eq!(waited.code, 0, "{}", waited.stderr);
    assert_eq!(std::fs::read_to_string(cli.root().join("body")).unwrap(), "what was sent");
    server.stop();
}

#[test]
fn a_host_without_its_port_does_not_come_up() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let cli = project(&listen(&port.to_string()));
    let told = cli.neap(&["serve"]);
    let place =
        format!("neap.yaml:2:21: error[E0312]: the host cannot listen at {port}: Address already in use");
    assert!(
        told.code != 0 && told.stderr.contains(&place) && told.stderr.contains("choose another port"),
        "{}",
        told.stderr
    );
    // What needs no port goes on.
    cli.write("tasks/now.yaml", "run: echo done");
    let told = cli.neap(&["run", "now"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    drop(taken);
    let mut server = cli.serve();
    assert_eq!(address(&mut server), port.to_string());
    // Another project with the same port is refused, and the first goes on.
    let other = project(&listen(&port.to_string()));
    assert!(other.neap(&["serve"]).stderr.contains("Address already in use"));
    assert_eq!(call(&port.to_string(), "deploy", "").0, 202);
    server.stop();
}

#[test]
fn what_is_called_says_how_and_by_whom() {
    let cli = project("");
    let deaf = "neap.yaml has no `webhooks`, so nobody listens";
    let told = cli.neap(&["check", "--one-line"]);
    assert_eq!(told.code, 0);
    assert!(
        told.stdout.contains("tasks/deploy.yaml:1:15: warning[W0207]: nobody listens for this webhook"),
        "{}",
        told.stdout
    );
    for words in [&["next"][..], &["next", "deploy"], &["why", "deploy"], &["ls"]] {
        let said = cli.neap(words).stdout;
        assert!(said.contains("on POST /hooks/deploy") && said.contains(deaf), "{words:?}: {said}");
    }
    cli.write(
        "neap.yaml",
        &(std::fs::read_to_string(cli.root().join("neap.yaml")).unwrap() + &listen("127.0.0.1:0")),
    );
    assert_eq!(cli.neap(&["check", "--one-line"]).stdout, "");
    let mut server = cli.serve();
    let address = address(&mut server);
    for words in [&["next"][..], &["next", "deploy"], &["why", "deploy"], &["ls"], &["show", "deploy"]] {
        let said = cli.neap(words).stdout;
        assert!(said.contains("on POST /hooks/deploy") && !said.contains(deaf), "{words:?}: {said}");
    }
    assert_eq!(call(&address, "deploy", "").0, 202);
    let said = cli.neap(&["show", "deploy#1"]).stdout;
    assert!(said.contains("by a call from 127.0.0.1, "), "{said}");
    assert!(said.contains("called  deploy: on POST /hooks/deploy with TOKEN\n"), "{said}");
    let said = cli.neap(&["show", "deploy#1", "--events"]).stdout;
    assert!(said.contains("for a call from 127.0.0.1"), "{said}");
    assert!(!cli.neap(&["show", "deploy#1", "--events"]).stdout.contains(TOKEN));
    server.stop();
}
