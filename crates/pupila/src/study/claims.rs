//! Which process makes which run, where several share a study's folder.
//!
//! A claim is a file beside the run's folder, `NAME.claim`, which one process can make and which it rewrites every [`HEARTBEAT_S`] seconds. It
//! names its worker, the machine and a count. Whoever finds one leaves the run to it, unless the worker is gone:
//!
//! - On the same machine that is known at once. The worker has its claim locked (`flock`), and the system takes that back from a process that
//!   ends, however it ends.
//! - From elsewhere by silence: this process has itself seen the same claim for [`STALE_S`] seconds. Clocks of machines are not compared, and
//!   locks across machines, which network file systems may not have, are not relied on.
//!
//! What file systems allow is a rename that one of several wins. Between the last look at a claim and its removal there is a moment: who took
//! away the wrong one sees that by its text, and puts it back. A worker that stood still for longer than [`STALE_S`], and goes on, makes its
//! run beside the other; on machines of one kind both write the same.

use crate::error::{Error, Tried};
use pupila_run::{Disk, SystemDisk};
use pupila_search::storage::{Clock, HEARTBEAT_S, STALE_S};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How the names of claims end; those that are taken away have more behind it.
pub(crate) const ENDING: &str = ".claim";

/// Between two heartbeats.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(HEARTBEAT_S);

/// Claims in a study's folder, as one process makes and sees them.
#[derive(Debug)]
pub(super) struct Claims {
    folder: PathBuf,
    /// A name that no other worker has.
    worker: String,
    /// Another one on each machine, and after each start of it; empty where that is not known.
    machine: String,
    clock: Arc<dyn Clock>,
    /// What was seen of others' claims, and since when.
    seen: Mutex<HashMap<String, (String, Duration)>>,
    held: Mutex<BTreeMap<String, Held>>,
}

/// A claim of this process.
#[derive(Debug)]
struct Held {
    file: File,
    beats: u64,
}

/// A run that is this process's to make, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    claims: &'a Claims,
    run: String,
}

impl Claims {
    pub(super) fn new(folder: &Path, clock: Arc<dyn Clock>) -> Claims {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Claims::of_machine(folder, clock, boot.trim())
    }

    fn of_machine(folder: &Path, clock: Arc<dyn Clock>, machine: &str) -> Claims {
        // No result depends on it.
        let random = || RandomState::new().hash_one(std::process::id());
        Claims {
            folder: folder.to_owned(),
            worker: format!("{:016x}{:016x}", random(), random()),
            machine: machine.to_owned(),
            clock,
            seen: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Claims a run; none where another worker has it. To be called again and again: silence is judged by what was seen before.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn take(&self, run: &str) -> Result<Option<Claim<'_>>, Error> {
        let path = self.path(run);
        self.try_to_take(run, &path).map_err(Error::io(Tried::Write, path))
    }

    /// Whether anybody has claimed a run, though he may be gone.
    pub(super) fn is_claimed(&self, run: &str) -> bool {
        self.path(run).exists()
    }

    fn path(&self, run: &str) -> PathBuf {
        self.folder.join(format!("{run}{ENDING}"))
    }

    fn try_to_take(&self, run: &str, path: &Path) -> io::Result<Option<Claim<'_>>> {
        loop {
            match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
                Ok(file) => return self.hold(run, file).map(Some),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let Some(text) = read(path)? else { continue };
            // Held until the claim is away, so that of this machine's workers one alone takes it.
            let lock = self.lock_of_the_dead(path, &text);
            if lock.is_none() && !self.is_silent(run, &text) {
                return Ok(None);
            }
            if !self.take_away(run, path, &text)? {
                return Ok(None);
            }
        }
    }

    fn hold(&self, run: &str, mut file: File) -> io::Result<Claim<'_>> {
        // Before it says of which machine it is, so that nobody there finds it unlocked. Whoever looks has it for a moment. A file system
        // without locks is one whose dead are known by their silence.
        let _ = file.lock();
        file.write_all(self.text(0).as_bytes())?;
        file.sync_all()?;
        lock(&self.seen).remove(run);
        lock(&self.held).insert(run.to_owned(), Held { file, beats: 0 });
        Ok(Claim { claims: self, run: run.to_owned() })
    }

    /// As long as before, each time, so that a reader finds no half of it.
    fn text(&self, beats: u64) -> String {
        format!("{}\n{}\n{beats:020}\n", self.worker, self.machine)
    }

    /// The lock of a claim whose worker ran on this machine and is gone.
    fn lock_of_the_dead(&self, path: &Path, text: &str) -> Option<File> {
        if self.machine.is_empty() || text.lines().nth(1) != Some(&self.machine) {
            return None;
        }
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        file.try_lock().ok().map(|()| file)
    }

    /// Whether this process has seen nothing new of a claim for too long.
    fn is_silent(&self, run: &str, text: &str) -> bool {
        let now = self.clock.elapsed();
        let mut seen = lock(&self.seen);
        let (before, since) = seen.entry(run.to_owned()).or_insert_with(|| (text.to_owned(), now));
        if before != text {
            (*before, *since) = (text.to_owned(), now);
        }
        now.saturating_sub(*since) > Duration::from_secs(STALE_S)
    }

    /// Takes a claim away that reads so; `false` where it reads otherwise now.
    fn take_away(&self, run: &str, path: &Path, text: &str) -> io::Result<bool> {
        let aside = self.folder.join(format!("{run}{ENDING}-{}", self.worker));
        match fs::rename(path, &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true), // another was first
            renamed => renamed?,
        }
        let is_same = read(&aside)?.is_some_and(|moved| moved == text);
        if !is_same {
            // Its worker lives after all, or this is the next one's. A link fails where there is a third.
            let _ = fs::hard_link(&aside, path);
        }
        fs::remove_file(&aside)?;
        Ok(is_same)
    }

    /// Says that the runs of this process are alive. To be called once in [`HEARTBEAT`].
    pub(super) fn beat(&self) {
        for held in lock(&self.held).values_mut() {
            held.beats += 1;
            let text = self.text(held.beats);
            // A heartbeat that fails is one that others do not see: after some of them the run is another's.
            let _ = held.file.seek(SeekFrom::Start(0));
            let _ = held.file.write_all(text.as_bytes()).and_then(|()| held.file.sync_data());
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let held = lock(&self.claims.held).remove(&self.run);
        let path = self.claims.path(&self.run);
        // Where it was taken away meanwhile, it is another's.
        let is_own = |text: String| text.lines().next() == Some(&self.claims.worker);
        if read(&path).ok().flatten().is_some_and(is_own) {
            // A step at which tests end the process.
            let _ = SystemDisk.remove(&path);
        }
        drop(held);
    }
}

