//! What can be typed. Help texts are for people who meet the verb for the first time.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;

use super::complete;

/// Runs tasks from YAML files: commands, pipelines, cron schedules, Lua hooks. Remembers everything.
#[derive(Debug, Parser)]
#[command(name = "neap", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

const AFTER_HELP: &str = "\
Runs are named by id (k3v), by task for its latest (nightly), by number
(nightly#127), counted back (nightly@-1), or @ for the latest of all, @failed,
:running. A job is named behind the run: nightly#127/dump.

Exit codes: 0 ok; 1 failed without a code of its own, or findings; 2 bad usage.
`run`, `exec` and `wait` exit with the code of the job that failed first; 75 no run
was started, because others go on; 124 it timed out; 125 neap itself failed; 126
not executable; 127 not found; 128+n killed by signal n; 130 by Ctrl-C; 143
cancelled.

Start here: neap init && neap run hello";

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Work in this project instead of the nearest one above the current directory
    #[arg(
        short = 'C',
        long = "directory",
        global = true,
        value_name = "DIR",
        env = "NEAP_DIR",
        hide_env = true
    )]
    pub(crate) directory: Option<PathBuf>,
    /// Print one JSON document instead of text (field names are those of the HTTP API)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Colours: auto looks at the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "NEAP_COLOR",
        hide_env = true
    )]
    pub(crate) color: When,
    /// Say less: only errors and the answer
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more about what neap itself does (-vv: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Show times in this zone instead of the local one
    #[arg(long, global = true, value_name = "ZONE", env = "NEAP_TZ", hide_env = true)]
    pub(crate) tz: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a sample project into this directory
    Init(Init),
    /// Run a task and show what happens
    Run(Run),
    /// Run one command with log, history and exit code, without a task file
    Exec(Exec),
    /// Do again what failed in an earlier run
    Retry(Retry),
    /// Wait until runs have ended
    Wait(Wait),
    /// End runs early
    Cancel(Cancel),
    /// Let a job that waits for an approval go on
    Approve(Decide),
    /// Let a job that waits for an approval fail
    Reject(Decide),
    /// Create runs for slots of schedules that went by without one
    Backfill(Backfill),
    /// Change who goes first: the priority of a run that waits
    Prio(Prio),
    /// Hold a run (what runs goes on), or let the schedules of a task rest
    Pause(Rest),
    /// Let a held run, or the schedules of a task, go on
    Resume(Rest),
    /// Follow the schedules and carry out runs until stopped
    Serve(Serve),
    /// Read the task files again now
    Reload,
    /// List the tasks
    Ls,
    /// List what goes on, and why what waits is waiting
    Ps,
    /// Say why something is not running: what it waits for, and what holds that up
    Why(Why),
    /// Show a run, or a task
    Show(Show),
    /// Print the output of jobs
    Logs(Logs),
    /// List past runs
    History(History),
    /// Say when schedules fire next, or what a cron expression means
    Next(Next),
    /// Say what would start when and what would wait, from schedules and usual lengths
    Plan(Plan),
    /// Draw the jobs of a task and what they need
    Graph(Graph),
    /// Make task files of a crontab, a Taskfile or Dagu files
    Import(Import),
    /// Write schedules for cron or systemd, or a graph for Mermaid or Graphviz
    Export(Export),
    /// Look for errors in task files and scripts
    Check(Check),
    /// Look at this machine, the project and its host: what holds what here, and what is amiss
    Doctor,
    /// Explain a key or an error code, for example retry.backoff or E0104
    Explain(Explain),
    /// Print the schema of task files for editors, or install it in the project
    Schema(Schema),
    /// Print a script that completes commands, tasks and runs with TAB
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The directory to write into; it is made when it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) into: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The task, or a child of a pipeline (nightly/upload: that child and what it needs)
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    pub(crate) task: String,
    /// Parameters of the task, as name=value
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// A parameter, as name=value (the same as without -p)
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    pub(crate) more_params: Vec<String>,
    /// Hand the run to the host and return at once
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// At most this many jobs at a time (only without a host)
    #[arg(short = 'j', long = "jobs", value_name = "N")]
    pub(crate) slots: Option<usize>,
    /// -100 to 100, or low, normal, high, urgent
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true)]
    pub(crate) priority: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Run jobs although they are up to date
    #[arg(long)]
    pub(crate) force: bool,
    /// Start nothing when this task was asked for with this key before, and show that run
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Only say what would run, in which order
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What to show of the jobs' output
    #[arg(long, value_name = "WHAT", default_value = "failed")]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// The last lines of what failed
    Failed,
    /// Every line as it comes, behind the name of its job
    Prefix,
    /// Nothing
    Quiet,
}

