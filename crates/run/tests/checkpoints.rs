//! Checkpoints against what disks do: lost writes, renamings in any order, failures of every step, flipped bits.
#![allow(clippy::unwrap_used)]

use pupila_run::{CheckpointError, CheckpointFile, CheckpointFolder, Disk, SystemDisk};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What a disk is given to write.
type Content<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// The checkpoint of a number.
fn content(number: u32) -> CheckpointFile {
    let array = |len: u32| (0..len).map(|i| (number * 1000 + i) as f32 * 0.37).collect();
    let header = format!("{{\"number\":{number}}}").into_bytes();
    CheckpointFile { header, arrays: vec![array(300), vec![], array(17)] }
}

fn name(number: u32) -> String {
    CheckpointFolder::name(number, 0)
}

fn write(folder: &CheckpointFolder, disk: &dyn Disk, number: u32) -> Result<u64, (PathBuf, io::Error)> {
    let CheckpointFile { header, arrays } = content(number);
    let arrays: Vec<&[f32]> = arrays.iter().map(Vec::as_slice).collect();
    let metrics = folder.path().parent().unwrap().join("metrics.jsonl");
    folder.write(disk, &name(number), &|to| to.write_all(&header), &arrays, 2, &[metrics])
}

fn run_folder() -> tempfile::TempDir {
    let run = tempfile::tempdir().unwrap();
    fs::write(run.path().join("metrics.jsonl"), "{}\n").unwrap();
    run
}

#[test]
fn what_is_written_reads_back_and_the_newest_stay() {
    let run = run_folder();
    let folder = CheckpointFolder::of(run.path());
    for number in 1..=5 {
        let bytes = write(&folder, &SystemDisk, number).unwrap();
        let path = folder.path().join(name(number));
        assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
        assert_eq!(CheckpointFile::read(&path).unwrap(), content(number));
    }
    let files: Vec<_> = folder.files().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(files, [name(4), name(5)].map(Into::<std::ffi::OsString>::into));
    // NaN and negative zero are bits as others are.
    let odd = [f32::NAN, -0.0, f32::INFINITY, f32::from_bits(0x7fc0_1234)];
    folder.write(&SystemDisk, &name(6), &|to| to.write_all(b"{}"), &[&odd], 2, &[]).unwrap();
    let read = CheckpointFile::read(&folder.path().join(name(6))).unwrap();
    assert_eq!(read.arrays[0].iter().map(|x| x.to_bits()).collect::<Vec<_>>(), odd.map(f32::to_bits));
    folder.remove(&SystemDisk).unwrap();
    assert!(!folder.path().exists());
}

#[test]
fn flips_and_cuts_are_seen() {
    let run = run_folder();
    let folder = CheckpointFolder::of(run.path());
    write(&folder, &SystemDisk, 1).unwrap();
    let path = folder.path().join(name(1));
    let whole = fs::read(&path).unwrap();
    let mut word = 3u64;
    let mut draw = |most: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (word >> 33) as usize % most
    };
    let is_seen = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        let error = CheckpointFile::read(&path).unwrap_err();
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{what}: {error}");
    };
    for _ in 0..1500 {
        let mut bytes = whole.clone();
        let (at, bit) = (draw(bytes.len()), draw(8));
        bytes[at] ^= 1 << bit;
        is_seen(&bytes, &format!("bit {bit} of byte {at}"));
    }
    for _ in 0..480 {
        let len = draw(whole.len());
        is_seen(&whole[..len], &format!("cut to {len}"));
    }
    for len in 0..20 {
        is_seen(&whole[..len], &format!("cut to {len}"));
    }
    is_seen(&[&whole[..], &[0]].concat(), "a byte too many");
    // With the checksum that belongs to them.
    let sealed = |body: &[u8]| [body, &twox_hash::XxHash3_128::oneshot(body).to_le_bytes()].concat();
    let body = &whole[..whole.len() - 16];
    is_seen(&sealed(&[body, &[0; 4]].concat()), "a value too many");
    let mut of_another_format = body.to_vec();
    of_another_format[8] += 1;
    fs::write(&path, sealed(&of_another_format)).unwrap();
    assert!(matches!(CheckpointFile::read(&path), Err(CheckpointError::Format { format: 2, .. })));
}

