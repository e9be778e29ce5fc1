//! A name for a command: what a person would call it.

/// Programs that only start another one.
const WRAPPERS: [&str; 14] = [
    "nice",
    "ionice",
    "chronic",
    "sudo",
    "env",
    "exec",
    "nohup",
    "setsid",
    "time",
    "command",
    "timeout",
    "flock",
    "systemd-cat",
    "cronic",
];
/// Programs that run a script which says more than they do.
const INTERPRETERS: [&str; 13] =
    ["sh", "bash", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node", "php", "java", "lua"];
/// Programs that do many things: their first word says which.
const MANY: [&str; 12] = [
    "git",
    "docker",
    "npm",
    "make",
    "systemctl",
    "certbot",
    "kubectl",
    "rclone",
    "artisan",
    "apt-get",
    "restic",
    "borg",
];
/// Programs that only test whether the rest should run.
const GUARDS: [&str; 5] = ["test", "[", "cd", "sleep", "."];

/// `backup-sh` for `cd /srv && nice -n 10 /usr/local/bin/backup.sh --full`.
pub(super) fn name_of(command: &str) -> String {
    let parts: Vec<Vec<&str>> = command.split(['&', '|', ';', '(', ')', '{', '}']).map(words).collect();
    let is_telling = |words: &&Vec<&str>| words.first().is_some_and(|word| !GUARDS.contains(&base(word)));
    let words = parts.iter().find(is_telling).or_else(|| parts.iter().find(|words| !words.is_empty()));
    words.map_or_else(|| "job".to_owned(), |words| name_of_words(words)).replace('_', "-")
}

/// The words that name the work: without variables, redirections, and wrappers with their options.
fn words(part: &str) -> Vec<&str> {
    let mut words: Vec<&str> = part
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'', '`']))
        .filter(|word| !word.is_empty())
        .collect();
    words.retain(|word| {
        !word.starts_with(['<', '>']) && (!word.starts_with('$') || word.contains('/')) && *word != "!"
    });
    while let Some(first) = words.first().copied() {
        let is_variable = first.split_once('=').is_some_and(|(name, _)| !name.contains('/'));
        if is_variable {
            words.remove(0);
        } else if WRAPPERS.contains(&base(first)) && words.len() > 1 {
            words.remove(0);
            skip_options(&mut words, base(first));
        } else {
            break;
        }
    }
    words
}

/// Options of a wrapper and their values: a number, a length of time, a lock file.
fn skip_options(words: &mut Vec<&str>, wrapper: &str) {
    let mut has_lock = wrapper != "flock";
    while let (Some(word), true) = (words.first().copied(), words.len() > 1) {
        let is_value = word.starts_with(|c: char| c.is_ascii_digit());
        if word.starts_with('-') || is_value {
            words.remove(0);
        } else if !has_lock {
            has_lock = true;
            words.remove(0);
        } else {
            break;
        }
    }
}

fn name_of_words(words: &[&str]) -> String {
    let Some(first) = words.first() else { return "job".into() };
    let mut plain = words.iter().skip(1).filter(|word| !word.starts_with('-'));
    let program = base(first);
    if INTERPRETERS.contains(&program) {
        let script = plain.find(|word| word.contains(['/', '.']) || !word.contains(['\'', '"']));
        return match script {
            Some(script) if MANY.contains(&base(script)) => joined(base(script), plain.next()),
            Some(script) => base(script).to_owned(),
            None => program.to_owned(),
        };
    }
    if MANY.contains(&program) { joined(program, plain.next()) } else { program.to_owned() }
}

fn joined(program: &str, word: Option<&&str>) -> String {
    word.map_or_else(|| program.to_owned(), |word| format!("{program}-{}", base(word)))
}

fn base(word: &str) -> &str {
    word.trim_end_matches('/').rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::super::super::names::clean;
    use super::*;

    #[track_caller]
    fn check(command: &str, expected: &str) {
        assert_eq!(clean(&name_of(command)), expected, "{command}");
    }

    #[test]
    fn commands_are_named_by_what_they_do() {
        check("/usr/local/bin/backup.sh --full", "backup-sh");
        check("pg_dump app | gzip > /tmp/app.gz", "pg-dump");
        check("cd / && run-parts --report /etc/cron.hourly", "run-parts");
        check("test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )", "run-parts");
        check("[ -x /usr/bin/x ] && /usr/bin/x", "x");
        check("nice -n 19 ionice -c 3 /opt/index", "index");
        check("flock -n /tmp/lock timeout 10m python3 /srv/app/sync.py", "sync-py");
        check("FOO=bar BAZ='x' /bin/job", "job");
        check("php /var/www/artisan schedule:run >> /dev/null 2>&1", "artisan-schedule-run");
        check("certbot -q renew", "certbot-renew");
        check("echo hello", "echo");
        check(">/dev/null", "job");
        check("$HOME/bin/daily.job >> x", "daily-job");
    }
}
