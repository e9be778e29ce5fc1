//! The old and the new times of every entry of a crontab, side by side.
//!
//! The old ones are those of the expression as it stands in the crontab, in the zone of this machine or of its
//! `CRON_TZ`; the new ones come from the timetable of the task as the whole project loads it.

use crate::base::Moment;
use crate::cli::error::Failure;
use crate::cli::output::{BAD, Cell, DIM, Output, Table, now, styled};
use crate::definition::{Catalog, Registered, Source};
use crate::exchange::NewFile;
use crate::host;
use crate::schedule::{Schedule, Zone};
use serde::Serialize;
use std::path::Path;

/// How many times are compared.
const FIRES: usize = 3;

/// One entry.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    line: usize,
    task: String,
    expression: Option<String>,
    old: Vec<String>,
    new: Vec<String>,
    same: bool,
}

pub(super) fn rows(
    root: &Path,
    files: &[&NewFile],
    is_dry: bool,
    output: &Output,
) -> Result<Vec<Row>, Failure> {
    let zone = output.zone()?;
    let catalog = loaded(root, files, is_dry);
    let now = now();
    Ok(files.iter().map(|file| row(file, &catalog, &zone, now)).collect())
}

/// The catalog with the new tasks: what is on the disk, or what would be.
fn loaded(root: &Path, files: &[&NewFile], is_dry: bool) -> Catalog {
    let definitions = host::definitions(root);
    if !is_dry {
        return Catalog::clone(&definitions.catalog);
    }
    let sources = files.iter().map(|file| Source::new(file.path(), file.text.as_str()));
    Catalog::load(sources, &Registered::default(), &definitions.settings, None)
}

fn row(file: &NewFile, catalog: &Catalog, shown: &Zone, now: Moment) -> Row {
    let fires = |schedule: &Schedule| schedule.fires(now).take(FIRES).collect::<Vec<_>>();
    let written = file.schedules.first();
    let old = written.map_or_else(Vec::new, |written| {
        let zone =
            written.zone.as_deref().and_then(|name| Zone::named(name).ok()).unwrap_or_else(Zone::system);
        Schedule::cron(&written.expression, &zone).map_or_else(|_| Vec::new(), |schedule| fires(&schedule))
    });
    let timetable = catalog.task(&file.name).and_then(|task| task.timetables.first());
    let new = timetable.map_or_else(Vec::new, |timetable| fires(&timetable.schedule));
    let texts = |fires: &[Moment]| fires.iter().map(|at| shown.weekday_and_time(*at)).collect();
    Row {
        line: file.line,
        task: file.name.clone(),
        expression: written.map(|written| written.expression.clone()),
        old: texts(&old),
        new: texts(&new),
        same: old == new && written.is_some(),
    }
}

pub(super) fn render(rows: &[Row], is_terminal: bool) -> String {
    let mut table = Table::new(&["LINE", "TASK", "SCHEDULE", "CRON", "NEAP", ""]);
    for row in rows {
        let times = |times: &[String]| if times.is_empty() { "-".to_owned() } else { times.join(", ") };
        let mark: Cell = match (row.same, &row.expression) {
            (true, _) => styled("same", DIM),
            (false, Some(_)) => styled("DIFFERENT", BAD),
            (false, None) => styled("no schedule", BAD),
        };
        table.row([
            row.line.to_string().into(),
            row.task.as_str().into(),
            row.expression.as_deref().unwrap_or("@reboot").into(),
            times(&row.old).into(),
            times(&row.new).into(),
            mark,
        ]);
    }
    table.render(is_terminal)
}