/// What a claim says; none where there is none any more.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that is turned by hand.
    #[derive(Debug, Default)]
    struct Turned(Mutex<Duration>);

    impl Turned {
        fn pass(&self, seconds: u64) {
            *lock(&self.0) += Duration::from_secs(seconds);
        }
    }

    impl Clock for Turned {
        fn now_us(&self) -> i64 {
            0
        }

        fn elapsed(&self) -> Duration {
            *lock(&self.0)
        }

        fn sleep(&self, time: Duration) {
            *lock(&self.0) += time;
        }
    }

    fn files(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Leaves a claim as a process does that is killed: its file is closed, and stays.
    fn kill(claim: Claim<'_>) {
        lock(&claim.claims.held).clear();
        std::mem::forget(claim);
    }

    #[test]
    fn one_of_many_has_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let workers: Vec<Claims> =
            (0..4).map(|_| Claims::new(folder.path(), Arc::<Turned>::default())).collect();
        let (mut made, gate) = (Vec::new(), std::sync::Barrier::new(4));
        std::thread::scope(|scope| {
            let worker = |claims: &'static str, worker: usize| {
                let (workers, gate) = (&workers, &gate);
                move || {
                    let mut taken = Vec::new();
                    for run in 0..50 {
                        taken.push(workers[worker].take(&format!("{claims}{run}")).unwrap());
                    }
                    // All have tried all before the first is given back.
                    gate.wait();
                    taken.iter().flatten().count()
                }
            };
            let threads: Vec<_> = (0..4).map(|at| scope.spawn(worker("run-", at))).collect();
            made.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
        });
        assert_eq!(made.iter().sum::<usize>(), 50);
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn a_process_that_is_gone_is_noticed_at_once_on_its_machine() {
        let folder = tempfile::tempdir().unwrap();
        let worker = |machine| Claims::of_machine(folder.path(), Arc::<Turned>::default(), machine);
        let (a, b, elsewhere) = (worker("m"), worker("m"), worker("n"));
        let claim = a.take("r").unwrap().unwrap();
        assert!(b.take("r").unwrap().is_none() && elsewhere.take("r").unwrap().is_none());
        kill(claim);
        assert!(elsewhere.take("r").unwrap().is_none());
        let taken = b.take("r").unwrap().unwrap();
        assert!(a.take("r").unwrap().is_none());
        drop(taken);
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn silence_is_judged_by_whoever_listens() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Turned::default());
        let worker =
            |machine| Claims::of_machine(folder.path(), Arc::clone(&clock) as Arc<dyn Clock>, machine);
        // Of machines that are not known nothing is known by locks either.
        for machines in [["m", "n"], ["", ""]] {
            let [holder, listener] = machines.map(worker);
            let claim = holder.take("r").unwrap().unwrap();
            for _ in 0..5 {
                assert!(listener.take("r").unwrap().is_none());
                clock.pass(STALE_S - 1);
                holder.beat();
            }
            assert!(listener.take("r").unwrap().is_none());
            // A second listener has heard it for no time at all.
            clock.pass(STALE_S + 1);
            assert!(worker("o").take("r").unwrap().is_none());
            let taken = listener.take("r").unwrap().unwrap();
            // Whoever was taken for gone, and comes back, leaves the other's claim alone.
            holder.beat();
            drop(claim);
            assert!(worker("o").take("r").unwrap().is_none());
            drop(taken);
            assert!(files(folder.path()).is_empty());
        }
    }

    #[test]
    fn a_claim_that_was_taken_by_mistake_is_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let worker = || Claims::of_machine(folder.path(), Arc::<Turned>::default(), "m");
        let (a, b) = (worker(), worker());
        let claim = a.take("r").unwrap().unwrap();
        let before = fs::read_to_string(a.path("r")).unwrap();
        a.beat();
        assert!(!b.take_away("r", &b.path("r"), &before).unwrap());
        assert_eq!(files(folder.path()), ["r.claim"]);
        assert!(b.take("r").unwrap().is_none());
        drop(claim);
        assert!(b.take("r").unwrap().is_some());
    }
}