/// A step that a disk is asked for.
#[derive(Debug, Clone)]
enum Step {
    Write(PathBuf, Vec<u8>),
    Sync(PathBuf),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// Does what it is told, and remembers it.
#[derive(Debug, Default)]
struct Remembering(Mutex<Vec<Step>>);

impl Remembering {
    fn note(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }
}

impl Disk for Remembering {
    fn write(&self, path: &Path, content: Content<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        content(&mut bytes)?;
        fs::write(path, &bytes)?;
        self.note(Step::Write(path.to_owned(), bytes));
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.note(Step::Sync(path.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.note(Step::SyncFolder(path.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(Step::Rename(from.to_owned(), to.to_owned()));
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note(Step::Remove(path.to_owned()));
        fs::remove_file(path)
    }
}

#[test]
fn what_it_counts_on_comes_before_it_and_its_names_before_an_older_one_goes() {
    let run = run_folder();
    let folder = CheckpointFolder::of(run.path());
    let disk = Remembering::default();
    for number in 1..=3 {
        write(&folder, &disk, number).unwrap();
    }
    let steps = disk.0.into_inner().unwrap();
    let place = |wanted: &dyn Fn(&Step) -> bool| steps.iter().rposition(wanted).unwrap();
    let third = folder.path().join(name(3));
    let of_metrics = |path: &Path| path.ends_with("metrics.jsonl");
    let order = [
        place(&|step| matches!(step, Step::Sync(path) if of_metrics(path))),
        place(&|step| matches!(step, Step::Write(path, _) if path.ends_with(format!("{}.partial", name(3))))),
        place(&|step| matches!(step, Step::Sync(path) if !of_metrics(path))),
        place(&|step| matches!(step, Step::Rename(_, to) if *to == third)),
        place(&|step| matches!(step, Step::SyncFolder(path) if path == folder.path())),
        place(&|step| matches!(step, Step::SyncFolder(path) if path == run.path())),
        place(&|step| matches!(step, Step::Remove(path) if *path == folder.path().join(name(1)))),
    ];
    assert!(order.is_sorted(), "{order:?}: {steps:?}");
}

/// What may be on a disk. Of a file that was not brought to it nobody knows how much has come there; changes of names come in any order until
/// the folder is brought to it.
#[derive(Debug, Default, Clone)]
struct Lossy {
    /// Contents, and whether they are certain.
    contents: Vec<(Vec<u8>, bool)>,
    /// Which content each name certainly has.
    certain: BTreeMap<PathBuf, usize>,
    /// Names as the system shows them.
    shown: BTreeMap<PathBuf, usize>,
    /// Changes of names that may have come to the disk: a renaming is one.
    pending: Vec<Vec<(PathBuf, Option<usize>)>>,
}

impl Lossy {
    fn change(&mut self, changes: Vec<(PathBuf, Option<usize>)>) {
        for (path, content) in &changes {
            match content {
                Some(content) => self.shown.insert(path.clone(), *content),
                None => self.shown.remove(path),
            };
        }
        self.pending.push(changes);
    }

    fn follow(&mut self, step: &Step) {
        match step {
            Step::Write(path, bytes) => {
                self.contents.push((bytes.clone(), false));
                self.change(vec![(path.clone(), Some(self.contents.len() - 1))]);
            }
            Step::Sync(path) => {
                if let Some(&content) = self.shown.get(path) {
                    self.contents[content].1 = true;
                }
            }
            Step::SyncFolder(folder) => {
                // Of this folder alone.
                let is_in = |path: &Path| path.parent() == Some(folder);
                self.pending.retain(|changes| !changes.iter().all(|(path, _)| is_in(path)));
                self.certain.retain(|path, _| !is_in(path));
                let shown = self.shown.iter().filter(|(path, _)| is_in(path));
                self.certain.extend(shown.map(|(path, content)| (path.clone(), *content)));
            }
            Step::Rename(from, to) => {
                let content = self.shown.get(from).copied();
                self.change(vec![(to.clone(), content), (from.clone(), None)]);
            }
            Step::Remove(path) => self.change(vec![(path.clone(), None)]),
        }
    }

    /// The files behind a power loss: the bits of `came` say which changes of names came to the disk, `part` how much of uncertain contents.
    fn after_loss(&self, came: u32, part: usize) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = self.certain.clone();
        for (_, changes) in self.pending.iter().enumerate().filter(|(place, _)| came >> place & 1 == 1) {
            for (path, content) in changes {
                match content {
                    Some(content) => names.insert(path.clone(), *content),
                    None => names.remove(path),
                };
            }
        }
        let bytes = |content: usize| {
            let (bytes, is_certain) = &self.contents[content];
            match (is_certain, part) {
                (false, 0) => Vec::new(),
                (false, 1) => bytes[..bytes.len() / 2].to_vec(),
                // Its length has come, and not its content.
                (false, 2) => vec![0; bytes.len()],
                _ => bytes.clone(),
            }
        };
        names.into_iter().map(|(path, content)| (path, bytes(content))).collect()
    }

    /// Whichever checkpoints a run may find as its newest whole one, behind all losses.
    fn newest(&self, place: &Path) -> Vec<Option<u32>> {
        assert!(self.pending.len() <= 12, "{} changes in the air", self.pending.len());
        let losses = (0..1u32 << self.pending.len()).flat_map(|came| (0..4).map(move |part| (came, part)));
        losses.map(|(came, part)| newest(&self.after_loss(came, part), place)).collect()
    }
}

/// Which checkpoint a run would go on with.
fn newest(files: &BTreeMap<PathBuf, Vec<u8>>, place: &Path) -> Option<u32> {
    let whole = |(path, bytes): (&PathBuf, &Vec<u8>)| {
        path.extension().filter(|end| *end == "checkpoint")?;
        fs::write(place, bytes).unwrap();
        let file = CheckpointFile::read(place).ok()?;
        (1..10).find(|number| content(*number) == file)
    };
    files.iter().rev().find_map(whole)
}

#[test]
fn a_power_loss_leaves_a_whole_one() {
    let run = run_folder();
    let folder = CheckpointFolder::of(run.path());
    let disk = Remembering::default();
    let mut ends = Vec::new();
    for number in 1..=4 {
        write(&folder, &disk, number).unwrap();
        ends.push(disk.0.lock().unwrap().len());
    }
    let steps = disk.0.into_inner().unwrap();
    let place = run.path().join("looked-at");
    let (mut losses, mut lossy) = (0, Lossy::default());
    for (done, step) in steps.iter().enumerate() {
        lossy.follow(step);
        // Those whose writing has ended are promised.
        let written = ends.iter().filter(|end| **end <= done + 1).count() as u32;
        for found in lossy.newest(&place) {
            assert!(
                found >= Some(written).filter(|n| *n > 0),
                "behind {done} {step:?}: {found:?} of {written}"
            );
            losses += 1;
        }
    }
    assert!(losses > 200, "{losses}");
    // It can fail: where the content or the names are not brought to the disk, the last one is lost.
    for forgets_names in [false, true] {
        let mut lossy = Lossy::default();
        let of_content = |path: &Path| path.extension().is_some_and(|end| end == "partial");
        let is_forgotten = |step: &&Step| match step {
            Step::Sync(path) => !forgets_names && of_content(path),
            Step::SyncFolder(_) => forgets_names,
            _ => false,
        };
        steps.iter().filter(|step| !is_forgotten(step)).for_each(|step| lossy.follow(step));
        assert!(lossy.newest(&place).iter().any(|found| *found != Some(4)), "{forgets_names}");
    }
}

/// Fails at one step.
#[derive(Debug)]
struct Failing {
    at: usize,
    kind: io::ErrorKind,
    steps: Mutex<usize>,
}

impl Failing {
    fn step(&self) -> io::Result<()> {
        let mut steps = self.steps.lock().unwrap();
        *steps += 1;
        if *steps == self.at { Err(self.kind.into()) } else { Ok(()) }
    }
}

/// Fails in the middle of a content.
struct Torn<'a>(&'a Failing, fs::File);

impl Write for Torn<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // A part has come by then.
        if let Err(error) = self.0.step() {
            let _ = self.1.write_all(&buffer[..buffer.len() / 2]);
            return Err(error);
        }
        self.1.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Failing {
    fn write(&self, path: &Path, content: Content<'_>) -> io::Result<()> {
        self.step()?;
        content(&mut Torn(self, fs::File::create(path)?))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.sync(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.remove(path)
    }
}

#[test]
fn every_failure_is_told_and_leaves_the_one_before() {
    use io::ErrorKind::{Other, PermissionDenied, StorageFull};
    for kind in [StorageFull, Other, PermissionDenied] {
        let mut failures = 0;
        for at in 1.. {
            let run = run_folder();
            let folder = CheckpointFolder::of(run.path());
            for number in [1, 2] {
                write(&folder, &SystemDisk, number).unwrap();
            }
            let failing = Failing { at, kind, steps: Mutex::new(0) };
            let written = write(&folder, &failing, 3);
            let last = CheckpointFile::read(folder.files().last().unwrap()).unwrap();
            assert!(last == content(2) || last == content(3), "step {at}");
            assert!(folder.files().len() >= 2);
            let Err((path, error)) = written else { break };
            assert_eq!(error.kind(), kind);
            assert!(path.starts_with(run.path()), "{}", path.display());
            let left: Vec<_> =
                fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(left.iter().all(|path| path.extension().unwrap() == "checkpoint"), "{left:?}");
            failures += 1;
        }
        // Of the record, of the file with its parts, of the names, of the old one.
        assert!(failures >= 8, "{failures}");
    }
}
