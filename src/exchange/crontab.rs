//! A crontab to task files: one for each entry.
//!
//! Every entry keeps the text it came from in a comment. The time is taken over as it stands, because both sides read
//! cron expressions alike; what differs is said.

mod line;
mod naming;
mod percent;

use super::names::Names;
use super::yaml::{Block, short};
use super::{Imported, NewFile, Remark, Written};
use line::{Entry, Line, REBOOT};
use std::collections::BTreeMap;

/// How to read a crontab.
#[derive(Clone, Debug, Default)]
pub struct Crontab {
    /// What it is called, for comments: `/etc/crontab`.
    pub file: String,
    /// The folder below `tasks/` that the new files go to.
    pub folder: String,
    /// Whether its entries name a user.
    pub layout: Layout,
    /// Where cron would start the commands of each user it knows.
    pub homes: BTreeMap<String, String>,
    /// Whose crontab it is, when it is a user's own.
    pub user: Option<String>,
}

/// Whether the entries of a crontab name a user behind the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// They do when the first word behind every time is the name of a user.
    #[default]
    Guess,
    /// They do not: `crontab -l`.
    User,
    /// They do: `/etc/crontab` and `/etc/cron.d`.
    System,
}

/// Makes a task file of every entry.
///
/// ```
/// use neap::exchange::{Crontab, crontab};
/// let found = crontab("# Save it\n13 3 * * * backup.sh %now", &Crontab::default());
/// assert_eq!(found.files[0].name, "backup-sh");
/// assert!(found.files[0].text.contains("description: Save it\n"));
/// ```
pub fn crontab(text: &str, options: &Crontab) -> Imported {
    let lines: Vec<&str> = text.lines().collect();
    let read: Vec<Line<'_>> = lines.iter().map(|text| line::read(text)).collect();
    let has_users = match options.layout {
        Layout::User => false,
        Layout::System => true,
        Layout::Guess => names_users(&read, options),
    };
    let mut reading = Reading::new(options, has_users);
    if has_users && options.layout == Layout::Guess {
        reading.say_that_users_are_named(&read);
    }
    for (index, (text, line)) in lines.iter().zip(&read).enumerate() {
        reading.take(index + 1, text, line);
    }
    reading.finish()
}

fn entries<'r, 't>(read: &'r [Line<'t>]) -> impl Iterator<Item = (usize, &'r Entry<'t>)> {
    (1..).zip(read).filter_map(|(number, line)| match line {
        Line::Entry(entry) => Some((number, entry)),
        Line::Blank | Line::Comment(_) | Line::Variable { .. } | Line::Bad(_) => None,
    })
}

fn names_users(read: &[Line<'_>], options: &Crontab) -> bool {
    let is_user = |name: &str| name == "root" || options.homes.contains_key(name);
    let has_user =
        |entry: &Entry<'_>| line::split_words(entry.rest, 1).is_some_and(|(user, _)| is_user(&user));
    entries(read).next().is_some() && entries(read).all(|(_, entry)| has_user(entry))
}

/// What has been read so far.
struct Reading<'o> {
    options: &'o Crontab,
    has_users: bool,
    names: Names,
    imported: Imported,
    variables: BTreeMap<String, String>,
    zone: Option<String>,
    mail: Option<String>,
    /// Comments directly above: what the next entry is for.
    about: Vec<String>,
    /// What else stands above, and goes into the next file as a comment.
    kept: Vec<String>,
}

