//! Task files and `neap.yaml`: alone, two together, and with settings.

use super::kit::{ALLOWED, Campaign, Files, Input, Rng, mutated, processor_time};
use neap::definition::{
    Catalog, Leaf, Place, Problem, Registered, SchemaKind, Settings, Source, apply_fixes, explain, schema,
};
use neap::schedule::Zone;
use std::time::Duration;

/// What is wrong with how a problem speaks about its file.
fn misplaced(problem: &Problem, find: impl Fn(&str) -> Option<Source>) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what} in {problem:#?}"));
    let own = Place {
        file: problem.file.clone(),
        span: problem.span.clone(),
        line: problem.line,
        column: problem.column,
        label: problem.label.clone(),
    };
    for place in problem.also.iter().chain([&own]) {
        let Some(source) = find(&place.file) else { return wrong("there is no such file") };
        if source.text.get(place.span.clone()).is_none() {
            return wrong("the place is not in the text");
        }
        if (place.line, place.column) != source.line_and_column(place.span.start) {
            return wrong("line and column are of another place");
        }
    }
    let source = find(&problem.file);
    if let Some(fix) = &problem.fix
        && source.is_some_and(|source| source.text.get(fix.span.clone()).is_none())
    {
        return wrong("the fix is not in the text");
    }
    if problem.message.is_empty() || problem.message.contains('\n') {
        return wrong("the message is not one line");
    }
    if explain(problem.code.as_str()).is_none() {
        return wrong("nothing explains the code");
    }
    Ok(())
}

/// Everything that must hold for a catalog, whatever it was loaded from.
fn sound(catalog: &Catalog) -> Result<(), String> {
    for problem in catalog.problems() {
        misplaced(problem, |path| catalog.source(path).cloned())?;
        if catalog.exhibits(problem).is_empty() {
            return Err(format!("nothing to show for {problem}"));
        }
    }
    for path in ["tasks/a.yaml", "tasks/b.yaml"] {
        let Some(source) = catalog.source(path) else { continue };
        let name = path.trim_start_matches("tasks/").trim_end_matches(".yaml");
        let is_told =
            catalog.problems().iter().any(|problem| problem.is_error() && problem.file == source.path);
        if catalog.task(name).is_none() && !is_told {
            return Err(format!("{path} is not a task, and nobody says why: {:#?}", catalog.problems()));
        }
        if catalog.task(name).is_some() && is_told {
            return Err(format!("{path} has errors and is a task all the same"));
        }
    }
    for (file, span, _) in catalog.expressions() {
        if catalog.source(file).is_none_or(|source| source.text.get(span.clone()).is_none()) {
            return Err(format!("an expression at {span:?}, which is not in {file}"));
        }
    }
    catalog.tasks().flat_map(|task| &task.leaves).try_for_each(|leaf| kept(leaf))
}

/// A run keeps its leaves in the journal, as JSON.
fn kept(leaf: &Leaf) -> Result<(), String> {
    let text = serde_json::to_string(leaf).map_err(|error| format!("it cannot be written down: {error}"))?;
    let read: Leaf = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
    if read == *leaf { Ok(()) } else { Err(format!("written down as {text}, and read as {read:#?}")) }
}

/// The problems of a file are the same whether others are there or not, and a change that is offered can be made.
fn examine(input: &Input) -> Result<Duration, String> {
    let paths = ["tasks/a.yaml", "tasks/b.yaml"];
    let sources = || paths.iter().zip(input).map(|(path, bytes)| Source::from_bytes(*path, bytes));
    let begun = processor_time();
    let settings = input.get(2).map(|bytes| {
        let source = Source::from_bytes("neap.yaml", bytes);
        let (settings, problems) = Settings::load(&source, Zone::utc());
        (source, settings, problems)
    });
    let (settings, told) = match settings {
        Some((source, settings, problems)) => (settings, Some((source, problems))),
        None => (Settings::new(Zone::utc()), None),
    };
    let registered = Registered::new(["resize", "send_mail"]);
    let catalog = Catalog::load(sources(), &registered, &settings, None);
    let took = processor_time() - begun;
    if let Some((source, problems)) = told {
        let find = |path: &str| (path == "neap.yaml").then(|| source.clone());
        problems.iter().try_for_each(|problem| misplaced(problem, find))?;
    }
    sound(&catalog)?;
    let again = Catalog::load(sources(), &registered, &settings, Some(&catalog));
    if again.problems() != catalog.problems() {
        return Err(format!("at first {:#?}\nand then {:#?}", catalog.problems(), again.problems()));
    }
    for source in sources() {
        let fixes = catalog.problems().iter().filter(|problem| problem.file == source.path);
        let fixed = apply_fixes(&source.text, fixes.filter_map(|problem| problem.fix.as_ref()));
        let fixed = Catalog::load([Source::new(source.path, fixed)], &registered, &settings, Some(&catalog));
        fixed
            .problems()
            .iter()
            .try_for_each(|problem| misplaced(problem, |path| fixed.source(path).cloned()))?;
    }
    Ok(took)
}

#[test]
fn every_file_is_answered() {
    let files = Files::new(schema(SchemaKind::Task));
    let make = |rng: &mut Rng| vec![files.file(rng)];
    Campaign { name: "one file", everyday: 1_500, share: 1, allowed: ALLOWED }.run(make, examine);
}

#[test]
fn files_that_speak_of_each_other_are_answered() {
    let (tasks, settings) = (Files::new(schema(SchemaKind::Task)), Files::new(schema(SchemaKind::Settings)));
    let make = |rng: &mut Rng| {
        let first = tasks.file(rng);
        let second = match rng.one_in(4) {
            true => mutated(rng, std::slice::from_ref(&first)),
            false => tasks.file(rng),
        };
        vec![first, second, settings.file(rng)]
    };
    Campaign { name: "two files and settings", everyday: 400, share: 5, allowed: ALLOWED }.run(make, examine);
}