#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// The name under which it is remembered
    #[arg(long, default_value = "exec")]
    pub(crate) name: String,
    /// End it after this long, for example 10m
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<String>,
    /// Further tries when it fails
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The run
    #[arg(add = ArgValueCompleter::new(complete::runs))]
    pub(crate) run: String,
    /// Begin with this job, and do again everything that needs it
    #[arg(long, value_name = "JOB", conflicts_with = "all")]
    pub(crate) from: Option<String>,
    /// Do everything again
    #[arg(long)]
    pub(crate) all: bool,
    /// Hand the run to the host and return at once
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// What to show of the jobs' output
    #[arg(long, value_name = "WHAT", default_value = "failed")]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// The runs
    #[arg(required = true, add = ArgValueCompleter::new(complete::runs))]
    pub(crate) runs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The runs
    #[arg(required_unless_present_any = ["task", "queue", "all"], add = ArgValueCompleter::new(complete::runs))]
    pub(crate) runs: Vec<String>,
    /// Every run of this task that goes on
    #[arg(long, value_name = "TASK", add = ArgValueCompleter::new(complete::tasks))]
    pub(crate) task: Option<String>,
    /// Every run with a job in this queue that is not done
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Everything that goes on
    #[arg(long)]
    pub(crate) all: bool,
    /// Say which runs are meant, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave out the grace: kill at once
    #[arg(long)]
    pub(crate) now: bool,
    /// Why; it is stored and shown
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Return when they have ended
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backfill {
    /// The task whose schedules are meant
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    pub(crate) task: String,
    /// The first moment: RFC 3339, or `2026-11-01 00:00` in the time zone of the host
    #[arg(long, value_name = "TIME")]
    pub(crate) from: String,
    /// The last moment; now without it
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Only show which slots would get a run
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Prio {
    /// The run, or runs: :queued, :task=NAME, :queue=NAME, :by=WHO
    #[arg(add = ArgValueCompleter::new(complete::runs))]
    pub(crate) run: String,
    /// low, normal, high, urgent, or a number from -100 to 100
    #[arg(allow_hyphen_values = true)]
    pub(crate) level: String,
    /// Say which runs are meant, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The run, or RUN/JOB when several of its jobs wait
    #[arg(add = ArgValueCompleter::new(complete::runs))]
    pub(crate) run: String,
    /// Why; it is stored and shown
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rest {
    /// A run, runs (:queued, :task=NAME), a job (build#7/test), or a task whose schedules are meant
    #[arg(required_unless_present = "queue", add = ArgValueCompleter::new(complete::runs_and_tasks))]
    pub(crate) what: Option<String>,
    /// A queue: nothing is admitted from it, what runs goes on
    #[arg(long, value_name = "NAME", conflicts_with = "what")]
    pub(crate) queue: Option<String>,
    /// Why; it is stored and shown
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Say which runs are meant, and do nothing
    #[arg(long, conflicts_with = "queue")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// At most this many jobs at a time, instead of what neap.yaml says (or else one for each processor)
    #[arg(short = 'j', long = "jobs", value_name = "N")]
    pub(crate) slots: Option<usize>,
    /// Take the place of the host that is up: it makes way, and the jobs that outlive a host go on
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// A task, a run, or a job of one: nightly#127/dump
    #[arg(add = ArgValueCompleter::new(complete::runs_and_tasks))]
    pub(crate) what: String,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A run or a task
    #[arg(add = ArgValueCompleter::new(complete::runs_and_tasks))]
    pub(crate) what: String,
    /// The definition: of a run, the one it was created with
    #[arg(long)]
    pub(crate) definition: bool,
    /// Everything that happened to the run, in order
    #[arg(long)]
    pub(crate) events: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// A run, or a job of one: nightly#127/dump
    #[arg(add = ArgValueCompleter::new(complete::runs))]
    pub(crate) run: String,
    /// Go on printing until the run has ended
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long = "lines", value_name = "N")]
    pub(crate) lines: Option<usize>,
    /// Only jobs that failed
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only this job
    #[arg(long, value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// This attempt instead of the last
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u32>,
    /// Only these bytes of one log: 1000..2000, 1MiB.., or -64KiB for the last of it
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true,
        conflicts_with_all = ["follow", "lines", "failed", "grep", "timestamps", "stderr"])]
    pub(crate) bytes: Option<String>,
    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Say before each line when it was written (a terminal is told anyway)
    #[arg(short = 't', long)]
    pub(crate) timestamps: bool,
    /// Only what was written to standard error
    #[arg(long)]
    pub(crate) stderr: bool,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// Only runs of this task
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    pub(crate) task: Option<String>,
    /// Only runs that ended like this (succeeded, failed, cancelled, unfinished)
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// Only runs that did not start or end when they were expected to
    #[arg(long)]
    pub(crate) late: bool,
    /// Only runs of the last stretch of time, for example 7d
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<String>,
    /// How many
    #[arg(short = 'n', long = "limit", default_value_t = 20)]
    pub(crate) limit: u32,
    /// Only what is older than this run
    #[arg(long, value_name = "RUN")]
    pub(crate) before: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Next {
    /// A task, or a schedule in quotes: "*/15 9-17 * * mon-fri", "every 5m"
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    pub(crate) what: Option<String>,
    /// Begin here instead of now, as RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// How many
    #[arg(short = 'n', long = "count", default_value_t = 5)]
    pub(crate) count: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Begin here, with an idle machine, instead of now; as RFC 3339, or a date and a time
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End here; a time, or a length such as 7d (a day when it is not given)
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// As if the machine were so many times as fast
    #[arg(long, value_name = "FACTOR")]
    pub(crate) speed: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// The task
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    pub(crate) task: String,
    /// How to draw it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: GraphFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Lines and names, for a terminal
    Text,
    /// For Mermaid
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture for a browser
    Svg,
    /// Names, places and lines, for programs (the same as --json)
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) from: ImportFrom,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportFrom {
    /// One task for each entry of a crontab; shows the old and the new times side by side
    Crontab(ImportCrontab),
    /// One task for each task of a Taskfile (version 3)
    Taskfile(ImportTaskfile),
    /// One pipeline for each Dagu file
    Dagu(ImportDagu),
}

