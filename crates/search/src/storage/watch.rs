//! Whether the worker of a running trial is gone.
//!
//! Clocks of machines differ, so the time in a heartbeat says little. What a process can tell is for how long it has itself seen nothing new of
//! a trial. A process that looks only for a short time would find nobody gone in this way, so a heartbeat that is older by its own time than
//! clocks differ counts too.

use super::{STALE_S, clock::Clock};
use std::collections::HashMap;
use std::time::Duration;

/// By how much the clocks of two workers may differ, in seconds.
pub const SKEW_S: u64 = 600;

/// What a process has seen of the running trials, by their ids.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: HashMap<i64, Seen>,
}

/// What was seen of a trial.
#[derive(Debug)]
struct Seen {
    sign: [i64; 2],
    /// When that was new.
    since: Duration,
    /// Whether there was ever another one: then its worker lives, whatever its clock says, until it is silent.
    has_changed: bool,
}

impl Watch {
    /// Looks at a running trial. `sign` is another one after each sign of life; `age_us` is how long ago its last heartbeat was by the time in
    /// it. Says whether its worker is gone.
    pub(super) fn is_gone(&mut self, trial: i64, sign: [i64; 2], age_us: i64, clock: &dyn Clock) -> bool {
        let now = clock.elapsed();
        let seen = self.seen.entry(trial).or_insert(Seen { sign, since: now, has_changed: false });
        if seen.sign != sign {
            *seen = Seen { sign, since: now, has_changed: true };
        }
        let silent = now.saturating_sub(seen.since) > Duration::from_secs(STALE_S);
        silent || !seen.has_changed && age_us > ((STALE_S + SKEW_S) * 1_000_000) as i64
    }

    /// Forgets the trials that run no more.
    pub(super) fn keep(&mut self, running: impl Fn(i64) -> bool) {
        self.seen.retain(|&trial, _| running(trial));
    }
}