impl Reading<'_> {
    fn new(options: &Crontab, has_users: bool) -> Reading<'_> {
        Reading {
            options,
            has_users,
            names: Names::below(&options.folder),
            imported: Imported::default(),
            variables: BTreeMap::new(),
            zone: None,
            mail: None,
            about: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn say_that_users_are_named(&mut self, read: &[Line<'_>]) {
        if let Some((number, entry)) = entries(read).next() {
            let user = entry.rest.split_whitespace().next().unwrap_or_default();
            let why =
                "every entry has the name of a user behind its time, so this was read as a system crontab";
            self.imported.remarks.push(Remark::new(number, format!("user {user}"), why));
        }
    }

    fn take(&mut self, number: usize, text: &str, line: &Line<'_>) {
        match line {
            Line::Blank => self.keep_comments(),
            Line::Comment(comment) => self.comment(number, comment),
            Line::Variable { name, value } => self.variable(number, name, value),
            Line::Entry(entry) => self.entry(number, text, entry),
            Line::Bad(why) => self.not_translated(number, text.trim(), why.clone()),
        }
    }

    /// A comment that would be an entry is one that was switched off.
    fn comment(&mut self, number: usize, comment: &str) {
        match line::read(comment) {
            Line::Entry(_) => {
                self.keep_comments();
                let comment = comment.trim();
                self.kept.push(format!("switched off in the crontab: {comment}"));
                let why = "it is switched off there; it is kept as a comment";
                self.imported.remarks.push(Remark::new(number, format!("# {comment}"), why));
            }
            Line::Blank | Line::Comment(_) | Line::Variable { .. } | Line::Bad(_) => {
                self.about.push(comment.trim().trim_end_matches('#').trim().to_owned());
            }
        }
    }

    /// Comments that stand for themselves describe nothing, but are not lost.
    fn keep_comments(&mut self) {
        self.kept.append(&mut self.about);
    }

    fn variable(&mut self, number: usize, name: &str, value: &str) {
        self.keep_comments();
        match name {
            "CRON_TZ" => self.zone(number, value),
            "MAILTO" => self.mail(number, value),
            "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {
                self.not_translated(number, &format!("{name}={value}"), "neap sends no mail".into());
            }
            "RANDOM_DELAY" => {
                let why = "a schedule has no jitter in this version: every entry below starts on the minute";
                self.not_translated(number, &format!("{name}={value}"), why.into());
            }
            _ if is_identifier(name) => _ = self.variables.insert(name.to_owned(), value.to_owned()),
            _ => {
                self.not_translated(number, &format!("{name}={value}"), "this cannot name a variable".into())
            }
        }
    }

    fn zone(&mut self, number: usize, value: &str) {
        match crate::schedule::Zone::named(value) {
            Ok(_) => self.zone = Some(value.to_owned()),
            Err(error) => self.not_translated(number, &format!("CRON_TZ={value}"), error.to_string()),
        }
    }

    fn mail(&mut self, number: usize, value: &str) {
        self.mail = (!value.is_empty()).then(|| value.to_owned());
        if !value.is_empty() {
            let why =
                "neap sends no mail: output is kept with every run (neap logs), and a hook can tell somebody";
            self.imported.remarks.push(Remark::new(number, format!("MAILTO={value}"), why));
        }
    }

    fn not_translated(&mut self, number: usize, what: &str, why: String) {
        self.keep_comments();
        let remark = Remark::new(number, what, why);
        self.kept.push(remark.comment());
        self.imported.remarks.push(remark);
    }

    fn entry(&mut self, number: usize, text: &str, entry: &Entry<'_>) {
        let (user, rest) = match self.has_users {
            false => (None, entry.rest),
            true => match line::split_words(entry.rest, 1) {
                Some((user, rest)) => (Some(user), rest),
                None => {
                    let why = "a system crontab has a user and a command behind the time".to_owned();
                    return self.not_translated(number, text.trim(), why);
                }
            },
        };
        let (command, input) = percent::split(rest);
        let command = command.trim().to_owned();
        if command.is_empty() {
            return self.not_translated(number, text.trim(), "there is no command".into());
        }
        let name = self.names.take(&naming::name_of(&command));
        let job = Job { number, text, entry, user, command, input };
        let text = self.file(&job);
        let schedules = match entry.when.as_str() {
            REBOOT => Vec::new(),
            when => vec![Written { expression: when.to_owned(), zone: self.zone.clone() }],
        };
        self.imported.files.push(NewFile { name, line: number, schedules, text });
    }

    fn file(&mut self, job: &Job<'_>) -> String {
        let mut block = Block::default();
        let file = if self.options.file.is_empty() { "a crontab" } else { &self.options.file };
        block.comment(format!("Imported from {file}, line {}:", job.number));
        block.comment(format!("  {}", job.text.trim()));
        let kept = std::mem::take(&mut self.kept);
        kept.iter().for_each(|text| block.comment(text.as_str()));
        let about: Vec<String> = self.about.drain(..).filter(|text| !text.is_empty()).collect();
        if !about.is_empty() {
            block.text("description", &about.join(" ").replace("${{", "$ {{"));
        }
        self.time(job, &mut block);
        self.surroundings(job, &mut block);
        block.text("run", &literal(&job.command));
        if let Some(input) = &job.input {
            block.text("stdin", &literal(input));
        }
        if let Some(mail) = &self.mail {
            block.comment(format!("not translated: MAILTO={mail} — neap sends no mail; once it can:"));
            block.comment(format!("notify: {}", short(&[("when", "failure".into()), ("to", mail.clone())])));
        }
        block.render()
    }

    fn time(&mut self, job: &Job<'_>, block: &mut Block) {
        if job.entry.when == REBOOT {
            let why = "it fires whenever the host comes up, and not only at the first start after a boot";
            block.comment(format!("@reboot: {why}"));
            block.short("schedule", &[("event", "startup".to_owned())]);
            self.imported.remarks.push(Remark::new(job.number, REBOOT, why));
            return;
        }
        match &self.zone {
            None => block.text("schedule", &job.entry.when),
            Some(zone) => {
                block.short("schedule", &[("cron", job.entry.when.clone()), ("timezone", zone.clone())]);
            }
        }
        block.comment(
            "As cron does; without this line a run that still goes on keeps the next from starting.",
        );
        block.plain("overlap", "allow");
        if job.entry.is_quiet {
            let why = "neap remembers every run";
            self.imported.remarks.push(Remark::new(job.number, "- in front of the minute", why));
        }
    }

    /// Shell, variables, directory and user: what cron gives a command.
    fn surroundings(&mut self, job: &Job<'_>, block: &mut Block) {
        let shell = self.variables.get("SHELL").filter(|shell| !shell.trim().is_empty());
        block.text("shell", shell.map_or("/bin/sh", String::as_str));
        let home = self.variables.get("HOME").cloned().or_else(|| self.home_of(job.user.as_deref()));
        match home.filter(|home| home.starts_with('/') && !home.contains("${{")) {
            Some(home) => block.text("working_dir", &home),
            None => {
                block.comment("cron starts in the home directory, neap in the project: see `working_dir`")
            }
        }
        let mut env = Block::default();
        for (name, value) in self.variables.iter().filter(|(name, _)| *name != "SHELL") {
            env.text(name, &literal(value));
        }
        block.block("env", env);
        let is_own = job.user.is_none() || job.user == self.options.user;
        if let Some(user) = job.user.as_ref().filter(|_| !is_own) {
            let why = "jobs run as whoever runs neap; start the program with `setpriv` or `sudo -u`";
            let remark = Remark::new(job.number, format!("user {user}"), why);
            block.comment(remark.comment());
            self.imported.remarks.push(remark);
        }
    }

    fn home_of(&self, user: Option<&str>) -> Option<String> {
        self.options.homes.get(user.or(self.options.user.as_deref())?).cloned()
    }

    /// What stands behind the last entry goes into its file.
    fn finish(mut self) -> Imported {
        self.keep_comments();
        if let (Some(last), false) = (self.imported.files.last_mut(), self.kept.is_empty()) {
            let mut rest = Block::default();
            rest.comment("Below it in the crontab:");
            self.kept.iter().for_each(|text| rest.comment(text.as_str()));
            last.text += &rest.render();
        }
        self.imported.remarks.sort();
        self.imported
    }
}

/// An entry with everything that belongs to it.
struct Job<'t> {
    number: usize,
    text: &'t str,
    entry: &'t Entry<'t>,
    user: Option<String>,
    command: String,
    input: Option<String>,
}

fn is_identifier(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_word)
}

/// What `${{` begins is an expression here, and was only text there.
fn literal(command: &str) -> String {
    command.replace("${{", "${{ raw('${{') }}")
}
