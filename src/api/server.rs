//! The server: HTTP over a unix socket, for the owner of the host alone.

mod follow;

pub use follow::Follow;

use super::occupancy;
use crate::api::{
    BackfillRequest, Cancel, Decide, FilledInfo, HostInfo, NoLog, Prio, Refusal, Rest, RetryRequest, RunInfo,
    SelectError, Selected, Selector, Sight, Span, Submitted, Time, USUAL_PART, log_part,
};
use crate::base::{RunId, TaskName};
use crate::engine::Author;
use crate::host::{
    Backfill, BackfillError, CommandError, Fill, Filled, Happening, Host, RunRequest, SubmitError, wall_clock,
};
use crate::store::{RunFilter, RunStatus, Seq, StoreError};
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// The name of the socket in the state directory.
pub const SOCKET: &str = "host.sock";

/// The socket could not be offered; fits after "failed to serve: ".
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory or the socket could not be made.
    #[error("the socket `{}` cannot be made", .path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Serving ended with an error.
    #[error("the socket failed")]
    Failed(#[from] io::Error),
}

/// Serves a host on its socket until `stop` is cancelled. The host goes on after that.
///
/// # Errors
/// [`ServeError`] when the socket cannot be made.
pub async fn serve(host: Host, stop: CancellationToken) -> Result<(), ServeError> {
    let path = host.state_dir().join(SOCKET);
    let bad = |source| ServeError::Socket { path: path.clone(), source };
    let listener = bind(&path).map_err(bad)?;
    let doors = Doors { host, stop: stop.clone() };
    let served =
        axum::serve(OwnerOnly(listener), router(doors)).with_graceful_shutdown(stop.cancelled_owned()).await;
    let _ = fs::remove_file(&path);
    Ok(served?)
}

