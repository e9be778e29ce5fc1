//! The words of the task language: those that are understood, and those that are refused by name.
//!
//! A word that the language has and this version has not is refused with its own message: to be silently without a lock
//! is worse than not to load.

/// A key of the task language that this version does not have.
pub(super) struct Later {
    pub(super) key: &'static str,
    /// What does the same for now, where anything does.
    pub(super) instead: Option<&'static str>,
}

const fn later(key: &'static str) -> Later {
    Later { key, instead: None }
}

const fn until(key: &'static str, instead: &'static str) -> Later {
    Later { key, instead: Some(instead) }
}

/// What a leaf does. Exactly one of them.
pub(super) const BODIES: [&str; 5] = ["run", "exec", "lua", "script", "uses"];

/// Keys of every leaf, and of `defaults`.
pub(super) const LEAF: &[&str] = &[
    "description",
    "labels",
    "env",
    "working_dir",
    "priority",
    "timeout",
    "stop",
    "retry",
    "hooks",
    "cleanup",
    "continue_on_error",
    "shell",
];

/// Keys of a child of a pipeline.
pub(super) const CHILD: &[&str] = &[
    "run",
    "exec",
    "lua",
    "script",
    "uses",
    "with",
    "depends_on",
    "description",
    "labels",
    "env",
    "working_dir",
    "priority",
    "timeout",
    "stop",
    "retry",
    "hooks",
    "cleanup",
    "continue_on_error",
    "shell",
];

/// Keys of a step of a chain.
pub(super) const STEP: &[&str] = &[
    "id",
    "name",
    "run",
    "exec",
    "lua",
    "script",
    "uses",
    "with",
    "depends_on",
    "description",
    "labels",
    "env",
    "working_dir",
    "priority",
    "timeout",
    "stop",
    "retry",
    "hooks",
    "cleanup",
    "continue_on_error",
    "shell",
];

/// Keys of a file that is a leaf task.
pub(super) const TASK: &[&str] = &[
    "run",
    "exec",
    "lua",
    "script",
    "uses",
    "with",
    "tasks",
    "steps",
    "description",
    "schedule",
    "overlap",
    "params",
    "depends_on",
    "labels",
    "env",
    "working_dir",
    "priority",
    "timeout",
    "stop",
    "retry",
    "hooks",
    "cleanup",
    "continue_on_error",
    "shell",
    "defaults",
];

/// Keys of a file that is a pipeline.
pub(super) const PIPELINE: &[&str] = &[
    "tasks",
    "steps",
    "description",
    "schedule",
    "overlap",
    "params",
    "defaults",
    "depends_on",
    "labels",
    "env",
    "working_dir",
    "priority",
    "hooks",
];

/// Keys that only a whole task can have.
pub(super) const TASK_ONLY: [&str; 6] = ["schedule", "overlap", "params", "defaults", "tasks", "steps"];

