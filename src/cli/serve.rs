//! `neap serve`: a host with a socket, until it is told to stop. And `neap reload`.

use super::args;
use super::error::{Failure, OURSELVES};
use super::follow::{Signals, Wish, block_on, plain};
use super::output::{Output, now, print};
use super::project::Project;
use super::see;
use crate::api::{self, HostInfo, Sight};
use crate::base::RunId;
use crate::definition::OnHostDeath;
use crate::engine::Event;
use crate::exec::Pidfd;
use crate::host::{Definitions, Feed, Happening, Host};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long requests may take to end once the host has.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(crate) fn serve(project: &Project, args: &args::Serve, output: &Output) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut signals = Signals::new()?;
        let builder = project.host().on_host_death(OnHostDeath::Keep).takes_calls();
        let builder = match args.slots {
            Some(slots) => builder.slots(slots),
            None => builder,
        };
        if args.replace {
            tokio::select! {
                taken = take_place(project, output) => taken?,
                () = another(&mut signals) => return Ok(ExitCode::from(130)),
            }
        }
        let host = builder.open().await?;
        let feed = host.listen();
        let stop = CancellationToken::new();
        let mut served = pin!(api::serve(host.clone(), stop.clone()));
        // Polled once, it has made the socket or failed to.
        tokio::select! {
            biased;
            ended = &mut served => {
                host.shutdown().await;
                return Err(refused(ended));
            }
            () = std::future::ready(()) => {}
        }
        // Calls are answered until the host is gone: who comes while it stops is told so.
        let closing = CancellationToken::new();
        let _closes = closing.clone().drop_guard();
        let hooks = tokio::spawn(api::serve_hooks(host.clone(), closing.clone()));
        let mut crier = Crier::new(host.clone(), output);
        crier.greet();
        let wish = tokio::select! {
            ended = &mut served => Err(refused(ended)),
            wish = crier.cry(feed, &mut signals) => wish.map(Some),
            () = host.wait_for_successor() => Ok(None),
        };
        stop.cancel();
        let end = async {
            match wish {
                Ok(None) => {
                    output.say("another host takes over");
                    host.leave().await;
                }
                Ok(Some(_)) | Err(_) => {
                    crier.farewell(wish.as_ref().ok().copied().flatten());
                    host.shutdown().await;
                }
            }
        };
        tokio::select! {
            () = end => {}
            () = another(&mut signals) => {
                output.say("left at once; the next host sees to what is still there");
                return Ok(ExitCode::from(130));
            }
        }
        closing.cancel();
        let _ = tokio::time::timeout(LAST_WORDS, async { (served.await.is_ok(), hooks.await.is_ok()) }).await;
        wish.map(|_| ExitCode::SUCCESS)
    })
}

/// Asks the host that is up to make way, and waits until it has; done when there is none.
async fn take_place(project: &Project, output: &Output) -> Result<(), Failure> {
    let client = api::Client::new(&project.state_dir);
    if !client.is_up().await {
        return Ok(());
    }
    let old: HostInfo = client.post("/api/v1/host/leave", &()).await?;
    output.say(&format!("takes the place of neap {} (process {})", old.version, old.pid));
    wait_for_end(old.pid).await.map_err(|error| Failure::of(OURSELVES, &error))
}

