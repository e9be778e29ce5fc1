//! One thread with its machines: it takes jobs, runs each as a task of its own, and answers through the ledger.
//!
//! Everything Lua stays on this thread. It knows nothing about files, generations to come, or other threads.

use super::api::Clock;
use super::call::{Call, Stage};
use super::context::{Context, Notes};
use super::error::{ErrorKind, ScriptError};
use super::evaluate::{Batch, Evaluator};
use super::fault::Scene;
use super::generation::{Generation, Pin};
use super::hook::Hook;
use super::instance::{Instance, read_manifest};
use super::ledger::{Answer, Ledger};
use super::limits::{Budget, Limits};
use super::metered::{Metered, Runner};
use super::value::{Access, from_lua, to_lua};
use super::vm::{Raised, Vm};
use super::watchdog::{CallId, Stop};
use crate::base::{AttemptId, Millis};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Something to do on this thread.
pub(super) struct Job {
    pub(super) id: CallId,
    pub(super) scene: Scene,
    /// Cancelled when nobody waits for the answer any more.
    pub(super) stop: CancellationToken,
    pub(super) task: Task,
}

/// What to do.
pub(super) enum Task {
    /// Run the top level of a hook file and look at what it returns.
    Load,
    /// Call a function once for each event; a single event is a batch of one.
    Hook { hook: Hook, pin: Arc<Pin>, context: Arc<Context>, events: Vec<Json>, notes: Notes },
    /// Run a body in a machine of its own.
    Body { context: Arc<Context>, notes: Notes, cancel: CancellationToken },
    /// Evaluate expressions.
    Evaluate(Batch),
}

/// What a thread is made of.
pub(super) struct Worker {
    pub(super) runner: Runner,
    pub(super) ledger: Arc<Ledger>,
    pub(super) limits: Arc<Limits>,
    pub(super) clock: Clock,
    pub(super) rooms: RefCell<HashMap<u64, Rc<Room>>>,
    pub(super) evaluator: Evaluator,
}

/// A machine and the attempts that use it.
pub(super) struct Room {
    generation: Weak<Generation>,
    vm: Vm,
    seats: RefCell<HashMap<AttemptId, Rc<Seat>>>,
}

/// One attempt's place in a machine. Its hooks run one after the other, in the order in which they were called.
struct Seat {
    pin: Weak<Pin>,
    turn: Semaphore,
    instance: RefCell<Option<Rc<Instance>>>,
}

