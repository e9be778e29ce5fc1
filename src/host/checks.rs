//! Questions to the world that a job asks before it may start: commands whose exit code is the answer.

use crate::base::{AttemptId, JobId, Millis};
use crate::definition::{self, Cleanup, Leaf, Params};
use crate::exec;
use crate::host::Inner;
use crate::host::environment::{Given, directory_of};
use std::sync::Arc;

/// A command that takes longer has not said yes.
const LIMIT: Millis = Millis::from_secs(60);

/// Whether the script exits with 0. What it writes is kept in the log of attempt 0; `given` holds what must not be seen
/// in it.
pub(super) async fn holds(
    inner: &Arc<Inner>,
    job: JobId,
    leaf: &Leaf,
    params: &Params,
    given: &Given,
    script: &str,
) -> bool {
    let attempt = AttemptId { job, number: 0 };
    let folder = directory_of(leaf, &inner.root);
    let seen = inner.view.look(|live| {
        let run = live.state.runs.get(&job.run)?;
        Some((inner.environment_with(run, attempt, &folder, given), inner.log_of(run, attempt)))
    });
    let Some((mut env, log)) = seen else { return false };
    let own = leaf.env.iter().map(|(name, value)| (name.clone(), value.clone()));
    let secrets = given.secrets.iter().cloned();
    let known = own.chain(definition::environment(params)).chain(secrets);
    env.extend(known.map(|(name, value)| (name.into(), value.into())));
    let (mark, whose) = exec::marker(&inner.instance, attempt);
    env.push((mark.into(), whose.into()));
    if let Err(error) = crate::host::carry::make_room(&log) {
        tracing::warn!(log = %log.display(), %error, "no room for the log of a check");
    }
    let script = Cleanup::Run { script: script.to_owned() };
    exec::run_cleanup(&script, &folder, &env, &log, LIMIT, &given.masks).await.is_ok()
}
