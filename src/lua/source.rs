//! Text that becomes bytecode: reading files below the scripts directory, bounding them, compiling them.
//!
//! Nothing is run here, and no bytecode is ever read from a file: foreign bytecode could do anything.

use super::error::{ErrorKind, Place, ScriptError};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The directory with the scripts.
#[derive(Clone, Debug)]
pub(super) struct Root {
    path: PathBuf,
    /// How people know it: its last part.
    name: String,
    /// Bytes one file may have.
    cap: usize,
}

/// A compiled text.
#[derive(Debug)]
pub(super) struct Source {
    /// As people know it: `scripts/ffmpeg.lua`.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) bytecode: Vec<u8>,
}

impl Root {
    pub(super) fn new(path: PathBuf, cap: usize) -> Root {
        let name =
            path.file_name().map_or_else(|| "scripts".to_owned(), |name| name.to_string_lossy().into_owned());
        Root { path, name, cap }
    }

    /// How people know this file.
    pub(super) fn shown(&self, file: &str) -> String {
        format!("{}/{file}", self.name)
    }

    /// Reads a file below the directory. Links are followed: they are the operator's own.
    pub(super) fn read(&self, file: &str) -> Result<String, ScriptError> {
        let refuse = |message: String| ScriptError::new(ErrorKind::Load, "", message);
        let is_below = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_below || file.is_empty() {
            return Err(refuse(format!("`{file}` must name a file below {}/, without `..`", self.name)));
        }
        let cannot = |error: std::io::Error| refuse(format!("{} cannot be read: {error}", self.shown(file)));
        let path = self.path.join(file);
        // Asked before it is opened: opening a pipe would wait for somebody to write into it.
        if !std::fs::metadata(&path).map_err(cannot)?.is_file() {
            return Err(refuse(format!("{} is not a file", self.shown(file))));
        }
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(&path).map_err(cannot)?;
        opened.take(self.cap as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
        String::from_utf8(bytes).map_err(|_| {
            refuse(format!("{} is not UTF-8 text", self.shown(file)))
                .help("only source text is loaded, never bytecode")
        })
    }

    /// Compiles a text under the name people know it by.
    pub(super) fn compile(&self, name: String, text: String) -> Result<Arc<Source>, ScriptError> {
        if text.len() > self.cap {
            let message = format!("{name} is longer than {} KiB", self.cap >> 10);
            return Err(ScriptError::new(ErrorKind::Load, "", message));
        }
        match mlua::chunk::Compiler::new().compile(&text) {
            Ok(bytecode) => Ok(Arc::new(Source { name, text, bytecode })),
            Err(error) => Err(syntax(&name, &text, &error)),
        }
    }

    /// Reads and compiles a file.
    pub(super) fn load(&self, file: &str) -> Result<Arc<Source>, ScriptError> {
        self.compile(self.shown(file), self.read(file)?)
    }
}

/// Bytes of one expression.
const EXPRESSION: usize = 16 << 10;

/// Compiles an expression: exactly one, whose value is what its chunk returns.
pub(super) fn expression(name: &str, text: &str) -> Result<Arc<Source>, ScriptError> {
    if text.len() > EXPRESSION {
        let message = format!("an expression may have {} KiB at most", EXPRESSION >> 10);
        return Err(ScriptError::new(ErrorKind::Syntax, "", message));
    }
    let compile = |text: String| mlua::chunk::Compiler::new().compile(&text);
    // The text stands in the first line, so that the lines of messages are right.
    compile(format!("return {text}\n")).map_err(|error| syntax(name, text, &error))?;
    // The brackets make one value of it, and nothing but one expression can stand in them.
    let bytecode = compile(format!("return ({text}\n)")).map_err(|_| {
        ScriptError::new(
            ErrorKind::Syntax,
            "",
            "there must be exactly one value: one expression, without `,` and `;` behind it",
        )
    })?;
    Ok(Arc::new(Source { name: name.to_owned(), text: text.to_owned(), bytecode }))
}

/// The compiler says `:LINE: what`.
fn syntax(name: &str, text: &str, error: &mlua::Error) -> ScriptError {
    let message = match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    let split = message.trim_start_matches(':').split_once(": ");
    let placed = split.and_then(|(line, what)| Some((line.parse::<u32>().ok()?, what)));
    let Some((line, what)) = placed else { return ScriptError::new(ErrorKind::Syntax, "", message) };
    let failed =
        ScriptError::new(ErrorKind::Syntax, "", what).at(Place { file: name.to_owned(), line }, text);
    match text.lines().nth(line.saturating_sub(1) as usize).and_then(dialect_hint) {
        Some(hint) => failed.help(hint),
        None => failed,
    }
}

/// What people miss who know another Lua.
fn dialect_hint(line: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 8] = [
        ("goto ", "`goto` is not available: use `continue`, or a function"),
        ("::", "labels are not available: use `continue`, or a function"),
        ("<const>", "`<const>` is not available: leave it out"),
        ("<close>", "`<close>` is not available: use ctx:on_cleanup"),
        ("<<", "use bit32.lshift(a, n)"),
        (">>", "use bit32.rshift(a, n)"),
        (" & ", "use bit32.band(a, b)"),
        (" | ", "use bit32.bor(a, b)"),
    ];
    HINTS.into_iter().find(|(word, _)| line.contains(word)).map(|(_, hint)| hint)
}

/// The file below the scripts directory that `require "lib.x"` names.
pub(super) fn module_file(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split(['.', '/']).collect();
    let is_word = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    (name.len() <= 200 && parts.iter().all(is_word)).then(|| format!("{}.lua", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_stay_below_the_directory() {
        assert_eq!(module_file("lib.x").as_deref(), Some("lib/x.lua"));
        assert_eq!(module_file("lib/x-1").as_deref(), Some("lib/x-1.lua"));
        for bad in ["", "../x", "..x", "/etc/passwd", "lib..x", "a b", "@self/x", "x\0", "./x"] {
            assert_eq!(module_file(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn files_outside_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bytes.lua"), b"\x1bLua\xff").unwrap();
        let root = Root::new(folder.path().to_owned(), 100);
        for bad in ["../x.lua", "/etc/passwd", "", ".", "a/../../x.lua"] {
            assert!(root.read(bad).unwrap_err().message().contains("must name a file below"), "{bad}");
        }
        assert!(root.read("bytes.lua").unwrap_err().message().contains("not UTF-8"));
        assert!(root.read("absent.lua").unwrap_err().message().contains("cannot be read"));
        std::fs::write(folder.path().join("long.lua"), "-".repeat(101)).unwrap();
        assert!(root.load("long.lua").unwrap_err().message().contains("is longer than"));
    }

    #[test]
    fn syntax_errors_have_a_line_and_a_hint() {
        let root = Root::new("scripts".into(), 1000);
        let error = root.compile("scripts/x.lua".into(), "local a = 1\ngoto done\n".into()).unwrap_err();
        assert_eq!(error.place().unwrap().to_string(), "scripts/x.lua:2");
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert_eq!(error.hint(), Some("`goto` is not available: use `continue`, or a function"));
        assert_eq!(error.excerpt().len(), 2);
    }
}