/// A socket is left behind by a host that died. The lock on the store says that no other host lives, so it may go.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = short(path, |path| UnixListener::bind(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The address of a socket has room for about 100 bytes. A longer path goes through the directory's descriptor.
pub(super) fn short<R>(path: &Path, act: impl FnOnce(&Path) -> io::Result<R>) -> io::Result<R> {
    if path.as_os_str().len() < 100 {
        return act(path);
    }
    use std::os::fd::AsRawFd;
    let (dir, file) = path.parent().zip(path.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
    let dir = fs::File::open(dir)?;
    act(&PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(file))
}

/// Accepts peers of our own user, and root. Everybody else is turned away unheard.
struct OwnerOnly(UnixListener);

impl axum::serve::Listener for OwnerOnly {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) if is_owner(&stream) => return (stream, ()),
                Ok(_) => tracing::warn!("a peer of another user was turned away"),
                Err(error) => {
                    // Out of descriptors, say: nothing to do but to let some go.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

#[derive(Clone)]
struct Doors {
    host: Host,
    stop: CancellationToken,
}

fn router(doors: Doors) -> Router {
    Router::new()
        .route("/api/v1/host", get(host))
        .route("/api/v1/host/leave", post(leave))
        .route("/api/v1/tasks", get(tasks))
        .route("/api/v1/problems", get(problems))
        .route("/api/v1/next", get(next))
        .route("/api/v1/going", get(going))
        .route("/api/v1/select", get(select))
        .route("/api/v1/why", get(why))
        .route("/api/v1/runs", get(runs).post(submit))
        .route("/api/v1/runs/{id}", get(run))
        .route("/api/v1/runs/{id}/wait", get(wait))
        .route("/api/v1/runs/{id}/log", get(log))
        .route("/api/v1/runs/{id}/cancel", post(cancel))
        .route("/api/v1/runs/{id}/decide", post(decide))
        .route("/api/v1/runs/{id}/prio", post(prio))
        .route("/api/v1/runs/{id}/pause", post(pause))
        .route("/api/v1/runs/{id}/resume", post(resume))
        .route("/api/v1/runs/{id}/retry", post(retry))
        .route("/api/v1/backfill", post(backfill))
        .route("/api/v1/pause", post(rest))
        .route("/api/v1/resume", post(wake))
        .route("/api/v1/reload", post(reload))
        .route("/api/v1/events", get(events))
        .with_state(Arc::new(doors))
}

type Door = State<Arc<Doors>>;

/// What a request is answered with when it is not carried out.
struct Denial(StatusCode, Refusal);

impl Denial {
    fn new(status: StatusCode, error: impl ToString) -> Denial {
        Denial(status, Refusal { message: error.to_string(), hint: None })
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

impl From<StoreError> for Denial {
    fn from(error: StoreError) -> Denial {
        Denial::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }
}

impl From<CommandError> for Denial {
    fn from(error: CommandError) -> Denial {
        let status = match error {
            CommandError::NotGoing(_) | CommandError::NoJob { .. } | CommandError::NoQueue { .. } => {
                StatusCode::NOT_FOUND
            }
            CommandError::Already { .. }
            | CommandError::TaskAlready { .. }
            | CommandError::QueueAlready { .. }
            | CommandError::JobAlready { .. }
            | CommandError::NoProcess { .. }
            | CommandError::NotAsked { .. }
            | CommandError::WhichJob { .. } => StatusCode::CONFLICT,
            CommandError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Denial::new(status, error)
    }
}

impl From<SubmitError> for Denial {
    fn from(error: SubmitError) -> Denial {
        let status = match &error {
            SubmitError::NoTask { .. } | SubmitError::NoRun(_) | SubmitError::NoJob { .. } => {
                StatusCode::NOT_FOUND
            }
            SubmitError::StillGoing(_) | SubmitError::NothingFailed(_) => StatusCode::CONFLICT,
            SubmitError::Refused { .. } => StatusCode::LOCKED,
            SubmitError::KeyTaken { .. } => StatusCode::CONFLICT,
            SubmitError::Params(_) | SubmitError::Key { .. } => StatusCode::BAD_REQUEST,
            SubmitError::Broken { .. } | SubmitError::Plan(_) => StatusCode::UNPROCESSABLE_ENTITY,
            SubmitError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            SubmitError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        let hint = error.hint();
        Denial(status, Refusal { message: error.to_string(), hint })
    }
}

impl From<BackfillError> for Denial {
    fn from(error: BackfillError) -> Denial {
        match error {
            BackfillError::Submit(error) => error.into(),
            BackfillError::NoSchedule(_) | BackfillError::TooMany(_) => {
                Denial::new(StatusCode::UNPROCESSABLE_ENTITY, error)
            }
        }
    }
}

impl From<SelectError> for Denial {
    fn from(error: SelectError) -> Denial {
        let status = match &error {
            SelectError::Shape(_) => StatusCode::BAD_REQUEST,
            SelectError::Nothing { .. } | SelectError::NoJob { .. } => StatusCode::NOT_FOUND,
            SelectError::Ambiguous { .. } => StatusCode::CONFLICT,
            SelectError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let hint = error.hint();
        Denial(status, Refusal { message: error.to_string(), hint })
    }
}

impl From<NoLog> for Denial {
    fn from(error: NoLog) -> Denial {
        let status = match &error {
            NoLog::NoJob(_) | NoLog::NotYet | NoLog::Gone => StatusCode::NOT_FOUND,
            NoLog::WhichJob(_) => StatusCode::CONFLICT,
            NoLog::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Denial::new(status, error)
    }
}

type Answer<T> = Result<Json<T>, Denial>;

/// Looks at everything there is: a copy of what goes on, so that a slow read of the history holds nobody up.
async fn sight<R: Send + 'static>(
    host: &Host,
    look: impl FnOnce(&Sight<'_>) -> R + Send + 'static,
) -> Result<R, Denial> {
    let (host, now) = (host.clone(), wall_clock());
    let read = tokio::task::spawn_blocking(move || {
        let live = host.look(Clone::clone);
        look(&Sight {
            live: &live,
            history: host.history(),
            definitions: &host.definitions(),
            state_dir: host.state_dir(),
            capacity: &host.capacity(),
            now,
        })
    });
    read.await.map_err(|error| Denial::new(StatusCode::INTERNAL_SERVER_ERROR, error))
}

async fn host(State(doors): Door) -> Json<HostInfo> {
    let host = &doors.host;
    let capacity = host.capacity();
    let (busy, queued, runs) =
        host.look(|live| (live.state.busy_in(None, &capacity), live.state.queued(), live.state.runs.len()));
    let (queues, locks) = host
        .look(|live| (occupancy::queues(&live.state, &capacity), occupancy::locks(&live.state, &capacity)));
    let definitions = host.definitions();
    Json(HostInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        root: host.root().to_path_buf(),
        slots: host.slots(),
        busy,
        queued,
        queues,
        locks,
        runs,
        tasks: definitions.catalog.tasks().len(),
        errors: definitions.errors(),
        trouble: host.trouble(),
    })
}

/// The host makes way for another one; the jobs that outlive it go on.
async fn leave(State(doors): Door) -> Json<HostInfo> {
    let about = host(State(Arc::clone(&doors))).await;
    doors.host.ask_to_leave();
    about
}

async fn tasks(State(doors): Door) -> Answer<Vec<crate::api::TaskInfo>> {
    Ok(Json(sight(&doors.host, |sight| sight.tasks()).await??))
}

async fn problems(State(doors): Door) -> Json<Vec<String>> {
    let definitions = doors.host.definitions();
    let yaml = definitions.problems().map(ToString::to_string);
    let lua = definitions.script_problems.iter().map(ToString::to_string);
    Json(yaml.chain(lua).collect())
}

#[derive(Deserialize)]
struct Only {
    task: Option<TaskName>,
}

async fn next(State(doors): Door, Query(only): Query<Only>) -> Answer<Vec<crate::api::FireInfo>> {
    Ok(Json(sight(&doors.host, move |sight| sight.fires(only.task.as_ref())).await?))
}

async fn going(State(doors): Door) -> Answer<Vec<RunInfo>> {
    Ok(Json(sight(&doors.host, |sight| sight.going()).await?))
}

#[derive(Deserialize)]
struct Of {
    of: String,
}

/// What a selector means, as ids: `[{"id": "k3v9q2xm", "job": "dump", "attempt": 2}]`.
async fn select(State(doors): Door, Query(of): Query<Of>) -> Answer<Vec<serde_json::Value>> {
    let selector: Selector = of.of.parse()?;
    let definitions = doors.host.definitions();
    let tasks: Vec<&str> = definitions.catalog.tasks().map(|task| task.name.as_str()).collect();
    let found = doors.host.look(|live| selector.find(doors.host.history(), live, &tasks))?;
    let json = |Selected { run, job, attempt }: Selected| serde_json::json!({ "id": run.to_string(), "job": job, "attempt": attempt });
    Ok(Json(found.into_iter().map(json).collect()))
}

/// Why a task, a run or a job is not running.
async fn why(State(doors): Door, Query(of): Query<Of>) -> Answer<crate::api::Why> {
    Ok(Json(sight(&doors.host, move |sight| sight.why(&of.of)).await??))
}

#[derive(Deserialize)]
struct Page {
    task: Option<TaskName>,
    status: Option<RunStatus>,
    limit: Option<u32>,
    before: Option<String>,
}

async fn runs(State(doors): Door, Query(page): Query<Page>) -> Answer<Vec<RunInfo>> {
    let before = match page.before {
        Some(id) => Some(doors.host.history().run(parse(&id)?)?.ok_or_else(|| no_run(&id))?.position()),
        None => None,
    };
    let limit = page.limit.unwrap_or(50).clamp(1, 1000);
    let filter = RunFilter { task: page.task, status: page.status, limit, before, ..RunFilter::default() };
    Ok(Json(sight(&doors.host, move |sight| sight.runs(&filter)).await??))
}

fn parse(id: &str) -> Result<RunId, Denial> {
    id.parse().map_err(|error| Denial::new(StatusCode::BAD_REQUEST, error))
}

fn no_run(id: &str) -> Denial {
    Denial::new(StatusCode::NOT_FOUND, format!("there is no run {id}"))
}

async fn run(State(doors): Door, UrlPath(id): UrlPath<String>) -> Answer<RunInfo> {
    found(&doors.host, parse(&id)?).await
}

async fn found(host: &Host, run: RunId) -> Answer<RunInfo> {
    let found = sight(host, move |sight| sight.run(run)).await??;
    found.map(Json).ok_or_else(|| no_run(&run.to_string()))
}

async fn wait(State(doors): Door, UrlPath(id): UrlPath<String>) -> Answer<RunInfo> {
    let run = parse(&id)?;
    doors.host.wait(run).await;
    found(&doors.host, run).await
}

#[derive(Deserialize)]
struct PartOf {
    job: Option<String>,
    attempt: Option<u32>,
    from: Option<u64>,
    /// So much from its end, in the place of `from`.
    last: Option<u64>,
    limit: Option<u64>,
}

/// A part of a log. Whether the attempt is over is asked first: then the end that is found is the end.
async fn log(
    State(doors): Door,
    UrlPath(id): UrlPath<String>,
    Query(of): Query<PartOf>,
) -> Answer<crate::api::LogPart> {
    let Json(run) = found(&doors.host, parse(&id)?).await?;
    let span = match (of.from, of.last) {
        (from, None) => Span::From(from.unwrap_or(0), None),
        (None, Some(last)) => Span::Last(last),
        (Some(_), Some(_)) => {
            return Err(Denial::new(StatusCode::BAD_REQUEST, "either `from` or `last` is meant"));
        }
    };
    let limit = of.limit.or(of.last).unwrap_or(USUAL_PART);
    let read = move || log_part(&run, of.job.as_deref(), of.attempt, span, limit);
    let part = tokio::task::spawn_blocking(read).await;
    Ok(Json(part.map_err(|error| Denial::new(StatusCode::INTERNAL_SERVER_ERROR, error))??))
}

async fn submit(State(doors): Door, Json(mut request): Json<RunRequest>) -> Answer<Submitted> {
    // A run belongs to the host that has it, not to the program that asked over the wire.
    request.bound = false;
    let submitted = doors.host.submit_once(request).await?;
    let Json(run) = found(&doors.host, submitted.run).await?;
    Ok(Json(Submitted { run, is_repeated: !submitted.is_new }))
}

async fn retry(
    State(doors): Door,
    UrlPath(id): UrlPath<String>,
    Json(request): Json<RetryRequest>,
) -> Answer<RunInfo> {
    let by = author(request.by);
    let run = doors.host.retry(parse(&id)?, request.scope, by, request.reason, false).await?;
    found(&doors.host, run).await
}

fn author(by: Option<Author>) -> Author {
    by.unwrap_or_else(|| Author("api".into()))
}

async fn cancel(
    State(doors): Door,
    UrlPath(id): UrlPath<String>,
    Json(cancel): Json<Cancel>,
) -> Answer<RunInfo> {
    let run = parse(&id)?;
    doors.host.cancel(run, author(cancel.by), cancel.reason, cancel.now).await?;
    found(&doors.host, run).await
}

async fn decide(
    State(doors): Door,
    UrlPath(id): UrlPath<String>,
    Json(wish): Json<Decide>,
) -> Answer<RunInfo> {
    let run = parse(&id)?;
    doors.host.decide(run, wish.job.as_deref(), wish.approved, author(wish.by), wish.reason).await?;
    found(&doors.host, run).await
}

async fn prio(State(doors): Door, UrlPath(id): UrlPath<String>, Json(wish): Json<Prio>) -> Answer<RunInfo> {
    let run = parse(&id)?;
    if !(-100..=100).contains(&wish.priority) {
        return Err(Denial::new(StatusCode::BAD_REQUEST, "a priority is a number from -100 to 100"));
    }
    doors.host.prioritise(run, wish.priority, author(wish.by)).await?;
    found(&doors.host, run).await
}

async fn backfill(State(doors): Door, Json(wish): Json<BackfillRequest>) -> Answer<Vec<FilledInfo>> {
    let BackfillRequest { task, from, to, by, reason, dry_run } = wish;
    let wish = Backfill { task, from: from.0, to: to.0, by: author(by), reason, is_dry: dry_run };
    let filled = doors.host.backfill(wish).await?;
    let info = |Filled { key, slot, run }: Filled| {
        let (state, run) = match run {
            Fill::There(run) => ("there", Some(run)),
            Fill::Created(run) => ("created", Some(run)),
            Fill::Missing => ("missing", None),
            Fill::Refused => ("refused", None),
        };
        FilledInfo {
            schedule: key.about().to_owned(),
            slot: Time(slot),
            state: state.to_owned(),
            run: run.map(|run| run.to_string()),
        }
    };
    Ok(Json(filled.into_iter().map(info).collect()))
}

async fn pause(State(doors): Door, UrlPath(id): UrlPath<String>, Json(rest): Json<Rest>) -> Answer<RunInfo> {
    let run = parse(&id)?;
    match rest.job {
        Some(job) => doors.host.pause_job(run, &job, author(rest.by), rest.reason).await?,
        None => doors.host.pause(run, author(rest.by), rest.reason).await?,
    }
    found(&doors.host, run).await
}

async fn resume(State(doors): Door, UrlPath(id): UrlPath<String>, Json(rest): Json<Rest>) -> Answer<RunInfo> {
    let run = parse(&id)?;
    match rest.job {
        Some(job) => doors.host.resume_job(run, &job, author(rest.by)).await?,
        None => doors.host.resume(run, author(rest.by)).await?,
    }
    found(&doors.host, run).await
}

#[derive(Deserialize)]
struct Which {
    task: Option<TaskName>,
    queue: Option<String>,
}

async fn rest(State(doors): Door, Query(which): Query<Which>, Json(wish): Json<Rest>) -> Answer<()> {
    rest_or_wake(&doors.host, which, true, wish).await
}

async fn wake(State(doors): Door, Query(which): Query<Which>, Json(wish): Json<Rest>) -> Answer<()> {
    rest_or_wake(&doors.host, which, false, wish).await
}

async fn rest_or_wake(host: &Host, which: Which, rest: bool, wish: Rest) -> Answer<()> {
    let by = author(wish.by);
    match (which.task, which.queue) {
        (Some(task), None) => Ok(Json(host.rest(task, rest, by, wish.reason).await?)),
        (None, Some(queue)) => Ok(Json(host.rest_queue(queue, rest, by, wish.reason).await?)),
        (Some(_), Some(_)) | (None, None) => {
            Err(Denial::new(StatusCode::BAD_REQUEST, "either `task` or `queue` is meant"))
        }
    }
}

async fn reload(State(doors): Door) -> Json<Vec<String>> {
    doors.host.reload().await;
    problems(State(doors)).await
}

#[derive(Deserialize)]
struct Since {
    /// Only about this run.
    run: Option<String>,
    /// Everything after this place of the journal first.
    after: Option<u64>,
}

/// Everything that happens, as server-sent events: the journal from `after` on, then what comes. The id of an event is
/// its place in the journal, so `Last-Event-ID` goes on where a connection broke.
async fn events(
    State(doors): Door,
    Query(since): Query<Since>,
    headers: axum::http::HeaderMap,
) -> Result<Response, Denial> {
    let run = since.run.as_deref().map(parse).transpose()?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let after = last.or(since.after).map(Seq);
    let (follow, stop) = (Follow::new(doors.host.clone(), run, after), doors.stop.clone());
    let stream = futures_util::stream::unfold((follow, stop), |(mut follow, stop)| async move {
        let happening = stop.run_until_cancelled(follow.next()).await??;
        Some((Ok::<_, Infallible>(sse(&happening)), (follow, stop)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(30))).into_response())
}

fn sse(happening: &Happening) -> SseEvent {
    let event = SseEvent::default().json_data(happening).unwrap_or_default();
    match happening {
        Happening::Event { seq, .. } => event.id(seq.0.to_string()),
        Happening::Progress { .. } | Happening::Reloaded { .. } => event,
    }
}
