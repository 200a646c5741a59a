//! How much memory all decoding of the process may hold at once. Who needs more waits: only fixed limits refuse a picture, so that
//! what is refused never depends on the machine or on what else it does.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Smaller needs are not counted: a thread has one of them at a time.
const COUNTED: u64 = 1 << 20;

/// Bytes that may be held at once.
pub struct Budget {
    bytes: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    held: u64,
    holders: usize,
    /// The number of the next who comes, and of the next who gets something: in the order in which they came, so that who needs much
    /// is not passed over for ever.
    next: u64,
    served: u64,
}

/// Bytes of a [`Budget`], given back when this is dropped.
pub struct Held<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    /// A budget of so many bytes.
    pub const fn new(bytes: u64) -> Budget {
        let state = State { held: 0, holders: 0, next: 0, served: 0 };
        Budget { bytes, state: Mutex::new(state), freed: Condvar::new() }
    }

    /// Waits until `bytes` more may be held. What is more than the whole budget has it to itself, so that every wait ends: who holds
    /// a share must not wait for another one of the same budget.
    pub fn hold(&self, bytes: u64) -> Held<'_> {
        if bytes < COUNTED {
            return Held { budget: self, bytes: 0 };
        }
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        while state.served < number || (state.holders > 0 && state.held.saturating_add(bytes) > self.bytes) {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.served += 1;
        state.holders += 1;
        state.held += bytes;
        drop(state);
        // Whoever comes after may fit beside.
        self.freed.notify_all();
        Held { budget: self, bytes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A number is whole, whatever happened to another holder.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let mut state = self.budget.state();
            state.held -= self.bytes;
            state.holders -= 1;
            drop(state);
            self.budget.freed.notify_all();
        }
    }
}

/// The budget of decoded pictures: 256 MiB, and 128 MiB for each processor, so that all of them have a camera's picture at work.
pub(crate) fn pictures() -> &'static Budget {
    static PICTURES: OnceLock<Budget> = OnceLock::new();
    PICTURES.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Budget::new((256 << 20) + processors as u64 * (128 << 20))
    })
}

/// What the decoding of one picture holds of [`pictures`].
#[derive(Default)]
pub(crate) struct Memory(Option<Held<'static>>);

impl Memory {
    /// Waits for `bytes`, which a picture takes at most while it is decoded, and for as many more: turning it or giving it other
    /// channels makes a second one. In the place of what was held for it before.
    ///
    /// # Errors
    /// Where the system does not give `bytes` now. An allocation that fails later ends the process without a name; that can still
    /// happen where something else takes the memory meanwhile.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<(), crate::DecodeError> {
        self.0 = None;
        if bytes >= COUNTED {
            self.0 = Some(pictures().hold(bytes.saturating_mul(2)));
            let fits = |bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
            if !usize::try_from(bytes).is_ok_and(fits) {
                return Err(crate::DecodeError::Memory { bytes });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// Returns once so many are waiting.
    fn until_waiting(budget: &Budget, count: u64) {
        let waiting = || {
            let state = budget.state();
            state.next - state.served
        };
        while waiting() < count {
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_needs_more_than_is_left_waits_for_it() {
        let budget = Budget::new(10 * MIB);
        let (first, second) = (budget.hold(6 * MIB), budget.hold(4 * MIB));
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let third = budget.hold(5 * MIB);
                send.send(budget.state().held).unwrap();
                drop(third);
            });
            until_waiting(&budget, 1);
            assert!(receive.try_recv().is_err());
            // 4 MiB are not enough for it.
            drop(second);
            until_waiting(&budget, 1);
            assert!(receive.try_recv().is_err());
            drop(first);
            assert_eq!(receive.recv(), Ok(5 * MIB));
        });
        let state = budget.state();
        assert_eq!((state.held, state.holders), (0, 0));
    }

    #[test]
    fn what_is_more_than_all_comes_alone() {
        let budget = Budget::new(10 * MIB);
        let small = budget.hold(MIB);
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let huge = budget.hold(50 * MIB);
                send.send(budget.state().holders).unwrap();
                drop(huge);
            });
            until_waiting(&budget, 1);
            assert!(receive.try_recv().is_err());
            drop(small);
            assert_eq!(receive.recv(), Ok(1));
        });
    }

    #[test]
    fn who_comes_first_is_served_first() {
        let budget = Budget::new(10 * MIB);
        let first = budget.hold(6 * MIB);
        let (send, receive) = mpsc::channel();
        let (large, small) = (send.clone(), send);
        std::thread::scope(|scope| {
            let budget = &budget;
            scope.spawn(move || {
                let _held = budget.hold(10 * MIB);
                large.send("large").unwrap();
            });
            until_waiting(budget, 1);
            // It would fit, but came later.
            scope.spawn(move || {
                let _held = budget.hold(MIB);
                small.send("small").unwrap();
            });
            until_waiting(budget, 2);
            assert!(receive.try_recv().is_err());
            drop(first);
            assert_eq!((receive.recv(), receive.recv()), (Ok("large"), Ok("small")));
        });
    }

    #[test]
    fn small_needs_are_free() {
        let budget = Budget::new(MIB);
        let _all = budget.hold(MIB);
        let _none = budget.hold(COUNTED - 1);
        assert_eq!(budget.state().held, MIB);
    }

    #[test]
    fn memory_that_the_system_does_not_have_is_an_error() {
        let error = Memory::default().hold(u64::MAX / 4).unwrap_err();
        assert!(matches!(error, crate::DecodeError::Memory { .. }));
    }
}
