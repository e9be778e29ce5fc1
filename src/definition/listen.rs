//! `webhooks` of `neap.yaml`: where the host listens for those who call it.

use super::fields::{Checker, Field, Path};
use super::keys;
use super::problem::{Code, Finding, Problem};
use super::source::Source;
use core::net::SocketAddr;
use std::ops::Range;

/// Where hooks are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address and the port; 0 is any port that is free.
    pub address: SocketAddr,
    /// Where the file says so.
    span: Range<usize>,
}

impl Listen {
    /// Why the host could not listen there, as a problem of `neap.yaml`. `why` fits after a colon.
    pub fn problem(&self, source: &Source, why: &str) -> Problem {
        let message = format!("the host cannot listen at {}: {why}", self.address);
        let finding = Finding::new(Code::E0312, self.span.clone(), message, "this cannot be had");
        let help = "choose another port, or end what has this one; another project needs a port of its own";
        finding.help(help).settle(source)
    }
}

/// `webhooks: {listen}`.
pub(super) fn webhooks(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Option<Listen> {
    let path = above.child("webhooks");
    let (mut found, mut is_told) = (None, false);
    for inner in checker.fields(field.value, &path)? {
        is_told = true;
        match inner.key {
            "listen" => found = listen(checker, &inner),
            _ => _ = checker.unknown(&inner, &path, &keys::WEBHOOKS),
        }
    }
    if !is_told {
        let message = "`webhooks` does not say where to listen";
        let finding = Finding::new(Code::E0130, field.place.clone(), message, "`listen` is required");
        checker.report(finding.help("write `{ listen: \"127.0.0.1:7979\" }`"));
    }
    found
}

fn listen(checker: &mut Checker, field: &Field<'_>) -> Option<Listen> {
    let text = checker.filled_text(field.value, "listen")?;
    let span = field.value.span.clone();
    let Ok(address) = text.parse::<SocketAddr>() else {
        let message = format!("`{text}` is no address with a port");
        let finding = Finding::new(Code::E0312, span, message, "names are not looked up here");
        checker.report(finding.help(meant(&text)));
        return None;
    };
    if !address.ip().is_loopback() {
        let message = "other machines can call the hooks, and what they send is not encrypted";
        let finding = Finding::new(Code::W0208, span.clone(), message, "this is not only this machine");
        checker.report(finding.help(
            "listen at 127.0.0.1 and put a proxy with TLS in front; or keep the port inside of a network that you trust",
        ));
    }
    Some(Listen { address, span })
}

/// What to write instead of something that is no address.
fn meant(text: &str) -> String {
    let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(7979);
    let host = text.rsplit_once(':').map_or("", |(host, _)| host);
    let host = if host == "*" { "0.0.0.0" } else { "127.0.0.1" };
    format!("write an IP address and a port: \"{host}:{port}\"")
}

#[cfg(test)]
mod tests {
    use crate::definition::{Settings, Source};
    use crate::schedule::Zone;

    fn load(webhooks: &str) -> (Settings, Vec<String>) {
        let source = Source::new("neap.yaml", format!("webhooks: {webhooks}"));
        let (settings, problems) = Settings::load(&source, Zone::utc());
        let lines = problems.iter().map(|problem| {
            let help = problem.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{problem}{help}")
        });
        (settings, lines.collect())
    }

    #[test]
    fn an_address_is_numbers_and_a_port() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>, words: &[&str]) {
            let (settings, problems) = load(&format!("{{ listen: \"{text}\" }}"));
            assert_eq!(
                settings.webhooks.map(|listen| listen.address.to_string()).as_deref(),
                expected,
                "{text}"
            );
            assert_eq!(problems, words, "{text}");
        }
        check("127.0.0.1:7979", Some("127.0.0.1:7979"), &[]);
        check("[::1]:0", Some("[::1]:0"), &[]);
        let open = "neap.yaml:1:21: warning[W0208]: other machines can call the hooks, and what they send is not encrypted \
                    (listen at 127.0.0.1 and put a proxy with TLS in front; or keep the port inside of a network that you trust)";
        check("0.0.0.0:7979", Some("0.0.0.0:7979"), &[open]);
        check("[2001:db8::1]:80", Some("[2001:db8::1]:80"), &[open]);
        for (text, meant) in [
            ("localhost:8080", "127.0.0.1:8080"),
            ("8080", "127.0.0.1:8080"),
            (":8080", "127.0.0.1:8080"),
            ("*:8080", "0.0.0.0:8080"),
            ("127.0.0.1", "127.0.0.1:7979"),
            ("127.0.0.1:99999", "127.0.0.1:7979"),
            ("http://127.0.0.1:80/", "127.0.0.1:7979"),
        ] {
            let words = format!(
                "neap.yaml:1:21: error[E0312]: `{text}` is no address with a port (write an IP address and a port: \"{meant}\")"
            );
            check(text, None, &[&words]);
        }
    }

    #[test]
    fn nothing_else_is_said_about_hooks() {
        let missing = "neap.yaml:1:1: error[E0130]: `webhooks` does not say where to listen (write `{ listen: \"127.0.0.1:7979\" }`)";
        assert_eq!(load("{}").1, [missing]);
        assert_eq!(load("~").1, [missing]);
        assert_eq!(load("{ port: 7979 }").1.len(), 1);
        assert_eq!(load("127.0.0.1:7979").1, ["neap.yaml:1:11: error[E0110]: `webhooks` must be a mapping"]);
    }

    #[test]
    fn a_port_that_cannot_be_had_is_a_problem_of_the_file() {
        let source = Source::new("neap.yaml", "slots: 2\nwebhooks: { listen: \"127.0.0.1:1\" }");
        let listen = Settings::load(&source, Zone::utc()).0.webhooks.unwrap();
        let problem = listen.problem(&source, "it is taken");
        let words = "neap.yaml:2:21: error[E0312]: the host cannot listen at 127.0.0.1:1: it is taken";
        assert_eq!(problem.to_string(), words);
    }
}
