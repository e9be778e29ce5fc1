//! The host's clock and its one alarm. Everything above is told the time; only this reads it.

use crate::base::{Millis, Moment};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time that never goes back: when the system's clock is set back, it goes on at the pace of the monotonic
/// clock, so it stays ahead by as much for as long as the host is up; when the system's clock is set forward beyond it (or
/// the machine slept), it follows at once.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<Reading>);

#[derive(Debug)]
struct Reading {
    moment: Moment,
    taken: Instant,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock(Mutex::new(Reading { moment: wall_clock(), taken: Instant::now() }))
    }

    /// The time now.
    pub(crate) fn now(&self) -> Moment {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let taken = Instant::now();
        let paced = last.moment + Millis(taken.duration_since(last.taken).as_millis() as u64);
        let moment = wall_clock();
        if moment >= last.moment {
            // Rounding to milliseconds would lose a little at each reading, so the system's clock is preferred.
            *last = Reading { moment, taken };
            return moment;
        }
        if paced > last.moment {
            *last = Reading { moment: paced, taken };
        }
        last.moment
    }

    /// What the system's clock will show at a moment of ours: another time when it was set back.
    fn on_the_wall(&self, moment: Moment) -> Moment {
        let ahead = self.now() - wall_clock();
        // A reading of ours was rounded down; the alarm rings in time or a little late.
        if ahead > Millis(0) { moment - ahead + Millis(1) } else { moment }
    }
}

/// Reads the system's clock as it is, also when it was set back; zero before the epoch. What is decided by a host goes
/// by the host's own clock, which does not go back.
pub fn wall_clock() -> Moment {
    Moment(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

/// Waits for one moment, and wakes when the system's clock is changed meanwhile.
#[derive(Debug)]
pub(crate) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
}

impl Alarm {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new() -> Alarm {
        Alarm {
            #[cfg(target_os = "linux")]
            timer: timerfd(),
        }
    }

    /// Returns at `deadline`, never before it, or when the clock was set; without a deadline it waits for ever.
    pub(crate) async fn wait(&self, clock: &Clock, deadline: Option<Moment>) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        #[cfg(target_os = "linux")]
        if let Some(timer) = &self.timer
            && rest(timer, clock.on_the_wall(deadline)).await
        {
            return;
        }
        tokio::time::sleep((deadline - clock.now()).to_duration() + Duration::from_micros(500)).await;
    }
}

/// Whether the system wakes a host when its clock is set; without that it looks again when it thinks it is time. Must be
/// called inside a tokio runtime.
#[cfg(feature = "cli")]
pub(crate) fn has_alarm() -> bool {
    #[cfg(target_os = "linux")]
    return timerfd().is_some();
    #[cfg(not(target_os = "linux"))]
    false
}

/// A timer on the wall clock: it also counts the time that the machine sleeps.
#[cfg(target_os = "linux")]
fn timerfd() -> Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    let timer =
        timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC).ok()?;
    // SAFETY: the descriptor is owned by what is returned, so it stays open and the same for as long as that lives.
    unsafe { tokio::io::unix::AsyncFd::register(timer) }.ok()
}

/// Sets the timer and waits for it; `false` when the system would not set it.
#[cfg(target_os = "linux")]
async fn rest(timer: &tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>, deadline: Moment) -> bool {
    use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
    let at =
        Timespec { tv_sec: (deadline.0 / 1000) as i64, tv_nsec: ((deadline.0 % 1000) * 1_000_000) as i64 };
    // A zero would disarm it; one nanosecond after the epoch is in the past all the same.
    let at = if at.tv_sec == 0 && at.tv_nsec == 0 { Timespec { tv_sec: 0, tv_nsec: 1 } } else { at };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    if timerfd_settime(timer.get_ref(), flags, &once).is_err() {
        return false;
    }
    // Reading answers ECANCELED when the clock was set; either way it is time to look.
    let Ok(mut ready) = timer.readable().await else { return false };
    let _ = ready.try_io(|timer| rustix::io::read(timer.get_ref(), &mut [0u8; 8]).map_err(Into::into));
    ready.clear_ready();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_alarm_rings_at_its_moment_and_not_before() {
        let (clock, alarm) = (Clock::new(), Alarm::new());
        for wait in [0, 1, 30] {
            let deadline = clock.now() + Millis(wait);
            alarm.wait(&clock, Some(deadline)).await;
            assert!(clock.now() >= deadline);
            assert!(clock.now() - deadline < Millis(2_000), "it overslept");
        }
        let past = Moment(1);
        alarm.wait(&clock, Some(past)).await;
    }

    /// Its timer knows only the system's clock, which would show the deadline an hour too late.
    #[tokio::test]
    async fn the_alarm_rings_in_time_when_the_clock_was_set_back() {
        let (clock, alarm) = (Clock::new(), Alarm::new());
        clock.0.lock().unwrap().moment = wall_clock() + Millis(3_600_000);
        let deadline = clock.now() + Millis(30);
        let rings = alarm.wait(&clock, Some(deadline));
        tokio::time::timeout(Duration::from_secs(20), rings).await.expect("the alarm slept on");
        assert!(clock.now() >= deadline);
    }

    #[test]
    fn time_never_goes_back() {
        let clock = Clock::new();
        clock.0.lock().unwrap().moment = wall_clock() + Millis(50_000); // as if the system's clock had been set back
        let first = clock.now();
        std::thread::sleep(Duration::from_millis(5)); // the passing of time is what is tested
        let second = clock.now();
        assert!(second > first && second - first < Millis(40_000), "{first:?} {second:?}");
    }
}
