//! One call of a script as a future that counts what it uses and ends it when that is too much.
//!
//! It also keeps the peace on its thread: a script that wakes itself lets the timers and the other scripts have a turn first.
//! Without that a few busy scripts delay every timer of the thread by half a second.

use super::interrupt::Slot;
use super::limits::Budget;
use super::watchdog::{Allowance, CallId, Stop, ThreadTime, Watchdog, WorkerId};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Who runs the script: what the watchdog has to know about this thread.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) watchdog: Arc<Watchdog>,
    pub(super) worker: WorkerId,
    pub(super) thread: ThreadTime,
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A script being run within a budget.
pub(super) struct Metered<'a, T> {
    /// `None` once it was stopped: a stopped script is dropped on the spot.
    script: Option<Boxed<'a, T>>,
    runner: Runner,
    slot: Slot,
    call: CallId,
    cpu_left: Duration,
    wall: Pin<Box<Sleep>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    gate: Arc<Gate>,
    breath: Option<Boxed<'a, ()>>,
}

impl<'a, T> Metered<'a, T> {
    /// Runs `script` in the VM of `slot`, until `stop` is cancelled.
    pub(super) fn new(
        runner: &Runner,
        slot: Slot,
        call: CallId,
        budget: Budget,
        stop: &CancellationToken,
        script: impl Future<Output = T> + 'a,
    ) -> Metered<'a, T> {
        Metered {
            script: Some(Box::pin(script)),
            runner: runner.clone(),
            slot,
            call,
            cpu_left: budget.cpu.to_duration(),
            wall: Box::pin(tokio::time::sleep(budget.wall.to_duration())),
            stop: Box::pin(stop.clone().cancelled_owned()),
            gate: Arc::new(Gate::default()),
            breath: None,
        }
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Stop>> {
        let Some(script) = &mut self.script else { return Poll::Pending };
        let wall_at = self.wall.deadline().into_std();
        let allowance = Allowance { call: self.call, slot: self.slot, cpu: self.cpu_left, wall_at };
        self.runner.watchdog.begin(self.runner.worker, self.runner.thread, allowance);
        let polled = self.gate.poll(script.as_mut(), cx);
        let (used, stop) = self.runner.watchdog.end(self.runner.worker, self.slot);
        self.cpu_left = self.cpu_left.saturating_sub(used);
        match (stop, polled) {
            (Some(why), _) => self.stopped(why),
            (None, Poll::Ready(value)) => Poll::Ready(Ok(value)),
            (None, Poll::Pending) => Poll::Pending,
        }
    }

    fn stopped(&mut self, why: Stop) -> Poll<Result<T, Stop>> {
        self.script = None;
        Poll::Ready(Err(why))
    }

    /// Whether the script still has to let others have their turn.
    fn is_resting(&mut self, cx: &mut Context<'_>) -> bool {
        let is_resting = self.breath.as_mut().is_some_and(|breath| breath.as_mut().poll(cx).is_pending());
        if !is_resting {
            self.breath = None;
        }
        is_resting
    }

    fn rest(&mut self, cx: &mut Context<'_>) {
        let mut breath: Boxed<'a, ()> = Box::pin(tokio::task::yield_now());
        match breath.as_mut().poll(cx) {
            Poll::Pending => self.breath = Some(breath),
            Poll::Ready(()) => cx.waker().wake_by_ref(),
        }
    }
}

impl<T> Future for Metered<'_, T> {
    type Output = Result<T, Stop>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Stop>> {
        let this = &mut *self;
        if this.stop.as_mut().poll(cx).is_ready() {
            return this.stopped(Stop::Asked);
        }
        if this.wall.as_mut().poll(cx).is_ready() {
            return this.stopped(Stop::Wall);
        }
        if this.is_resting(cx) {
            return Poll::Pending;
        }
        let polled = this.run(cx);
        if polled.is_pending() && this.gate.woken.swap(false, Ordering::AcqRel) {
            this.rest(cx);
        }
        polled
    }
}

/// A waker that remembers a wake-up which happens during the poll itself instead of passing it on.
#[derive(Default)]
struct Gate {
    is_polling: AtomicBool,
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Gate {
    fn poll<T>(
        self: &Arc<Gate>,
        script: Pin<&mut (dyn Future<Output = T> + '_)>,
        cx: &Context<'_>,
    ) -> Poll<T> {
        *self.outer.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.woken.store(false, Ordering::SeqCst);
        self.is_polling.store(true, Ordering::SeqCst);
        let waker: Waker = self.clone().into();
        let polled = script.poll(&mut Context::from_waker(&waker));
        self.is_polling.store(false, Ordering::SeqCst);
        polled
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Gate>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Gate>) {
        // Noted first and looked at after the poll: a wake-up from another thread is never lost between the two.
        self.woken.store(true, Ordering::SeqCst);
        if !self.is_polling.load(Ordering::SeqCst)
            && let Some(outer) = self.outer.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
        {
            outer.wake_by_ref();
        }
    }
}
