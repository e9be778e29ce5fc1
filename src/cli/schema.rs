//! `neap schema`: the schema for editors, on standard output or beside the project.

use super::args::{Schema, SchemaOf};
use super::error::{Failure, OURSELVES};
use super::output::{DIM, GOOD, Output, print};
use super::project::Project;
use crate::definition::{SchemaKind, reference, schema};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// The schema of task files, relative to the project.
pub(crate) const TASK: &str = ".neap/schema/task.json";
/// The schema of `neap.yaml`, relative to the project.
pub(crate) const SETTINGS: &str = ".neap/schema/settings.json";
const EDITOR: &str = ".vscode/settings.json";

pub(crate) fn run(directory: Option<&Path>, args: &Schema, output: &Output) -> Result<ExitCode, Failure> {
    if args.reference {
        print(&reference())?;
    } else if args.install {
        install(&Project::find(directory)?.root, output)?;
    } else {
        print(&text(match args.of {
            SchemaOf::Task => SchemaKind::Task,
            SchemaOf::Settings => SchemaKind::Settings,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A schema as it stands in a file.
pub(crate) fn text(kind: SchemaKind) -> String {
    format!("{:#}\n", schema(kind))
}

/// Writes both schemas, which are ours, and the settings of the editor, unless there are some.
fn install(root: &Path, output: &Output) -> Result<(), Failure> {
    let editor = editor();
    for (path, text) in [(TASK, text(SchemaKind::Task)), (SETTINGS, text(SchemaKind::Settings))] {
        write(root, path, &text)?;
    }
    let has_editor = root.join(EDITOR).exists();
    if !has_editor {
        write(root, EDITOR, &editor)?;
    }
    if output.json {
        let kept = if has_editor { vec![EDITOR] } else { Vec::new() };
        let written: Vec<&str> =
            [TASK, SETTINGS].into_iter().chain((!has_editor).then_some(EDITOR)).collect();
        return output.print_json(&json!({ "written": written, "kept": kept }));
    }
    let mut said = format!("{GOOD}wrote{GOOD:#} {TASK}\n{GOOD}wrote{GOOD:#} {SETTINGS}\n");
    match has_editor {
        false => said += &format!("{GOOD}wrote{GOOD:#} {EDITOR}\n"),
        true => {
            said +=
                &format!("{DIM}kept{DIM:#}  {EDITOR} (it was there); unless it has this, add it:\n{editor}");
        }
    }
    print(&said)
}

/// What an editor needs to know: which files have which schema.
fn editor() -> String {
    let schemas = json!({
        TASK: ["tasks/**/*.yaml", "tasks/**/*.yml"],
        SETTINGS: ["neap.yaml"],
    });
    format!("{:#}\n", json!({ "yaml.schemas": schemas }))
}

fn write(root: &Path, path: &str, text: &str) -> Result<(), Failure> {
    let full = root.join(path);
    let written = fs::create_dir_all(full.parent().unwrap_or(root)).and_then(|()| fs::write(&full, text));
    written
        .map_err(|error| Failure::new(OURSELVES, format!("`{}` cannot be written: {error}", full.display())))
}
