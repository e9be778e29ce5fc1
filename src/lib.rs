//! **neap**: an embeddable scripting host driven by task definitions.
//!
//! People drop YAML files into `tasks/` (commands, priorities, timeouts, cron schedules, dependency DAGs), write Lua hooks
//! in `scripts/` (progress, decisions, cleanup), and run it as one binary, or in their own tokio program:
//!
//! ```
//! use neap::engine::RunOutcome;
//! use neap::host::{Host, Mode, RunRequest};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let project = tempfile::tempdir()?;
//! let host = Host::builder(project.path())
//!     .mode(Mode::Run)
//!     .task("greet", "steps: [ { id: say, run: echo hello }, { id: shout, uses: shout, with: { text: hello } } ]")
//!     .function("shout", |context| async move {
//!         context.log.line(context.with["text"].as_str().unwrap_or_default().to_uppercase());
//!         Ok(())
//!     })
//!     .open()
//!     .await?;
//! let run = host.submit(RunRequest::new("greet", "me")).await?;
//! assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded));
//! host.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # The layers
//!
//! Each module uses only what stands to its left: [`base`] < [`schedule`] < [`definition`] < `exchange`, [`plan`] <
//! [`engine`] < [`exec`], [`lua`], [`store`], [`watch`] < [`host`] < `api` < `cli`. Up to [`engine`] everything is pure: no
//! clock, no file, no thread. `ARCHITECTURE.md` in the repository is the map.
//!
//! # Features
//!
//! Without default features this is the embeddable library alone. `api` adds the HTTP API over a unix socket, `cli`
//! (the default) the program.

#[cfg(feature = "api")]
pub mod api;
pub mod base;
#[cfg(feature = "cli")]
pub mod cli;
pub mod definition;
pub mod engine;
#[cfg(feature = "cli")]
pub mod exchange;
pub mod exec;
#[cfg(test)]
#[path = "../tests/fuzz/kit/mod.rs"]
mod fuzz;
pub mod host;
pub mod lua;
pub mod plan;
pub mod schedule;
pub mod store;
pub mod watch;
