//! The real program in a project of its own, with nothing of our environment but `PATH`.

use neap::watch::Watch;
use regex_lite::Regex;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A project, and the program that works in it.
pub(crate) struct Cli(tempfile::TempDir);

/// What the program said, and its exit code.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Cli {
    pub(crate) fn new() -> Cli {
        let cli = Cli::without_project();
        std::fs::create_dir(cli.root().join("tasks")).unwrap();
        cli
    }

    pub(crate) fn without_project() -> Cli {
        Cli(tempfile::tempdir().unwrap())
    }

    pub(crate) fn task(self, name: &str, yaml: &str) -> Cli {
        self.write(&format!("tasks/{name}.yaml"), yaml);
        self
    }

    /// As editors save: a new file, renamed over the old.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let draft = self.root().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, self.root().join(path)).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_neap"));
        command
            .args(words)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root())
            .env("USER", "anna")
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn neap(&self, words: &[&str]) -> Told {
        let done = self.command(words).output().unwrap();
        Told {
            stdout: String::from_utf8(done.stdout).unwrap(),
            stderr: String::from_utf8(done.stderr).unwrap(),
            code: done.status.code().expect("the program died of a signal"),
        }
    }

    /// Starts it in a process group of its own, as a shell does.
    pub(crate) fn start(&self, words: &[&str]) -> Going {
        let mut command = self.command(words);
        Going(Some(command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// Starts a host and waits until it listens.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same with further words.
    pub(crate) fn serve_with(&self, words: &[&str]) -> Server {
        let mut going = self.start(&[&["serve"], words].concat());
        let child = going.0.as_mut().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        // A host that ends what another left says that first.
        read_until(&mut stderr, " serves ");
        let stdout = child.stdout.take().unwrap();
        Server { going, stdout: BufReader::new(stdout), stderr: Box::new(stderr) }
    }

    /// Waits for a file that a job writes.
    pub(crate) fn wait_for(&self, path: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::new(self.root(), &[path]).unwrap();
            let appears = async {
                while !self.root().join(path).exists() {
                    watch.changed().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), appears).await.expect("the file never came");
        });
    }
}

/// The program while it goes on. It is killed when the test is over.
pub(crate) struct Going(Option<Child>);

impl Going {
    /// Signals its process group, as the terminal does.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.0.as_ref().unwrap();
        kill_process_group(Pid::from_child(child), signal).unwrap();
    }

    pub(crate) fn end(mut self) -> Told {
        let child = self.0.take().unwrap();
        let done = child.wait_with_output().unwrap();
        Told {
            stdout: String::from_utf8(done.stdout).unwrap(),
            stderr: String::from_utf8(done.stderr).unwrap(),
            code: done.status.code().expect("the program died of a signal"),
        }
    }

    /// Waits for a line on standard output that holds this text.
    pub(crate) fn prints(&mut self, text: &str) {
        let stdout = self.0.as_mut().unwrap().stdout.as_mut().unwrap();
        read_until(&mut BufReader::with_capacity(1, stdout), text);
    }

    /// Waits for a line on standard error that holds this text.
    pub(crate) fn says(&mut self, text: &str) {
        let stderr = self.0.as_mut().unwrap().stderr.as_mut().unwrap();
        read_until(&mut BufReader::with_capacity(1, stderr), text);
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A host.
pub(crate) struct Server {
    going: Going,
    pub(crate) stdout: BufReader<ChildStdout>,
    stderr: Box<dyn BufRead>,
}

impl Server {
    /// Waits for a line on standard error that holds this text.
    pub(crate) fn says(&mut self, text: &str) -> String {
        read_until(&mut self.stderr, text)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.going.0.as_ref().unwrap()), signal).unwrap();
    }

    /// Stops it kindly; gives what it still said on standard output.
    pub(crate) fn stop(mut self) -> (String, Option<i32>) {
        self.signal(Signal::TERM);
        let status = self.going.0.take().unwrap().wait().unwrap();
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        (said, status.code())
    }

    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
        self.end();
    }

    /// Waits until it has ended.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.going.0.take().unwrap().wait().unwrap().code()
    }
}

fn read_until(from: &mut dyn BufRead, text: &str) -> String {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).unwrap() == 0 {
            panic!("`{text}` was never said, only:\n{said}");
        }
        if line.contains(text) {
            return line;
        }
        said += &line;
    }
}

/// Puts words in the place of what differs each time.
pub(crate) fn normal(text: &str) -> String {
    let rules = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"id=[0-9a-z]{8}", "id=ID"),
        (r"\(([0-9a-z]{8})\)", "(ID)"),
        (r"runs/[0-9a-z]{8}/", "runs/ID/"),
        (r"neap (retry|logs -f|logs|wait|cancel) [0-9a-z]{3,8}", "neap $1 ID"),
        (r"([ \[=])[0-9.]+(ms|s)\b", "${1}SPAN"),
        (r"\[ +SPAN", "[SPAN"),
    ];
    rules.iter().fold(text.to_owned(), |text, (from, to)| {
        Regex::new(from).unwrap().replace_all(&text, *to).into_owned()
    })
}
