//! `neap backfill`: runs for slots of schedules that went by without one.

use super::args;
use super::error::{Failure, OURSELVES};
use super::look::{Look, count};
use super::next::moment;
use super::output::{DIM, Output, Table, print, styled, whoami};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{BackfillRequest, FilledInfo, Time};
use crate::base::TaskName;
use crate::engine::Author;
use std::process::ExitCode;

pub(crate) fn backfill(
    project: &Project,
    args: &args::Backfill,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let from = moment(&args.from, &look.zone, "--from")?;
    let to = args.to.as_deref().map_or(Ok(look.now), |text| moment(text, &look.zone, "--to"))?;
    if to < from {
        return Err(Failure::usage("--to is before --from"));
    }
    let task = TaskName::new(&args.task)
        .map_err(|error| Failure::usage(format!("`{}` is no task: {error}", args.task)))?;
    let wish = BackfillRequest {
        task,
        from: Time(from),
        to: Time(to),
        by: Some(Author(whoami().into())),
        reason: args.reason.clone(),
        dry_run: args.dry_run,
    };
    let filled: Vec<FilledInfo> = block_on(async {
        let see = See::new(project).await;
        let host = see.host().ok_or_else(|| {
            Failure::new(OURSELVES, "no host is up that would carry out the runs")
                .hint("start one with `neap serve`")
        })?;
        Ok(host.post("/api/v1/backfill", &wish).await?)
    })?;
    if output.json {
        output.print_json(&filled)?;
    } else {
        print(&render(&filled, args.dry_run, &look))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn render(filled: &[FilledInfo], is_dry: bool, look: &Look) -> String {
    let mut table = Table::new(&["SLOT", "RUN", "SCHEDULE"]);
    for one in filled {
        let run = match (one.state.as_str(), &one.run) {
            ("there", Some(run)) => styled(format!("{run} was there"), DIM),
            ("created", Some(run)) => run.as_str().into(),
            ("missing", _) => "would get one".into(),
            _ => styled("none: its group has no room".to_owned(), DIM),
        };
        table.row([look.clock(one.slot.0).into(), run, one.schedule.as_str().into()]);
    }
    let mut text = table.render(look.is_terminal);
    if look.is_terminal {
        let are = |state: &str| filled.iter().filter(|one| one.state == state).count();
        text += &match (filled.is_empty(), is_dry) {
            (true, _) => "No slot of these schedules lies there that has come already.\n".to_owned(),
            (false, true) => format!("\n{} would get a run.\n", count(are("missing"), "slot")),
            (false, false) => format!("\n{} created: neap ps\n", count(are("created"), "run")),
        };
    }
    text
}
