//! A clock that tests turn.

use pupila_search::storage::Clock;
use std::sync::Mutex;
use std::time::Duration;

/// A worker's clock: what it believes the time to be, and how long its process has lived.
#[derive(Debug)]
pub struct Turned {
    us: Mutex<(i64, Duration)>,
    /// Whether a pause turns the clock instead of waiting.
    pub turns_in_pauses: bool,
}

impl Turned {
    /// A clock that is `ahead` seconds fast.
    pub fn new(ahead: i64) -> Turned {
        Turned {
            us: Mutex::new((1_795_965_198_000_000 + ahead * 1_000_000, Duration::ZERO)),
            turns_in_pauses: false,
        }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        let mut us = self.us.lock().unwrap();
        us.0 += time.as_micros() as i64;
        us.1 += time;
    }
}

impl Clock for Turned {
    fn now_us(&self) -> i64 {
        self.us.lock().unwrap().0
    }

    fn elapsed(&self) -> Duration {
        self.us.lock().unwrap().1
    }

    fn sleep(&self, time: Duration) {
        if self.turns_in_pauses { self.pass(time) } else { std::thread::sleep(time) }
    }
}
