//! Entries of `schedule` that no time makes fire: `event` and `after`.

use crate::base::TaskName;
use crate::definition::fields::{Checker, Field, Path};
use crate::definition::keys;
use crate::definition::problem::{Code, Finding};
use crate::definition::tree::Kind;
use crate::schedule::{End, Occasion};

const ENDS: [(&str, End); 3] =
    [("succeeded", End::Succeeded), ("failed", End::Failed), ("ended", End::Ended)];

/// `event: startup`.
pub(super) fn event(checker: &mut Checker, field: &Field<'_>) -> Option<Occasion> {
    checker.choice(field.value, "event", &[("startup", ())]).map(|()| Occasion::Startup)
}

/// `after: TASK`, or `after: {task, when}`.
pub(super) fn after(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Option<Occasion> {
    if !matches!(field.value.kind, Kind::Map(_)) {
        let task = name(checker, field)?;
        return Some(Occasion::After { task, when: End::default() });
    }
    let path = above.child("after");
    let (mut task, mut when, mut is_strange) = (None, Some(End::default()), false);
    for inner in checker.fields(field.value, &path)? {
        match inner.key {
            "task" => {
                task = name(checker, &inner);
                is_strange |= task.is_none();
            }
            "when" => when = checker.choice(inner.value, "when", &ENDS),
            _ => {
                is_strange = true;
                checker.unknown(&inner, &path, &keys::AFTER);
            }
        }
    }
    if task.is_none() && !is_strange {
        let place = field.place.clone();
        checker.report(Finding::new(Code::E0130, place, "`after` names no task", "`task` is required"));
    }
    Some(Occasion::After { task: task?, when: when? })
}

fn name(checker: &mut Checker, field: &Field<'_>) -> Option<TaskName> {
    let text = checker.filled_text(field.value, "after")?;
    TaskName::new(&text)
        .map_err(|error| {
            let message = format!("`{text}` cannot name a task: {error}");
            checker.report(Finding::new(Code::E0123, field.value.span.clone(), message, "no name"));
        })
        .ok()
}
