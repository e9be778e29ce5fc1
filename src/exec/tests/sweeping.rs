//! Sweeping up after a host that died.

use super::*;
use std::process::{Child, Command, Stdio};

/// A process as a dead host would have left it.
fn orphan(instance: &str, number: u32) -> Child {
    let (name, value) = marker(instance, attempt(number));
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 & echo; wait"]).env(name, value).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = [0];
    std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut line).unwrap();
    child
}

#[tokio::test]
async fn only_the_instance_asked_for_is_swept() {
    let (dead, living) = (instance("dead"), instance("dead") + "-2");
    let mine: Vec<Child> = [1, 2].map(|number| orphan(&dead, number)).into();
    let mut other = orphan(&living, 3);
    let swept = sweep(&dead).await;
    assert_eq!(swept.len(), 4, "two shells and their sleepers: {swept:?}");
    for mut child in mine {
        assert!(swept.iter().any(|one| one.pid == child.id()));
        assert!(!child.wait().unwrap().success());
    }
    assert!(swept.iter().all(|one| !is_alive(one.pid)));
    assert!(is_alive(other.id()));
    assert_eq!(sweep(&dead).await, []);
    assert_eq!(sweep(&living).await.len(), 2);
    other.wait().unwrap();
}

#[tokio::test]
async fn whoever_ignores_signals_or_is_halted_is_swept_too() {
    let host = instance("stubborn");
    let (name, value) = marker(&host, attempt(1));
    let text = "trap '' TERM HUP INT; echo; kill -STOP $$";
    let mut child =
        Command::new("sh").args(["-c", text]).env(name, value).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert_eq!(sweep(&host).await.len(), 1);
    child.wait().unwrap();
}
