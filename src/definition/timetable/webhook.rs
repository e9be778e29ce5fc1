//! Entries of `schedule` that fire when somebody calls the host over HTTP: `webhook`.
//!
//! The token of a caller is the value of a secret, which is named and never written.

use crate::base::TaskName;
use crate::definition::fields::{Checker, Field, Path};
use crate::definition::keys;
use crate::definition::problem::{Code, Finding};
use crate::definition::secret::Secret;
use crate::definition::values;
use crate::schedule::Occasion;

/// What a hook is held against.
#[derive(Clone, Copy)]
pub(in crate::definition) struct Hooks<'h> {
    /// The task that is called.
    pub(in crate::definition) task: &'h TaskName,
    /// The secrets of the task.
    pub(in crate::definition) own: &'h [Secret],
    /// The secrets of every job.
    pub(in crate::definition) shared: &'h [Secret],
    /// Whether `neap.yaml` says where the host listens.
    pub(in crate::definition) has_listener: bool,
}

impl<'h> Hooks<'h> {
    fn find(self, name: &str) -> Option<&'h Secret> {
        self.own.iter().chain(self.shared).find(|secret| secret.name == name)
    }
}

const DECLARE: &str =
    "write `secrets: [{ name: HOOK_TOKEN, from: store }]` beside `schedule` and `token: HOOK_TOKEN` here";

/// `webhook: {token}`, and the secret that is the token.
pub(super) fn webhook(
    checker: &mut Checker,
    field: &Field<'_>,
    above: &Path<'_>,
    hooks: Hooks<'_>,
) -> Option<(Occasion, Secret)> {
    if !hooks.has_listener {
        let message = "nobody listens for this webhook";
        let finding =
            Finding::new(Code::W0207, field.place.clone(), message, "`neap.yaml` has no `webhooks`");
        checker.report(finding.help("write `webhooks: { listen: \"127.0.0.1:7979\" }` in neap.yaml"));
    }
    let path = above.child("webhook");
    let (mut token, mut is_told) = (None, false);
    for inner in checker.fields(field.value, &path)? {
        is_told = true;
        match inner.key {
            "token" => token = self::token(checker, &inner, hooks),
            _ => _ = checker.unknown(&inner, &path, &keys::WEBHOOK),
        }
    }
    if !is_told {
        let message = "`webhook` names no token, so anybody could call it";
        let finding = Finding::new(Code::E0130, field.place.clone(), message, "`token` is required");
        checker.report(finding.help(DECLARE));
    }
    let token = token?;
    let name = token.name.as_str().into();
    Some((Occasion::Webhook { task: hooks.task.clone(), token: name }, token))
}

/// What was written is quoted in no message: it may be the token itself.
fn token(checker: &mut Checker, field: &Field<'_>, hooks: Hooks<'_>) -> Option<Secret> {
    let name = checker.filled_text(field.value, "token")?;
    let found = hooks.find(&name);
    if found.is_none() {
        let place = field.value.span.clone();
        let names = || hooks.own.iter().chain(hooks.shared).map(|secret| secret.name.as_str());
        let finding = if values::is_identifier(&name) {
            let label = "neither the task nor `neap.yaml` declares it";
            let finding = Finding::new(Code::E0311, place, "`token` names no secret that is declared", label);
            let meant = checker.meant(&name, names());
            finding.suggest_name(&name, meant, || DECLARE.to_owned())
        } else {
            let label = "everybody who reads the file would know it";
            Finding::new(Code::E0137, place, "a token cannot stand in a task file", label).help(DECLARE)
        };
        checker.report(finding);
    }
    found.cloned()
}