#[derive(Debug, Args)]
pub(crate) struct ImportCrontab {
    /// The crontab; - is standard input. Without a file: your own (crontab -l)
    pub(crate) file: Option<PathBuf>,
    /// Your own crontab, as `crontab -l` prints it
    #[arg(long, conflicts_with = "file")]
    pub(crate) user: bool,
    /// Entries name a user, as in /etc/crontab (else this is found out)
    #[arg(long)]
    pub(crate) system: bool,
    #[command(flatten)]
    pub(crate) into: Destination,
}

#[derive(Debug, Args)]
pub(crate) struct ImportTaskfile {
    /// The Taskfile; without one the first of the usual names
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) into: Destination,
}

#[derive(Debug, Args)]
pub(crate) struct ImportDagu {
    /// The files
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) into: Destination,
}

/// Where the new files go.
#[derive(Debug, Args)]
pub(crate) struct Destination {
    /// The folder for the new files, below tasks/
    #[arg(long, value_name = "DIR", default_value = "tasks/imported")]
    pub(crate) into: PathBuf,
    /// Only print the new files
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Overwrite files that are there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// For what
    pub(crate) format: ExportFormat,
    /// Only these tasks
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    pub(crate) tasks: Vec<String>,
    /// Write files into this directory instead of printing them
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A line of cron for each schedule
    Crontab,
    /// A service and a timer for each task with a schedule
    Systemd,
    /// A graph of each task for Mermaid
    Mermaid,
    /// A graph of each task for Graphviz
    Dot,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Apply the fixes that are certain
    #[arg(long)]
    pub(crate) fix: bool,
    /// One line for each problem: file:line:col: error[code]: what
    #[arg(long)]
    pub(crate) one_line: bool,
    /// SARIF 2.1.0, for code hosts and editors
    #[arg(long, conflicts_with = "one_line")]
    pub(crate) sarif: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A key (retry.backoff, params.*.type), a built-in action, or a code; without one all are listed
    #[arg(add = ArgValueCompleter::new(complete::subjects))]
    pub(crate) what: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of which files
    #[arg(value_name = "FILES", default_value = "task")]
    pub(crate) of: SchemaOf,
    /// Write both schemas into .neap/schema/ and tell VS Code about them
    #[arg(long)]
    pub(crate) install: bool,
    /// Print the reference page of all keys, in Markdown
    #[arg(long, hide = true, conflicts_with = "install")]
    pub(crate) reference: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// The files of tasks/
    Task,
    /// neap.yaml
    Settings,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}