/// Keys of tasks and children that come later.
pub(super) const LATER: &[Later] = &[
    until("secrets", "name a variable of the host in `env`, or read a file in the script"),
    until("templates", "share keys with an anchor: `x-common: &common { … }` and `<<: *common`"),
    until("extends", "share keys with an anchor: `x-common: &common { … }` and `<<: *common`"),
    until("dotenv", "write the variables under `env`"),
    until("env_passthrough", "a job has the environment of the host"),
    until("clean_env", "start the program with `env -i`"),
    until("umask", "call `umask` in the script"),
    until("user", "start the program with `setpriv` or `sudo -u`"),
    until("nice", "start the program with `nice`"),
    until("stdin", "use a pipe or a file in the script"),
    until("tty", "start the program with `script -qec`"),
    until("group", "use `labels`"),
    until("metadata", "use `labels`, or a key that begins with `x-`"),
    until(
        "trigger_rule",
        "`continue_on_error: true` lets what depends on a task start in spite of its failure",
    ),
    later("join"),
    until("if", "test the condition in the script"),
    until("preconditions", "test the condition in the script and exit with a code of its own"),
    until("strategy", "write one child for every cell"),
    until("matrix", "write one child for every cell"),
    until("foreach", "loop in the script"),
    until("outputs", "write a file that the next task reads"),
    until("artifacts", "copy what should be kept in the script"),
    until("sources", "compare the times of the files in the script"),
    until("generates", "compare the times of the files in the script"),
    later("method"),
    later("status"),
    until("repeat", "loop in the script, or use `retry`"),
    until("finally", "use `cleanup`"),
    until("timeout_total", "use `timeout`, which holds for one attempt, and `retry`"),
    later("timeout_queue"),
    until("stall_timeout", "use `timeout`"),
    until("catchup", "slots that were missed are written down; run the task by hand"),
    later("catchup_window"),
    until("pause_on_failure", "use a hook"),
    later("expect"),
    until("not_before", "use `schedule` with `at`"),
    until("delay", "call `sleep` in the script"),
    until("queue", "`slots` in neap.yaml limits how many jobs run at once"),
    until("max_instances", "`overlap: skip` keeps a schedule from starting a second run"),
    until("concurrency", "`overlap: skip` keeps a schedule from starting a second run"),
    until("locks", "call `flock` in the script"),
    later("resources"),
    until("limits", "call `ulimit` in the script"),
    later("rate_limit"),
    later("kind"),
    later("restart"),
    later("restart_backoff"),
    later("ready"),
    later("liveness"),
    until("notify", "use a hook"),
    later("log"),
    later("retention"),
    until("timezone", "write it beside the expression: `schedule: { cron: …, timezone: … }`"),
    later("durability"),
];

/// Keys of a schedule entry that come later.
pub(super) const LATER_SCHEDULE: &[Later] = &[
    later("event"),
    later("watch"),
    until("after", "use `depends_on`"),
    later("jitter"),
    later("start"),
    later("end"),
    later("exclude"),
    later("dst_gap"),
    later("dst_overlap"),
    until("catchup", "slots that were missed are written down; run the task by hand"),
    later("pause_on_failure"),
];

/// Keys of `retry` that come later.
pub(super) const LATER_RETRY: &[Later] =
    &[later("on_output"), until("hook", "a file under `hooks` can decide over a retry"), later("budget")];

/// Keys of `stop` that come later.
pub(super) const LATER_STOP: &[Later] = &[until("command", "use a signal that the program understands")];

/// Keys of `neap.yaml` that come later.
pub(super) const LATER_SETTINGS: &[Later] = &[
    until("queues", "`slots` limits how many jobs run at once"),
    later("locks"),
    later("secrets"),
    until("notify", "use a hook"),
    later("retention"),
    later("http"),
];

/// Words of other tools and ours.
pub(super) const FOREIGN: [(&str, &str); 33] = [
    ("cmd", "run"),
    ("cmds", "run"),
    ("command", "run"),
    ("commands", "run"),
    ("script_text", "run"),
    ("entrypoint", "exec"),
    ("argv", "exec"),
    ("deps", "depends_on"),
    ("dependencies", "depends_on"),
    ("depends", "depends_on"),
    ("dir", "working_dir"),
    ("cwd", "working_dir"),
    ("workdir", "working_dir"),
    ("directory", "working_dir"),
    ("environment", "env"),
    ("variables", "env"),
    ("vars", "params"),
    ("inputs", "params"),
    ("parameters", "params"),
    ("args", "with"),
    ("retries", "retry"),
    ("retry_policy", "retry"),
    ("timeout_sec", "timeout"),
    ("timeout-minutes", "timeout"),
    ("desc", "description"),
    ("about", "description"),
    ("on", "schedule"),
    ("cron", "schedule"),
    ("jobs", "tasks"),
    ("limit", "attempts"),
    ("max_attempts", "attempts"),
    ("interval", "delay"),
    ("tags", "labels"),
];
