//! When a run's state is kept, and the thread that writes it.
//!
//! In: the loop's state at a step's boundary, where it is due. Out: files in the run folder's `checkpoints`, and what could not be written. The
//! loop waits for the copy of its state alone; the thread turns it into a file. Nothing that a run leaves depends on when that was.

use pupila_backend::OptimizerState;
use pupila_run::{CheckpointError, CheckpointFile, CheckpointFolder, RunFolder, SystemDisk};
use pupila_train::{
    Checkpoint, CheckpointConfig, CheckpointOf, Looks, LoopState, RecordPositions, TrackingState,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time since a run began, all its parts together.
pub(crate) type Clock = Box<dyn Fn() -> Duration + Send>;

/// A file that could not be written, and why.
type Failure = (PathBuf, io::Error);

/// Before this share of the time to the first checkpoint the memory for it is not asked for: most runs end sooner.
const PREPARED_FRAC: f64 = 0.9;

/// Values of a network, and how many copies of them a state holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateSize {
    pub(crate) values: usize,
    pub(crate) moments: usize,
    pub(crate) has_average: bool,
}

/// What is asked of the thread.
enum Order {
    /// Memory for a state, of which the system has given every page: otherwise training would wait for that.
    Prepare(StateSize),
    Write(Box<Job>),
}

/// What is to be written.
struct Job {
    checkpoint: Checkpoint,
    positions: RecordPositions,
    /// How many stay.
    keep: usize,
}

/// Keeps the states of a run.
pub(crate) struct Checkpoints {
    config: CheckpointConfig,
    folder: CheckpointFolder,
    of: CheckpointOf,
    clock: Clock,
    /// When the last one was taken.
    last: Duration,
    /// Batches since then.
    batches: u64,
    thread: Option<Thread>,
    /// Whether the thread has one that it has not written yet.
    busy: bool,
    /// Whether it was told that they cannot be written, and none was since.
    is_told: bool,
    failures: Vec<Failure>,
    /// The memory of the last one: that of a large network takes longer to be had from the system than to be copied to.
    spare: Option<LoopState>,
    /// How large a state is, until memory was asked for.
    size: Option<StateSize>,
}

struct Thread {
    jobs: Sender<Order>,
    /// What became of a checkpoint, if one was written, and memory for the next.
    done: Receiver<(Option<Result<u64, Failure>>, LoopState)>,
    handle: JoinHandle<()>,
}

impl Checkpoints {
    pub(crate) fn new(config: &CheckpointConfig, run: &RunFolder, of: CheckpointOf, clock: Clock) -> Self {
        let last = clock();
        Checkpoints {
            config: config.clone(),
            folder: CheckpointFolder::of(run.path()),
            of,
            clock,
            last,
            batches: 0,
            thread: None,
            busy: false,
            is_told: false,
            failures: Vec::new(),
            spare: None,
            size: None,
        }
    }

    /// Of how many values the states will be.
    pub(crate) fn expect(&mut self, size: StateSize) {
        self.size = Some(size);
    }

    /// Asks for memory before the first state is to be kept by the clock.
    fn prepare(&mut self, waited_s: f64, interval_s: f64) {
        if waited_s < PREPARED_FRAC * interval_s || waited_s >= interval_s {
            return;
        }
        if let Some(size) = self.size.take()
            && self.start()
            && let Some(thread) = &self.thread
        {
            self.busy = thread.jobs.send(Order::Prepare(size)).is_ok();
        }
    }

    /// Whether the thread is there, started if need be.
    fn start(&mut self) -> bool {
        if self.thread.is_none() {
            match Thread::start(self.folder.clone()) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => self.failures.push((self.folder.path().to_owned(), error)),
            }
        }
        self.thread.is_some()
    }

    /// A batch has been learnt from.
    pub(crate) fn step(&mut self) {
        self.batches += 1;
    }

    /// Where a state is to be copied to, if one is to be kept now.
    pub(crate) fn due(&mut self) -> Option<LoopState> {
        self.is_due().then(|| self.spare.take().unwrap_or_default())
    }

    /// Whether one is to be taken now. By the clock never while the one before is still being written: the loop waits for no disk. By steps it is
    /// waited for, so that which there are depends on nothing but the steps.
    fn is_due(&mut self) -> bool {
        self.hear(false);
        let CheckpointConfig { minutes, steps, keep, .. } = self.config;
        if keep == 0 {
            return false;
        }
        if steps > 0 && self.batches >= steps {
            self.wait();
            return true;
        }
        if minutes <= 0.0 || self.busy {
            return false;
        }
        let (waited_s, interval_s) = (((self.clock)() - self.last).as_secs_f64(), 60.0 * minutes);
        self.prepare(waited_s, interval_s);
        !self.busy && waited_s >= interval_s
    }

    /// Hands a state to the thread. `alone`: the older ones go.
    pub(crate) fn keep(
        &mut self,
        alone: bool,
        state: LoopState,
        tracking: TrackingState,
        positions: RecordPositions,
        looks: Looks,
    ) {
        let elapsed = (self.clock)();
        (self.last, self.batches) = (elapsed, 0);
        // Where the record cannot be written there is nothing to go on with.
        let Some(metrics_bytes) = positions.metrics_bytes.filter(|_| self.config.keep > 0) else {
            self.spare = Some(state);
            return;
        };
        let checkpoint =
            Checkpoint { of: self.of.clone(), state, tracking, metrics_bytes, board: None, looks, elapsed };
        let job = Job { checkpoint, positions, keep: if alone { 1 } else { self.config.keep } };
        self.size = None;
        self.start();
        self.busy =
            self.thread.as_ref().is_some_and(|thread| thread.jobs.send(Order::Write(Box::new(job))).is_ok());
    }

    /// Waits until what was handed over is on the disk.
    pub(crate) fn wait(&mut self) {
        while self.busy {
            self.hear(true);
        }
    }

    fn hear(&mut self, wait: bool) {
        let Some(thread) = self.thread.as_ref().filter(|_| self.busy) else { return };
        let heard = match wait {
            // A thread that is gone says nothing any more.
            true => thread.done.recv().ok().or_else(|| Some((Some(Err(self.gone())), LoopState::default()))),
            false => thread.done.try_recv().ok(),
        };
        let heard = heard.map(|(written, state)| {
            self.spare = Some(state);
            written
        });
        match heard {
            Some(None) => self.busy = false,
            Some(Some(Ok(_))) => (self.busy, self.is_told) = (false, false),
            Some(Some(Err(failure))) => {
                self.busy = false;
                self.failures.push(failure);
            }
            None => {}
        }
    }

    fn gone(&self) -> Failure {
        (self.folder.path().to_owned(), io::Error::other("the thread that writes checkpoints is gone"))
    }

    /// What could not be written since it was last asked.
    pub(crate) fn failures(&mut self) -> Vec<String> {
        self.hear(false);
        let told = |(path, error): Failure| {
            format!(
                "a checkpoint could not be written: {}: {error}; those before it are as they were",
                path.display()
            )
        };
        let is_known = self.is_told;
        self.is_told |= !self.failures.is_empty();
        let untold = self.failures.drain(..).map(told).take(1).filter(|_| !is_known);
        untold.collect()
    }

    /// Whether there is one on the disk to go on with.
    pub(crate) fn is_there(&self) -> bool {
        !self.folder.files().is_empty()
    }

    /// Bytes of those on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.folder.bytes()
    }

    /// Removes those before the newest: a full disk has no room for what matters more. Whether there were any.
    pub(crate) fn make_room(&mut self) -> bool {
        self.wait();
        self.folder.thin(&SystemDisk)
    }

    /// Removes all of them.
    pub(crate) fn remove(&mut self) {
        self.wait();
        if let Err(failure) = self.folder.remove(&SystemDisk) {
            self.failures.push(failure);
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        if let Some(Thread { jobs, handle, .. }) = self.thread.take() {
            drop(jobs);
            // What it is writing is written.
            let _ = handle.join();
        }
    }
}

