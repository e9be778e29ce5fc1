//! The codes of problems and a paragraph about each.
//!
//! A code never changes its meaning: people search for it. `E` is an error, `W` a warning, `H` a hint.

use super::problem::Severity;
use serde::{Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($code:ident $about:literal)*) => {
        /// Names a kind of problem: `E0104`. [`explain`] says more about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $about] $code,)*
        }

        impl Code {
            /// Every code there is, in order.
            pub const ALL: &[Code] = &[$(Code::$code,)*];

            /// The code as it is shown and searched for.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$code => stringify!($code),)* }
            }

            /// One paragraph: what the problem is, why it is one, and what to do.
            pub const fn about(self) -> &'static str {
                match self { $(Code::$code => $about,)* }
            }
        }
    };
}

codes! {
    E0101 "The file is not valid YAML, so nothing in it can be read. The place is where the reader gave up; the mistake is there or in the line above. Most often a quote or a bracket is not closed, or a line is indented differently from its neighbours."
    E0102 "A line is indented with a tab. YAML allows only spaces for indentation, because a tab has no agreed width. Replace every leading tab by two spaces."
    E0103 "A cron expression that starts with `*` stands without quotes. A leading `*` is YAML's reference to an anchor, so the reader never sees the expression. Put it in quotes: \"*/5 * * * *\"."
    E0104 "The key is not one of those that are known here. Unknown keys are errors and not ignored, because a misspelt `timeout` that is silently dropped is found out only when a job hangs. A key that begins with `x-` is ignored: a place for anchors and notes."
    E0105 "A value contains a colon followed by a space, or ends with a colon. YAML takes that for the start of another mapping. Put the whole value in single quotes, or write it as a block with `|`."
    E0106 "The same key is given twice in one mapping. One of the two would be lost without a word, so it is an error. Remove one, or merge them."
    E0107 "A `*name` refers to an anchor that is not defined above it in the same file. Anchors are written `&name` and must come before their use; a key that begins with `x-` is a good home for them."
    E0108 "The file holds no task. It needs at least a body, for example `run: echo hello`. A file that is not meant to be a task belongs outside `tasks/`."
    E0109 "The file holds several YAML documents, separated by `---`. One file is one task; the name of the file is the name of the task. Move the second document into a file of its own."
    E0110 "The value has the wrong shape: text where a mapping is expected, or a mapping where a list is expected. The label says what belongs there."
    E0111 "The file is not UTF-8 text. Save it with that encoding; a byte order mark at the beginning is allowed."
    E0112 "The file is larger or deeper than any file a person would write: more than 1 MiB, 64 levels, 100,000 values, 10,000 values repeated through anchors, 50 templates for one task, 100,000 dependencies through `finally`, or 16 MiB of parameters through schedules. The limits keep one file from using up the memory of the host."
    E0113 "The value must be `true` or `false`. YAML 1.1 also knew yes, no, on and off, YAML 1.2 does not, and programs disagree about them; so they are refused here."
    E0114 "The merge key `<<` takes a mapping, or a list of mappings, normally through an anchor: `<<: *defaults`."
    E0115 "A key of a mapping must be text. Lists and mappings as keys mean nothing here."
    E0116 "A key has no value. Either write one, or remove the key. For an empty text write \"\"."
    E0117 "The file is there but could not be read, most often because its permissions do not allow it."
    E0118 "A value begins with a character that YAML keeps for itself, such as `@`, `%` or a backtick. Put the value in quotes: schedule: \"@daily\"."
    E0119 "A `!tag` means nothing here. If the value is meant to begin with `!`, put it in quotes."
    E0120 "The value is not a length of time. Lengths are written with their units: 30s, 5m, 1h30m, 2d; a bare whole number means seconds."
    E0121 "The value must be a number inside the given range."
    E0122 "The value is not one of the words that are possible here. The label lists them."
    E0123 "The text cannot be a name. Names of tasks begin with a letter or a digit and hold letters, digits, `.`, `_` and `-`; names of variables and parameters hold letters, digits and `_`, and do not begin with a digit."
    E0124 "The path must name a file below its folder: relative, without `..`, and not empty."
    E0125 "The value does not name a signal. Write SIGTERM, TERM or the number."
    E0126 "No time zone has this name. Zones are named as in the IANA database: Europe/Berlin, UTC."
    E0127 "The schedule cannot be read. A cron expression has five fields (minute, hour, day of month, month, weekday) or six with the seconds first; `every` takes a length of time, `at` a date with a time, and `watch` paths or patterns of files."
    E0128 "The value is not a size that is possible here. Sizes are written with their units: 512KiB, 64MiB, 1.5GiB (of 1024), or KB, MB, GB (of 1000); a bare whole number means bytes."
    E0129 "The pattern is not a regular expression. It must fit the whole value; no anchors are needed."
    E0130 "Something that is needed is missing. A task needs exactly one body: `run`, `exec`, `lua`, `script` or `uses`; or it is a pipeline with `tasks` or `steps`."
    E0131 "The task has two bodies, and nothing says which of them should run. Keep one, or make the task a pipeline with two children."
    E0132 "The task is a pipeline and has a body of its own. A pipeline runs its children and nothing else; move the body into a child."
    E0133 "The key means something, but not at this level: schedules and parameters belong to the task, a timeout or a retry to a single child. What should hold for every child goes under `defaults`."
    E0134 "The list or mapping is empty, but needs at least one entry."
    E0137 "Two settings contradict each other, or one has no effect where it stands. Both places are shown where there are two; one of them must go."
    E0138 "The value does not fit the declaration of its parameter."
    E0140 "No function of this name is registered. Functions come from the program that embeds the host; the plain host has none."
    E0150 "The key is part of the task language, but this version does not have it yet. It is refused and not ignored, because a task that seems to have a lock and has none is worse than one that does not load."
    E0151 "An expression `${{ }}` stands where the value must be known when the file is read: names, numbers, durations, `true` and `false`. Expressions are possible in the texts that a job works with: `run`, `exec`, `env`, `working_dir`, `stdin`, `with`, `if` and what else the reference names."
    E0152 "The braces of an expression do not match, or nothing stands between them. An expression is Lua between `${{` and `}}`; a `}}` inside a Lua text does not end it."
    E0153 "A value would become a part of a program here. Values are put into text for a POSIX shell as one quoted word; in a quoted heredoc, in arithmetic, in the text of another interpreter or in what `eval` executes that is not possible. Give the value a variable under `env` and read it in the program."
    E0301 "Tasks need each other in a circle, so none of them could ever start. Each place of the circle is shown; take one of the dependencies away."
    E0302 "A dependency names a task that does not exist. Names are looked for among the children of the same pipeline first, then among all tasks by their full name."
    E0303 "Two definitions have the same name. A child `dump` of tasks/nightly.yaml is called `nightly/dump`, and so is the file tasks/nightly/dump.yaml; `.yaml` and `.yml` do not make a difference."
    E0304 "The path of the file cannot be the name of a task. Every folder and file name must begin with a letter or a digit and hold only letters, digits, `.`, `_` and `-`."
    E0154 "The text of an expression is not valid Lua. It must be one expression, what can stand behind `return`: comparisons with `==` and `~=`, `and`, `or`, `not`, texts joined with `..`."
    E0155 "An expression stands without quotes inside a mapping or a list that is written on one line. There `{` and `}` belong to YAML. Put the value in quotes, or write the mapping over several lines."
    E0305 "`extends` names a template that does not exist. Templates stand under `templates` in the same file or in neap.yaml."
    E0306 "An expression reads something that is not there: a parameter that the task does not declare, an axis that the matrix does not have, an item where there is no `foreach`, a secret, a variable or a function of another tool. What can be read: params, env, run, task, tasks, and matrix or item where the task has them; in `while` and `until` of `repeat` also outputs and round."
    E0307 "An expression reads the outcome or an output of a job on which this one does not depend. It could run before that job has ended, so there would be nothing to read. Add the dependency."
    E0308 "`uses: notify` names a channel that neap.yaml does not have. Channels stand there under `notify`, each with a name of its own and a `command` or a `webhook`."
    E0309 "The job is to wait in a queue that neap.yaml does not have. Queues stand there under `queues`, each with a name of its own and its `slots`; `default` is the queue of jobs that name none."
    E0310 "The job asks for more than there is, so it could never start. How much there is stands under `resources` in neap.yaml; `cpu` and `memory` are those of this machine where it does not say."
    E0311 "The token of a webhook is the value of a secret, and no secret of this name is declared. Secrets stand under `secrets` of the task or of neap.yaml; the file of a task holds only their names."
    E0312 "The host cannot listen where `webhooks` of neap.yaml says. What is needed is an IP address with a port that no other program has: \"127.0.0.1:7979\". A host that comes up refuses to start then, because calls would be lost without a word; one that is up goes on listening where it did."
    W0201 "The schedule never fires: there is no such date, for example the 30th of February."
    W0202 "Paths of scripts are already relative to `scripts/`, so this names a file in `scripts/scripts/`."
    W0203 "A template is defined and nothing extends it."
    W0204 "`raw( … )` puts a value into a script as it is, so that whatever the value says is executed. Without `raw` the value arrives as one quoted word, which is what is wanted nearly always."
    W0205 "The clock of the zone is moved forward over this time of day, so on that day it does not exist. The schedule fires all the same, once, at the first moment after the gap. A time outside of the change, or a zone without changes such as UTC, is never moved."
    W0206 "As the file stands the job can never run: its condition is always false, its rule can never be met, there is nothing to spread it over, or it waits for something that a job which never runs cannot do."
    W0207 "The task can be called by a webhook, and nobody listens, because neap.yaml has no `webhooks`. Until it says where to listen the entry has no effect."
    W0208 "The hooks can be called from other machines. The host speaks HTTP without TLS, so whoever is in between reads what is sent, tokens included. A proxy in front of it that has a certificate is the usual way; then the host listens at 127.0.0.1."
    H0001 "There is one spelling for each thing. This one is understood because other tools use it; the one suggested is the one that is used here."
}

impl Code {
    /// How bad problems of this kind are.
    pub fn severity(self) -> Severity {
        match self.as_str().as_bytes().first() {
            Some(b'W') => Severity::Warning,
            Some(b'H') => Severity::Hint,
            Some(_) | None => Severity::Error,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A paragraph about a code, whatever its case; `None` when there is no such code.
///
/// ```
/// use neap::definition::explain;
/// assert!(explain("e0301").unwrap().contains("circle"));
/// assert_eq!(explain("E9999"), None);
/// ```
pub fn explain(code: &str) -> Option<&'static str> {
    Code::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(code)).map(|known| known.about())
}
