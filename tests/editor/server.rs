//! A language server as a child process: requests go in, answers are awaited with a deadline.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The last one that runs on node 20.
const PACKAGE: &str = "yaml-language-server@1.25.0";
/// Everything together takes a few seconds; a busy machine may need more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gets the server from npm unless it is there. Gives its script, or why there is none.
pub(crate) fn install() -> Result<PathBuf, String> {
    for program in ["node", "npm"] {
        let version = Command::new(program).arg("--version").output();
        version.map_err(|error| format!("{program}: {error}"))?;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE.replace('@', "-"));
    let script = folder.join("node_modules/yaml-language-server/bin/yaml-language-server");
    if !script.exists() {
        // Beside its place, and moved there when it is whole: a test that was stopped leaves no half.
        let draft = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        let npm = Command::new("npm")
            // Who cannot reach the registry is not kept waiting.
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
            .args(["--fetch-retries=1", "--fetch-timeout=30000", "--prefix"])
            .arg(draft.path())
            .arg(PACKAGE)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if !npm.status.success() {
            return Err(format!("npm install {PACKAGE}: {}", String::from_utf8_lossy(&npm.stderr)));
        }
        let _ = std::fs::rename(draft.path(), &folder);
    }
    script.exists().then_some(script).ok_or_else(|| format!("{PACKAGE} has no script"))
}

/// A server that was told where the project is.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    root: String,
    /// Requests and documents are numbered alike.
    count: u64,
}

impl Server {
    pub(crate) fn start(script: &Path, root: &Path) -> Server {
        let mut child = Command::new("node")
            .arg(script)
            .arg("--stdio")
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        // It ends with the server, which closes its output.
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let root = format!("file://{}", root.display());
        let mut server = Server { child, input, messages, root, count: 0 };
        server.introduce();
        server
    }

    fn introduce(&mut self) {
        let root = self.root.clone();
        let capabilities = json!({
            "workspace": { "configuration": true },
            "textDocument": {
                "completion": { "completionItem": { "snippetSupport": true } },
                "hover": { "contentFormat": ["markdown"] },
            },
        });
        self.request(
            "initialize",
            json!({ "processId": null, "rootUri": root, "capabilities": capabilities }),
        );
        self.send(json!({ "method": "initialized", "params": {} }));
        let settings = json!({ "settings": { "yaml": settings() } });
        self.send(json!({ "method": "workspace/didChangeConfiguration", "params": settings }));
    }

    /// What is offered at a place of a document with this text.
    pub(crate) fn completions(&mut self, text: &str, line: u32, column: u32) -> Vec<String> {
        let answer = self.ask("textDocument/completion", text, line, column);
        let items = answer["items"].as_array().or(answer.as_array()).cloned().unwrap_or_default();
        items.iter().map(|item| item["label"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What is shown over a place of a document with this text.
    pub(crate) fn hover(&mut self, text: &str, line: u32, column: u32) -> String {
        self.ask("textDocument/hover", text, line, column)["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// What is marked in a document with this text.
    pub(crate) fn diagnostics(&mut self, text: &str) -> Vec<String> {
        let uri = self.open(text);
        let about_it = move |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri.as_str()
        };
        let message = self.wait(about_it);
        let marks = message["params"]["diagnostics"].as_array().cloned().unwrap_or_default();
        marks.iter().map(|mark| mark["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn ask(&mut self, method: &str, text: &str, line: u32, column: u32) -> Value {
        let uri = self.open(text);
        let position = json!({ "line": line, "character": column });
        self.request(method, json!({ "textDocument": { "uri": uri }, "position": position }))
    }

    /// Opens a document of its own beside the tasks of the project.
    fn open(&mut self, text: &str) -> String {
        self.count += 1;
        let uri = format!("{}/tasks/open{}.yaml", self.root, self.count);
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.send(json!({ "method": "textDocument/didOpen", "params": { "textDocument": document } }));
        uri
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let id = self.count;
        self.send(json!({ "id": id, "method": method, "params": params }));
        let answer = self.wait(move |message| message["id"] == id && message.get("method").is_none());
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The first message that is wanted; meanwhile the server's own questions are answered.
    fn wait(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).expect("the server answers in time");
            if message.get("method").is_some() && message.get("id").is_some() {
                let answer = answer(&message);
                self.send(json!({ "id": message["id"], "result": answer }));
            } else if is_wanted(&message) {
                return message;
            }
        }
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings it asks for, one for each section.
fn answer(question: &Value) -> Value {
    let sections = question["params"]["items"].as_array().cloned().unwrap_or_default();
    let one = |section: &Value| if section["section"] == "yaml" { settings() } else { Value::Null };
    sections.iter().map(one).collect()
}

/// It must not ask the network for schemas.
fn settings() -> Value {
    json!({ "schemaStore": { "enable": false }, "validate": true, "hover": true, "completion": true })
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut text = vec![0; length];
    output.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
