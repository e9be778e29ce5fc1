//! Lua that stands in a task file, under `lua:`. What is wrong with it is told at the line of that file.

use crate::definition::{Action, Catalog, Leaf, Problem, Task};
use crate::lua::{ScriptProblem, Scripts};

/// What is wrong with the texts of all tasks. They are compiled and not run.
pub(super) fn check(catalog: &Catalog, scripts: &Scripts) -> Vec<ScriptProblem> {
    texts(catalog)
        .filter_map(|(task, leaf, text)| {
            let problem = scripts.check_text(&format!("lua of {}", leaf.name), text)?;
            let source = catalog.source(&task.file).map_or("", |source| &source.text);
            Some(placed(problem, task, text, source))
        })
        .collect()
}

/// What is wrong with the Lua of the expressions in task files, each at its place.
pub(super) fn check_expressions(catalog: &Catalog, scripts: &Scripts) -> Vec<Problem> {
    catalog.bad_expressions(|source| Some(scripts.check_expression("expression", source)?.message))
}

/// Whether there is any such text.
pub(super) fn has_any(catalog: &Catalog) -> bool {
    texts(catalog).next().is_some()
}

fn texts(catalog: &Catalog) -> impl Iterator<Item = (&Task, &Leaf, &str)> {
    let leaves = catalog.tasks().flat_map(|task| task.leaves.iter().map(move |leaf| (&**task, &**leaf)));
    leaves.filter_map(|(task, leaf)| match &leaf.action {
        Action::Lua { text } => Some((task, leaf, text.as_str())),
        Action::Run { .. } | Action::Exec { .. } | Action::Script { .. } | Action::Call { .. } => None,
    })
}

/// Lines of the text become lines of the file. Where the text is not found in it (it may be folded, or hold escapes)
/// the message says which line of the text is meant.
fn placed(problem: ScriptProblem, task: &Task, text: &str, source: &str) -> ScriptProblem {
    let file = task.file.to_string();
    let Some(above) = lines_above(text, source) else {
        let ScriptProblem { file: whose, line, message, .. } = &problem;
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        let message = format!("{whose}{line}: {message}");
        return ScriptProblem { file, line: None, message, excerpt: Vec::new(), ..problem };
    };
    let excerpt = problem.excerpt.into_iter().map(|(number, line)| (number + above, line)).collect();
    ScriptProblem { file, line: problem.line.map(|line| line + above), excerpt, ..problem }
}

/// How many lines of the file stand above the text. Indentation is not compared: YAML takes it away.
fn lines_above(text: &str, source: &str) -> Option<u32> {
    let wanted: Vec<&str> = text.lines().map(str::trim).collect();
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let above = match wanted.as_slice() {
        [] => None,
        [one] => lines.iter().position(|line| line.contains(one)),
        several => lines.windows(several.len()).position(|window| window == several),
    };
    above.and_then(|above| u32::try_from(above).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, source: &str, expected: Option<u32>) {
        assert_eq!(lines_above(text, source), expected);
    }

    #[test]
    fn a_text_is_found_where_it_stands() {
        check("print(1)\nprint(2)\n", "# a\nlua: |\n  print(1)\n  print(2)\n", Some(2));
        check("print(1)", "description: x\nlua: print(1)\n", Some(1));
        check("a\n\n  b\n", "tasks:\n  x:\n    lua: |\n      a\n\n        b\n", Some(3));
        check("a b", "lua: >\n  a\n  b\n", None);
        check("", "lua: ''", None);
    }
}
