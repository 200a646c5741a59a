//! An event file: one record an event, each handed to the system in one write.
//!
//! So a process that is killed leaves every event it has recorded, and at most one torn record at the end. Nothing is ever
//! appended behind a torn record, which readers cannot pass: what follows goes into a new file.

use super::proto;
use super::record::record;
use crate::host::host;
use prost::Message;
use pupila_run::fault;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes events to a file of its own in a folder.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    file: File,
    name: String,
    bytes: u64,
    /// Other event files of the folder, which come before this one.
    earlier: Vec<String>,
}

impl Writer {
    pub(super) fn create(folder: &Path, wall_time: f64) -> io::Result<Self> {
        let earlier = event_files(folder)?;
        let (file, name, bytes) = new_file(folder, wall_time)?;
        Ok(Writer { folder: folder.to_owned(), file, name, bytes, earlier })
    }

    /// Goes on behind the first `bytes` of a file that is there; the rest is cut off.
    pub(super) fn cut(folder: &Path, name: &str, bytes: u64, earlier: Vec<String>) -> io::Result<Self> {
        let mut file = File::options().write(true).open(folder.join(name))?;
        let there = file.metadata()?.len();
        if there < bytes {
            return Err(io::Error::other(format!("{name} has {there} bytes, and had {bytes}")));
        }
        file.set_len(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Writer { folder: folder.to_owned(), file, name: name.to_owned(), bytes, earlier })
    }

    /// The file's name, its bytes so far, and the files before it.
    pub(super) fn position(&self) -> (&str, u64, &[String]) {
        (&self.name, self.bytes, &self.earlier)
    }

    pub(super) fn write(&mut self, event: &proto::Event) -> io::Result<()> {
        let record = record(&event.encode_to_vec());
        let length = record.len() as u64;
        if fault("append").and_then(|()| self.file.write_all(&record)).is_ok() {
            self.bytes += length;
            return Ok(());
        }
        // A part of it may have been written, which nothing may follow. The cause may have passed (a full disk).
        let (file, name, bytes) = new_file(&self.folder, event.wall_time)?;
        self.earlier.push(std::mem::replace(&mut self.name, name));
        (self.file, self.bytes) = (file, bytes);
        self.file.write_all(&record)?;
        self.bytes += length;
        Ok(())
    }
}

/// What the names of event files begin with.
pub(super) const NAMES: &str = pupila_run::RunFolder::EVENTS;

/// The event files of a folder.
fn event_files(folder: &Path) -> io::Result<Vec<String>> {
    let names = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with(NAMES)).collect())
}

/// A new file with the header event. TensorBoard reads the files of a folder in the order of their names, which
/// therefore begin with the time.
fn new_file(folder: &Path, wall_time: f64) -> io::Result<(File, String, u64)> {
    // The first number that is free in the folder: a run that goes on within a second has another file.
    let mut number = 0;
    let (mut file, name) = loop {
        let (second, host, process) = (wall_time as u64, host(), std::process::id());
        let name = format!("{NAMES}{second:010}.{host}.{process}.{number}");
        match File::options().write(true).create_new(true).open(folder.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            opened => break (opened?, name),
        }
    };
    let header =
        proto::Event { wall_time, file_version: Some("brain.Event:2".into()), ..proto::Event::default() };
    let header = record(&header.encode_to_vec());
    file.write_all(&header)?;
    Ok((file, name, header.len() as u64))
}