/// Waits until a process that is no child of ours has ended.
async fn wait_for_end(pid: u32) -> std::io::Result<()> {
    match Pidfd::open(pid) {
        Ok(process) => process.exited().await,
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn refused(ended: Result<(), api::ServeError>) -> Failure {
    match ended {
        Err(error) => Failure::of(OURSELVES, &error),
        Ok(()) => Failure::new(OURSELVES, "the socket was closed"),
    }
}

/// Waits for another wish to stop.
async fn another(signals: &mut Signals) {
    while signals.next().await == Wish::Continue {}
}

/// Says what happens: about the host on standard error, about runs on standard output.
struct Crier<'a> {
    host: Host,
    output: &'a Output,
    known: Known,
}

/// What was said about the definitions.
#[derive(Default, PartialEq)]
struct Known {
    tasks: BTreeSet<(String, String)>,
    problems: BTreeSet<String>,
    /// Where calls come in.
    hooks: Option<SocketAddr>,
}

impl Known {
    fn of(host: &Host) -> Known {
        let definitions: &Definitions = &host.definitions();
        let catalog = &definitions.catalog;
        let yaml = definitions.problems().filter(|problem| problem.is_error()).map(|problem| {
            // A task is named by its file.
            let task = problem.file.strip_prefix("tasks/").and_then(|name| name.rsplit_once('.'));
            let is_kept =
                task.is_some_and(|(task, _)| catalog.task(task).is_some() && catalog.is_stale(task));
            format!("{problem}{}", if is_kept { " (keeping the previous version)" } else { "" })
        });
        let lua = definitions.script_problems.iter().map(ToString::to_string);
        Known {
            tasks: catalog.tasks().map(|task| (task.name.to_string(), task.hash.to_string())).collect(),
            problems: yaml.chain(lua).collect(),
            hooks: host.hooks_address(),
        }
    }
}

impl<'a> Crier<'a> {
    fn new(host: Host, output: &'a Output) -> Crier<'a> {
        let known = Known::of(&host);
        Crier { host, output, known }
    }

    fn greet(&self) {
        let definitions = self.host.definitions();
        let timetables = definitions.catalog.tasks().flat_map(|task| &task.timetables);
        let schedules = timetables.filter(|timetable| timetable.enabled).count();
        let unfinished = self.host.look(|live| live.state.runs.len());
        self.output.say(&format!(
            "neap {} serves {} (process {}): {}, {}, at most {} at a time",
            env!("CARGO_PKG_VERSION"),
            self.host.root().display(),
            std::process::id(),
            count(self.known.tasks.len(), "task"),
            count(schedules, "schedule"),
            count(self.host.slots(), "job"),
        ));
        self.say_where(self.known.hooks);
        if unfinished > 0 {
            self.output.say(&format!("goes on with {}", count(unfinished, "unfinished run")));
        }
        for problem in &self.known.problems {
            self.output.say(problem);
        }
    }

    fn say_where(&self, hooks: Option<SocketAddr>) {
        if let Some(address) = hooks {
            self.output.say(&format!("takes calls at http://{address}/hooks/"));
        }
    }

    /// Tells until a signal comes.
    async fn cry(&mut self, mut feed: Feed, signals: &mut Signals) -> Result<Wish, Failure> {
        loop {
            tokio::select! {
                next = feed.next() => match next {
                    Ok(Some(happening)) => self.hear(&happening)?,
                    Ok(None) => return Err(Failure::new(OURSELVES, "the host has ended by itself")),
                    Err(missed) => self.output.say(&format!("{missed}; the history has them: neap history")),
                },
                wish = signals.next() => if wish != Wish::Continue {
                    return Ok(wish);
                },
            }
        }
    }

    fn hear(&mut self, happening: &Happening) -> Result<(), Failure> {
        match happening {
            Happening::Event { record, .. } => match &record.event {
                Event::RunFinished { run, .. } if !self.output.quiet => self.ended(*run),
                _ => Ok(()),
            },
            Happening::Reloaded { .. } => {
                self.reloaded();
                Ok(())
            }
            Happening::Progress { .. } => Ok(()),
        }
    }

    fn ended(&self, run: RunId) -> Result<(), Failure> {
        // It has ended, so everything about it is in the history.
        let sight = Sight {
            live: &Default::default(),
            history: self.host.history(),
            definitions: &self.host.definitions(),
            state_dir: self.host.state_dir(),
            capacity: &self.host.capacity(),
            now: now(),
        };
        match sight.run(run)? {
            Some(info) => print(&plain::ended(&info)),
            None => Ok(()),
        }
    }

    /// Says what has changed, and nothing when nothing has.
    fn reloaded(&mut self) {
        let known = Known::of(&self.host);
        if known == self.known {
            return;
        }
        let (tasks, problems) = (known.tasks.len(), known.problems.len());
        let about = if problems == 0 { String::new() } else { format!(", {}", count(problems, "error")) };
        self.output.say(&format!("{} read again: {}{about}", now(), count(tasks, "task")));
        if known.hooks != self.known.hooks {
            self.say_where(known.hooks);
        }
        for problem in known.problems.difference(&self.known.problems) {
            self.output.say(problem);
        }
        self.known = known;
    }

    fn farewell(&self, wish: Option<Wish>) {
        let going: Vec<String> = self.host.look(|live| {
            let jobs = live.state.going();
            let name = |job: crate::base::JobId| {
                let run = &live.state.runs[&job.run];
                let plan = run.plan.plan();
                let name = run.node(job.index).leaf.name.seen_from(&plan.task);
                format!("{}#{}/{name}", plan.task, run.number)
            };
            jobs.map(name).collect()
        });
        let why = wish.map_or("an error", Wish::word);
        match going.as_slice() {
            [] => self.output.say(&format!("{why}: stopping")),
            going => {
                let what = going.join(", ");
                self.output.say(&format!("{why}: stopping, waiting for {what}; once more leaves at once"));
            }
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub(crate) fn reload(project: &Project, output: &Output) -> Result<ExitCode, Failure> {
    see::block_on(async {
        let see = see::See::new(project).await;
        let host = see.needed_host()?;
        let problems: Vec<String> = host.post("/api/v1/reload", &()).await?;
        let info: HostInfo = host.get("/api/v1/host").await?;
        if output.json {
            output.print_json(&serde_json::json!({ "tasks": info.tasks, "problems": problems }))?;
        } else {
            let text: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
            print(&format!("{text}{} in use\n", count(info.tasks, "task")))?;
        }
        Ok(if info.errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(super::error::FINDINGS) })
    })
}
