//! `neap run`: one run, by the host that is up or by one of our own, shown until it has ended.

use super::args;
use super::error::{Failure, USAGE};
use super::follow::{Reach, Show, Signals, block_on, follow};
use super::output::{Output, print, whoami};
use super::project::Project;
use crate::base::RunId;
use crate::host::{RunRequest, Submitted};
use std::process::ExitCode;

mod dry_run;

pub(crate) fn run(project: &Project, args: args::Run, output: &Output) -> Result<ExitCode, Failure> {
    let request = request(&args)?;
    if args.dry_run {
        return dry_run::dry_run(project, &request, output);
    }
    block_on(async {
        let mut signals = Signals::new()?;
        let slots = args.slots;
        if args.detach {
            let reach = Reach::up(project).await?;
            let run = known(reach.submit(request).await.map_err(wrong_task)?, output);
            return handed_over(&reach, run, output).await;
        }
        let reach = Reach::of(project, slots).await?;
        if slots.is_some() && matches!(reach, Reach::Up { .. }) {
            output.say("-j has no effect: the host that is up has its own slots");
        }
        let run = match reach.submit(request).await {
            Ok(submitted) => known(submitted, output),
            Err(failure) => {
                reach.close().await;
                return Err(wrong_task(failure));
            }
        };
        follow(reach, run, Show::from(args.output), &mut signals, output).await
    })
}

/// Says so when the run was there already.
fn known(submitted: Submitted, output: &Output) -> RunId {
    if !submitted.is_new {
        output.say("this key was used before: this is the run of then, and nothing new was started");
    }
    submitted.run
}

/// That there is no such task is bad usage, with and without a host.
fn wrong_task(failure: Failure) -> Failure {
    let code = if failure.code == super::error::FINDINGS { USAGE } else { failure.code };
    Failure { code, ..failure }
}

/// Says what was handed over to the host.
pub(crate) async fn handed_over(reach: &Reach, run: RunId, output: &Output) -> Result<ExitCode, Failure> {
    let info = reach.info(run).await?;
    if output.json {
        output.print_json(&info)?;
    } else {
        print(&format!("{} {}\n", info.name, info.id))?;
        let short = reach.short(run)?;
        output.say(&format!("the host has it: neap wait {short}, neap logs -f {short}, neap cancel {short}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: &args::Run) -> Result<RunRequest, Failure> {
    let mut request = RunRequest::new(&args.task, whoami());
    for word in args.params.iter().chain(&args.more_params) {
        let Some((name, value)) = word.split_once('=') else {
            return Err(Failure::usage(format!("`{word}` is not a parameter"))
                .hint(format!("write it as {word}=VALUE; a run has one task")));
        };
        if request.params.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::usage(format!("the parameter `{name}` is given twice")));
        }
    }
    request.priority = args.priority.as_deref().map(priority).transpose()?;
    request.reason = args.reason.clone();
    request.force = args.force;
    request.key = args.idempotency_key.clone();
    Ok(request)
}

pub(crate) fn priority(word: &str) -> Result<i32, Failure> {
    let number = match word {
        "low" => Some(-10),
        "normal" => Some(0),
        "high" => Some(10),
        "urgent" => Some(50),
        word => word.parse().ok().filter(|number| (-100..=100).contains(number)),
    };
    number.ok_or_else(|| {
        Failure::usage(format!("`{word}` is not a priority"))
            .hint("write low, normal, high, urgent, or a number from -100 to 100")
    })
}