impl Worker {
    /// Runs jobs until every handle on the pool is gone or this thread is given up.
    pub(super) async fn run(self: Rc<Worker>, mut jobs: mpsc::Receiver<Job>, sweep: Arc<Notify>) {
        let mut running: JoinSet<Option<Stop>> = JoinSet::new();
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => { running.spawn_local(self.clone().serve(job)); }
                    None => return,
                },
                () = sweep.notified() => self.sweep(),
                Some(ended) = running.join_next() => if matches!(ended, Ok(Some(Stop::Abandoned))) { return },
            }
        }
    }

    /// Drops machines and instances that nobody can ask for any more.
    fn sweep(&self) {
        self.rooms.borrow_mut().retain(|_, room| {
            room.seats.borrow_mut().retain(|_, seat| seat.pin.strong_count() > 0);
            room.generation.strong_count() > 0 || !room.seats.borrow().is_empty()
        });
    }

    async fn serve(self: Rc<Worker>, job: Job) -> Option<Stop> {
        let guard = AnswerGuard { ledger: self.ledger.clone(), job: job.id, scene: job.scene.clone() };
        let failed = |error: mlua::Error| Failure::Error(job.scene.machine(&error, ""));
        let outcome = match &job.task {
            Task::Load => match self.room(&job.scene.generation) {
                Ok(room) => self.load(&job, &room).await,
                Err(error) => Err(failed(error)),
            },
            Task::Hook { hook, pin, context, events, notes } => match self.room(&job.scene.generation) {
                Ok(room) => self.hook(&job, &room, *hook, pin, context, events, notes).await,
                Err(error) => Err(failed(error)),
            },
            Task::Body { context, notes, cancel } => match self.machine(&job.scene.generation) {
                Ok(vm) => self.body(&job, &vm, context, notes, cancel).await,
                Err(error) => Err(failed(error)),
            },
            Task::Evaluate(batch) => self.evaluate(&job, batch).await,
        };
        let (answer, stop) = match outcome {
            Ok(value) => (Ok(value), None),
            Err(Failure::Error(error)) => (Err(error), None),
            Err(Failure::Stopped(stop, error)) => (Err(error), Some(stop)),
        };
        guard.answer(answer);
        stop
    }

    fn machine(&self, generation: &Arc<Generation>) -> mlua::Result<Vm> {
        Vm::new(generation, self.limits.memory, &self.clock)
    }

    fn room(&self, generation: &Arc<Generation>) -> mlua::Result<Rc<Room>> {
        if let Some(room) = self.rooms.borrow().get(&generation.number) {
            return Ok(room.clone());
        }
        let vm = self.machine(generation)?;
        let room = Rc::new(Room { generation: Arc::downgrade(generation), vm, seats: RefCell::default() });
        self.rooms.borrow_mut().insert(generation.number, room.clone());
        Ok(room)
    }

    async fn load(&self, job: &Job, room: &Room) -> Result<Json, Failure> {
        let returned = self.top_level(job, &room.vm).await?.1;
        let generation = &job.scene.generation;
        let manifest = read_manifest(&room.vm.lua, &returned, &generation.main).map_err(|problem| {
            Failure::Error(problem.placed(job.scene.error(ErrorKind::Load, ""), &generation.main))
        })?;
        generation.describe(manifest);
        Ok(Json::Null)
    }

    /// Runs the top level of the file in a fresh environment.
    async fn top_level(&self, job: &Job, vm: &Vm) -> Result<(mlua::Table, mlua::Value), Failure> {
        let scene = job.scene.loading();
        let call = Call::new(Stage::Loading, None, job.stop.clone());
        let prepare = || {
            let env = vm.environment()?;
            Ok((vm.chunk(&scene.generation.main, &env)?, env))
        };
        let (chunk, env) = prepare().map_err(|error| Failure::Error(scene.machine(&error, "")))?;
        let returned = self.metered(job, vm, &scene, self.limits.load, vm.invoke(&call, &chunk, ())).await?;
        Ok((env, returned))
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of one variant")]
    async fn hook(
        &self,
        job: &Job,
        room: &Room,
        hook: Hook,
        pin: &Arc<Pin>,
        context: &Context,
        events: &[Json],
        notes: &Notes,
    ) -> Result<Json, Failure> {
        let seat = room.seat(pin);
        let _turn = seat.turn.acquire().await.expect("the semaphore of a seat is never closed");
        let outcome = self.hook_in_turn(job, room, &seat, hook, context, events, notes).await;
        if let Err(Failure::Error(error) | Failure::Stopped(_, error)) = &outcome {
            if error.kind() == ErrorKind::Memory {
                // What the attempt holds is the likely cause, and the machine is shared: begin anew with the next call.
                seat.instance.take();
                let _ = room.vm.lua.gc_collect();
            }
            if error.kind().is_budget() {
                job.scene.generation.note_stop(hook, (self.clock)());
            }
        }
        outcome
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of one variant")]
    async fn hook_in_turn(
        &self,
        job: &Job,
        room: &Room,
        seat: &Seat,
        hook: Hook,
        context: &Context,
        events: &[Json],
        notes: &Notes,
    ) -> Result<Json, Failure> {
        let instance = self.instance(job, room, seat, context).await?;
        let Some(function) = instance.function(hook) else { return Ok(Json::Array(Vec::new())) };
        let call = Call::new(Stage::Hook(hook), Some(notes.clone()), job.stop.clone());
        let vm = &room.vm;
        let batch = async {
            let mut decisions = Vec::new();
            for event in events {
                let event = to_lua(&vm.lua, event, Access::Frozen)?;
                let returned = vm.invoke(&call, function, (&instance.context, event)).await?;
                if !returned.is_nil() {
                    decisions.push(returned);
                }
            }
            Ok(decisions)
        };
        let decisions = self.metered(job, vm, &job.scene, self.limits.budget(hook), batch).await;
        call.finish();
        let decisions = decisions?.into_iter().map(|value| self.json(job, vm, &value));
        decisions.collect::<Result<Vec<_>, _>>().map(Json::Array)
    }

    async fn instance(
        &self,
        job: &Job,
        room: &Room,
        seat: &Seat,
        context: &Context,
    ) -> Result<Rc<Instance>, Failure> {
        if let Some(instance) = &*seat.instance.borrow() {
            return Ok(instance.clone());
        }
        let returned = self.top_level(job, &room.vm).await?.1;
        let made = room.vm.context(context).and_then(|context| Instance::new(&returned, context));
        let instance = Rc::new(made.map_err(|error| Failure::Error(job.scene.machine(&error, "")))?);
        seat.instance.replace(Some(instance.clone()));
        Ok(instance)
    }

    async fn body(
        &self,
        job: &Job,
        vm: &Vm,
        context: &Context,
        notes: &Notes,
        cancel: &CancellationToken,
    ) -> Result<Json, Failure> {
        let call = Call::new(Stage::Body, Some(notes.clone()), cancel.clone());
        let prepare = || {
            let (env, ctx) = (vm.environment()?, vm.context(context)?);
            env.raw_set("ctx", &ctx)?;
            Ok((vm.chunk(&job.scene.generation.main, &env)?, ctx))
        };
        let (chunk, ctx) = prepare().map_err(|error| Failure::Error(job.scene.machine(&error, "")))?;
        let script = async {
            match vm.invoke(&call, &chunk, ()).await? {
                mlua::Value::Function(body) => vm.invoke(&call, &body, &ctx).await,
                other => Ok(other),
            }
        };
        let budget = Budget { cpu: self.limits.body_cpu, wall: FOREVER };
        let returned = self.metered(job, vm, &job.scene, budget, script).await;
        call.finish();
        self.json(job, vm, &returned?)
    }

    fn json(&self, job: &Job, vm: &Vm, value: &mlua::Value) -> Result<Json, Failure> {
        from_lua(&vm.lua, value).map_err(|unfit| {
            Failure::Error(job.scene.error(ErrorKind::Hook, format!("the returned value {unfit}")))
        })
    }

    pub(super) async fn metered<T>(
        &self,
        job: &Job,
        vm: &Vm,
        scene: &Scene,
        budget: Budget,
        script: impl Future<Output = Result<T, Raised>>,
    ) -> Result<T, Failure> {
        let metered = Metered::new(&self.runner, vm.slot(), job.id, budget, &job.stop, script);
        match metered.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(raised)) => Err(Failure::Error(scene.raised(vm, raised))),
            Err(stop) => {
                let place = vm.safepoint().take_place();
                Err(Failure::Stopped(stop, scene.stopped(stop, budget, place)))
            }
        }
    }
}

/// The time a body may take is the business of its task's timeout.
const FOREVER: Millis = Millis::from_secs(10 * 365 * 86_400);

impl Room {
    fn seat(&self, pin: &Arc<Pin>) -> Rc<Seat> {
        let new = || {
            Rc::new(Seat { pin: Arc::downgrade(pin), turn: Semaphore::new(1), instance: RefCell::default() })
        };
        self.seats.borrow_mut().entry(pin.attempt).or_insert_with(new).clone()
    }
}

/// Why a job has no value.
pub(super) enum Failure {
    Error(ScriptError),
    Stopped(Stop, ScriptError),
}

/// Answers even when the job is dropped half-way: nobody may wait for ever.
struct AnswerGuard {
    ledger: Arc<Ledger>,
    job: CallId,
    scene: Scene,
}

impl AnswerGuard {
    fn answer(self, answer: Answer) {
        self.ledger.answer(self.job, answer);
    }
}

impl Drop for AnswerGuard {
    fn drop(&mut self) {
        // Finds nothing after an ordinary answer.
        self.ledger
            .answer(self.job, Err(self.scene.error(ErrorKind::Host, "the call was dropped by its thread")));
    }
}
