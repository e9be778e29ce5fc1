//! What the host wants of the attempts that run: each has one standing order. It may stand still and go on; the order to
//! stop only ever gets stricter.

use crate::base::AttemptId;
use crate::definition::{Signal, Stop};
use std::collections::HashMap;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The standing orders of all attempts of one runner.
#[derive(Default)]
pub(super) struct Orders(Mutex<HashMap<AttemptId, watch::Sender<Order>>>);

/// What one attempt is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Whatever the last host wanted. An attempt that is taken up begins so; whether it is frozen, its shim knows.
    AsItWas,
    /// Go on.
    GoOn,
    /// Stand still, until it is to go on.
    StandStill,
    /// Stop by yourself, until then.
    Stop { signal: Signal, until: Instant },
    /// Be gone.
    Kill,
}

/// The attempt's own view of its standing order.
pub(super) struct Standing(watch::Receiver<Order>);

impl Orders {
    /// Takes an attempt in, under a first order.
    pub(super) fn enter(&self, attempt: AttemptId, first: Order) -> Standing {
        let (sender, standing) = standing(first);
        self.all().insert(attempt, sender);
        standing
    }

    /// Asks an attempt to stop, if it is there.
    pub(super) fn stop(&self, attempt: AttemptId, stop: Stop) {
        if let Some(sender) = self.all().get(&attempt) {
            tighten(sender, Order::stop(stop));
        }
    }

    /// Wants an attempt gone, if it is there.
    pub(super) fn kill(&self, attempt: AttemptId) {
        if let Some(sender) = self.all().get(&attempt) {
            tighten(sender, Order::Kill);
        }
    }

    /// Lets an attempt stand still or go on, if it is there and not being stopped.
    pub(super) fn pause(&self, attempt: AttemptId, stands_still: bool) {
        if let Some(sender) = self.all().get(&attempt) {
            sender.send_if_modified(|order| {
                let next = match *order {
                    Order::AsItWas | Order::GoOn if stands_still => Order::StandStill,
                    Order::AsItWas | Order::StandStill if !stands_still => Order::GoOn,
                    Order::AsItWas | Order::GoOn | Order::StandStill | Order::Stop { .. } | Order::Kill => {
                        return false;
                    }
                };
                *order = next;
                true
            });
        }
    }

    /// Lets go of an attempt that has ended.
    pub(super) fn leave(&self, attempt: AttemptId) {
        self.all().remove(&attempt);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<AttemptId, watch::Sender<Order>>> {
        // Nothing panics while the lock is held, and a map of senders is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A standing order outside any register.
pub(super) fn standing(first: Order) -> (watch::Sender<Order>, Standing) {
    let (sender, receiver) = watch::channel(first);
    (sender, Standing(receiver))
}

/// Replaces an order by a stricter one; a laxer one changes nothing.
pub(super) fn tighten(sender: &watch::Sender<Order>, wanted: Order) {
    sender.send_if_modified(|order| {
        let next = match (*order, wanted) {
            (Order::Kill, _) | (_, Order::AsItWas | Order::GoOn | Order::StandStill) => *order,
            (_, Order::Kill) | (Order::AsItWas | Order::GoOn | Order::StandStill, Order::Stop { .. }) => {
                wanted
            }
            (Order::Stop { signal, until }, Order::Stop { until: other, .. }) => {
                Order::Stop { signal, until: until.min(other) }
            }
        };
        let is_changed = next != *order;
        *order = next;
        is_changed
    });
}

impl Order {
    /// Whether it ends the attempt.
    fn is_end(&self) -> bool {
        match self {
            Order::AsItWas | Order::GoOn | Order::StandStill => false,
            Order::Stop { .. } | Order::Kill => true,
        }
    }

    /// A stop whose grace begins now.
    pub(super) fn stop(stop: Stop) -> Order {
        /// Stands in for a grace so long that the clock cannot hold its end.
        const AGES: Duration = Duration::from_secs(30 * 365 * 86_400);
        let now = Instant::now();
        let until = now.checked_add(stop.grace.to_duration()).unwrap_or(now + AGES);
        Order::Stop { signal: stop.signal, until }
    }
}

impl Standing {
    /// Whether it is to stop.
    pub(super) fn is_asked(&self) -> bool {
        self.0.borrow().is_end()
    }

    /// Waits for another order than this one. `None` when nobody is left who could want anything.
    pub(super) async fn other_than(&mut self, known: Order) -> Option<Order> {
        self.0.wait_for(|order| *order != known).await.map(|order| *order).ok()
    }

    /// Waits until the attempt is to stop, and says with which signal; `None` wants it gone at once.
    pub(super) async fn asked(&mut self) -> Option<Signal> {
        let order = self.0.wait_for(Order::is_end).await.map(|order| *order);
        match order {
            Ok(Order::Stop { signal, .. }) => Some(signal),
            Ok(Order::Kill) => None,
            // Nobody is left who could want anything else.
            Ok(Order::AsItWas | Order::GoOn | Order::StandStill) | Err(_) => pending().await,
        }
    }

    /// Waits until the time to stop by itself is over.
    pub(super) async fn grace_over(&mut self) {
        loop {
            let order = *self.0.borrow_and_update();
            let until = async {
                match order {
                    Order::AsItWas | Order::GoOn | Order::StandStill => pending().await,
                    Order::Stop { until, .. } => tokio::time::sleep_until(until).await,
                    Order::Kill => {}
                }
            };
            let is_over = tokio::select! {
                () = until => true,
                changed = self.0.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => pending().await,
                },
            };
            if is_over {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Millis;

    #[tokio::test]
    async fn an_order_only_gets_stricter() {
        let (sender, standing) = standing(Order::GoOn);
        let until = |ms| Instant::now() + Duration::from_millis(ms);
        let (soon, late) = (until(50_000), until(90_000));
        let stop = |signal, until| Order::Stop { signal, until };
        let hup = Signal(1);
        let steps = [
            (stop(Signal::TERM, late), stop(Signal::TERM, late)),
            (stop(hup, soon), stop(Signal::TERM, soon)),
            (stop(hup, late), stop(Signal::TERM, soon)),
            (Order::GoOn, stop(Signal::TERM, soon)),
            (Order::Kill, Order::Kill),
            (stop(hup, soon), Order::Kill),
        ];
        for (wanted, expected) in steps {
            tighten(&sender, wanted);
            assert_eq!(*standing.0.borrow(), expected, "after {wanted:?}");
        }
    }

    #[tokio::test]
    async fn a_grace_without_end_does_not_overflow() {
        let order = Order::stop(Stop { signal: Signal::TERM, grace: Millis(u64::MAX) });
        assert!(matches!(order, Order::Stop { until, .. } if until > Instant::now()));
    }

    #[tokio::test]
    async fn a_kill_ends_the_grace() {
        let (sender, mut standing) = standing(Order::stop(Stop::default()));
        tighten(&sender, Order::Kill);
        standing.grace_over().await;
        assert_eq!(standing.asked().await, None);
    }
}
