//! The secrets of a job: found when it starts, given to it, and kept out of everything that is written about it.
//!
//! They are in no definition, no event and no table; this map forgets them when the job is done.

use crate::base::JobId;
use crate::definition::{Secret, SecretSource};
use crate::exec::Masks;
use crate::host::Inner;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// A command that prints a secret has so long.
const LIMIT: Duration = Duration::from_secs(30);
/// A secret is not larger than this.
const LARGEST: u64 = 1 << 20;

/// The folder of `from: store` below the state directory: one file for each secret.
pub const STORE: &str = "secrets";

/// What is known of the secrets of one job.
#[derive(Default)]
pub(super) struct Known {
    /// The variables.
    pub(super) env: Vec<(String, String)>,
    /// What must not be seen.
    pub(super) masks: Masks,
}

impl Inner {
    /// What must not be seen of a job. Nothing before it starts: until then nobody has looked.
    pub(super) fn masks(&self, job: JobId) -> Masks {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.get(&job).map(|known| known.masks.clone()).unwrap_or_default()
    }

    /// The secrets of a job, found once: a later attempt gets the same.
    ///
    /// # Errors
    /// Which of them was not found, and why. The words hold no secret.
    pub(super) async fn find_secrets(&self, job: JobId, wanted: Vec<Secret>) -> Result<Arc<Known>, String> {
        if let Some(known) = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(&job) {
            return Ok(Arc::clone(known));
        }
        let mut env = Vec::with_capacity(wanted.len());
        for secret in wanted {
            let value = self
                .find_secret(&secret)
                .await
                .map_err(|why| format!("the secret `{}` {why}", secret.name))?;
            env.push((secret.name, value));
        }
        let masks = Masks::new(env.iter().map(|(_, value)| value));
        let known = Arc::new(Known { env, masks });
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(job, Arc::clone(&known));
        Ok(known)
    }

    /// The secrets that were found for a job, as variables; nothing after a restart, unless another attempt has begun.
    pub(super) fn known_secrets(&self, job: JobId) -> Vec<(OsString, OsString)> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let variables = secrets.get(&job).map(|known| known.env.clone()).unwrap_or_default();
        variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// The job is done: its secrets are forgotten.
    pub(super) fn forget_secrets(&self, job: JobId) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
    }

    pub(super) async fn find_secret(&self, secret: &Secret) -> Result<String, String> {
        match secret.from {
            SecretSource::Env => {
                let found = self.base_env.iter().rev().find(|(name, _)| *name == *secret.key);
                let (_, value) = found.ok_or_else(|| {
                    format!("is not in the environment of the host: {} is not set", secret.key)
                })?;
                value.to_str().map(str::to_owned).ok_or_else(|| "is not text".to_owned())
            }
            SecretSource::File => read_away(self.root.join(&secret.key), false).await,
            SecretSource::Store => {
                let is_name =
                    secret.key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
                if !is_name || secret.key.starts_with('.') {
                    return Err(format!("has no name of the store: `{}`", secret.key));
                }
                read_away(self.state_dir.join(STORE).join(&secret.key), true).await
            }
            SecretSource::Command => self.ask_command(&secret.key).await,
        }
    }

    async fn ask_command(&self, script: &str) -> Result<String, String> {
        let mut command = tokio::process::Command::new("sh");
        command
            .args(["-eu", "-c", script])
            .current_dir(&self.root)
            .env_clear()
            .envs(self.base_env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| format!("has a command that cannot be started: {error}"))?;
        let Some(stdout) = child.stdout.take() else { return Err("has a command without output".into()) };
        let reading = async {
            let mut text = String::new();
            let read = stdout.take(LARGEST).read_to_string(&mut text).await;
            read.map_err(|error| format!("is not text: {error}"))?;
            let status =
                child.wait().await.map_err(|error| format!("has a command that was lost: {error}"))?;
            if status.success() {
                Ok(without_end(text))
            } else {
                Err(format!("has a command that failed: {status}"))
            }
        };
        let read = tokio::time::timeout(LIMIT, reading).await;
        read.unwrap_or_else(|_| {
            Err(format!("has a command that took longer than {} seconds", LIMIT.as_secs()))
        })
    }
}

async fn read_away(path: PathBuf, must_be_private: bool) -> Result<String, String> {
    let reading = tokio::task::spawn_blocking(move || read(&path, must_be_private));
    reading.await.unwrap_or_else(|error| Err(format!("could not be read: {error}")))
}

fn read(path: &Path, must_be_private: bool) -> Result<String, String> {
    let shown = path.display();
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be read from {shown}: {error}"))?;
    let about = file.metadata().map_err(|error| format!("cannot be read from {shown}: {error}"))?;
    if !about.is_file() {
        return Err(format!("cannot be read from {shown}: it is no file"));
    }
    if must_be_private && about.mode() & 0o077 != 0 {
        return Err(format!("is open to others; run: chmod 600 {shown}"));
    }
    let mut text = String::new();
    file.take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| format!("is not text in {shown}: {error}"))?;
    Ok(without_end(text))
}

/// A file ends with a line end, a secret does not.
fn without_end(text: String) -> String {
    let shorter = text.trim_end_matches(['\r', '\n']).len();
    let mut text = text;
    text.truncate(shorter);
    text
}