impl Thread {
    fn start(folder: CheckpointFolder) -> io::Result<Thread> {
        let (jobs, wanted) = channel::<Order>();
        let (say, done) = channel();
        let handle = std::thread::Builder::new().name("checkpoints".into()).spawn(move || {
            for order in wanted {
                let done = match order {
                    Order::Prepare(size) => (None, size.touched()),
                    Order::Write(job) => {
                        let (written, state) = job.write(&folder);
                        (Some(written), state)
                    }
                };
                if say.send(done).is_err() {
                    return;
                }
            }
        })?;
        Ok(Thread { jobs, done, handle })
    }
}

impl StateSize {
    /// A state whose memory has been written to.
    fn touched(self) -> LoopState {
        // Zeros would be promised by the system and given only later.
        let values = || vec![1.0; self.values];
        let mut state = LoopState::default();
        state.training.values.trained = values();
        state.training.optimizer = Some(OptimizerState {
            moments: (0..self.moments).map(|_| values()).collect(),
            ..OptimizerState::default()
        });
        if self.has_average {
            state.average.trained = values();
        }
        state
    }
}

impl Job {
    /// Writes it, and gives its memory back.
    fn write(self, folder: &CheckpointFolder) -> (Result<u64, Failure>, LoopState) {
        let Job { mut checkpoint, positions, keep } = self;
        let written = Job::write_to(folder, &mut checkpoint, positions, keep);
        // The loop's own, whose memory it uses again once nobody else has them.
        checkpoint.state.best.values = Arc::default();
        (written, checkpoint.state)
    }

    fn write_to(
        folder: &CheckpointFolder,
        checkpoint: &mut Checkpoint,
        positions: RecordPositions,
        keep: usize,
    ) -> Result<u64, Failure> {
        // Behind all that was recorded when the state was taken; hung up where there is no event file any more.
        checkpoint.board = positions.board.and_then(|position| position.recv().ok());
        let mut before = vec![positions.metrics];
        if let (Some(board), Some(run)) = (&checkpoint.board, folder.path().parent()) {
            before.push(run.join(&board.file));
        }
        let name = CheckpointFolder::name(checkpoint.state.epoch, checkpoint.state.batches);
        let parts = checkpoint.parts();
        folder.write(&SystemDisk, &name, &|to| parts.write_header(to), &parts.arrays, keep, &before)
    }
}

/// The newest checkpoint of a run that is whole, and what is to be told of those that are not.
pub(crate) struct Newest {
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Damaged ones, and why.
    pub(crate) damaged: Vec<String>,
}

/// Reads the newest checkpoint of a run folder that is whole.
///
/// # Errors
/// Another version's format, or a file that cannot be read: it may be whole.
pub(crate) fn newest(run: &Path) -> Result<Newest, CheckpointError> {
    let mut damaged = Vec::new();
    for path in CheckpointFolder::of(run).files().into_iter().rev() {
        let read = CheckpointFile::read(&path).and_then(|file| {
            Checkpoint::of_file(file).map_err(|what| CheckpointError::Damaged { path: path.clone(), what })
        });
        match read {
            Ok(checkpoint) => return Ok(Newest { checkpoint: Some(checkpoint), damaged }),
            // A disk that is back tomorrow has it still.
            Err(CheckpointError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error @ (CheckpointError::Format { .. } | CheckpointError::Io { .. })) => return Err(error),
            Err(error) => damaged.push(error.to_string()),
        }
    }
    Ok(Newest { checkpoint: None, damaged })
}
