//! A tracker on a thread of its own, so that training never waits for it.

use crate::{BoardPosition, Event, Tracker};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Hands events to a tracker that works elsewhere.
///
/// What is recorded here is small and rare next to what a disk takes, so the queue has no bound.
#[derive(Debug)]
pub struct Background {
    name: &'static str,
    queue: Option<Sender<Order>>,
    ended: Receiver<()>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

/// What is asked of the thread.
#[derive(Debug)]
enum Order {
    Record(f64, Arc<Event>),
    /// To say where it stands.
    Position(Sender<BoardPosition>),
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(mut tracker: impl Tracker + Send + 'static) -> io::Result<Self> {
        let (queue, events) = channel::<Order>();
        let (end, ended) = channel();
        let failure: Arc<Mutex<Option<io::Error>>> = Arc::default();
        let (name, theirs) = (tracker.name(), Arc::clone(&failure));
        std::thread::Builder::new().name("tracker".into()).spawn(move || {
            // Dropped with the thread, however it ends.
            let _end: Sender<()> = end;
            for order in events {
                let (time, event) = match order {
                    Order::Record(time, event) => (time, event),
                    Order::Position(to) => {
                        // Whoever has asked may have given up.
                        let _ = tracker.position().map(|position| to.send(position));
                        continue;
                    }
                };
                if let Err(error) = tracker.record(time, &event) {
                    *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        })?;
        Ok(Background { name, queue: Some(queue), ended, failure })
    }

    /// The tracker's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Hands over an event. After a failure of the tracker nothing happens any more.
    pub fn record(&self, time: f64, event: Arc<Event>) {
        if let Some(queue) = &self.queue {
            // The thread has gone: its failure is told by `failure`.
            let _ = queue.send(Order::Record(time, event));
        }
    }

    /// Told where the tracker stands, once all events so far are recorded; hung up where it has none to tell.
    pub fn position(&self) -> Option<Receiver<BoardPosition>> {
        let (to, position) = channel();
        self.queue.as_ref()?.send(Order::Position(to)).ok()?;
        Some(position)
    }

    /// Why the tracker has stopped, told once.
    pub fn failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until all events are recorded, at most so long; false where that was too short.
    pub fn finish(&mut self, patience: Duration) -> bool {
        self.queue = None;
        !matches!(self.ended.recv_timeout(patience), Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// For what is certain to end: a test that hangs has failed anyway.
    const FOREVER: Duration = Duration::MAX;

    /// Records an event for each message on its gate, and fails at a layout.
    struct Gated(Receiver<()>, Arc<AtomicU64>);

    impl Tracker for Gated {
        fn name(&self) -> &'static str {
            "gated"
        }

        fn record(&mut self, _: f64, event: &Event) -> io::Result<()> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.fetch_add(1, Ordering::Relaxed);
            if matches!(event, Event::Layout(_)) { Err(io::Error::other("full")) } else { Ok(()) }
        }
    }

    fn event() -> Arc<Event> {
        Arc::new(Event::Artifact { path: "x".into() })
    }

    #[test]
    fn the_caller_never_waits_but_at_the_end_and_there_only_so_long() {
        let (open, gate) = channel();
        let done = Arc::new(AtomicU64::new(0));
        let mut background = Background::start(Gated(gate, Arc::clone(&done))).unwrap();
        // The tracker is stuck: these would never return if they waited for it.
        (0..3).for_each(|_| background.record(0.0, event()));
        assert!(!background.finish(Duration::ZERO));
        assert_eq!(done.load(Ordering::Relaxed), 0);
        (0..3).for_each(|_| open.send(()).unwrap());
        assert!(background.finish(FOREVER));
        assert_eq!(done.load(Ordering::Relaxed), 3);
        assert!(background.failure().is_none());
    }

    #[test]
    fn a_failure_ends_it_and_is_told_once() {
        let (open, gate) = channel();
        let done = Arc::new(AtomicU64::new(0));
        let mut background = Background::start(Gated(gate, Arc::clone(&done))).unwrap();
        (0..2).for_each(|_| open.send(()).unwrap());
        background.record(0.0, Arc::new(Event::Layout(Vec::new())));
        background.record(0.0, event());
        assert!(background.finish(FOREVER));
        assert_eq!(background.failure().unwrap().to_string(), "full");
        assert!(background.failure().is_none());
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }
}
