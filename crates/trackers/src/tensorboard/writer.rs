//! An event file: one record an event, each handed to the system in one write.
//!
//! So a process that is killed leaves every event it has recorded, and at most one torn record at the end. Nothing is ever
//! appended behind a torn record, which readers cannot pass: what follows goes into a new file.

use super::proto;
use super::record::record;
use prost::Message;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes events to a file of its own in a folder.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    file: File,
}

impl Writer {
    pub(super) fn create(folder: &Path, wall_time: f64) -> io::Result<Self> {
        let file = new_file(folder, wall_time)?;
        Ok(Writer { folder: folder.to_owned(), file })
    }

    pub(super) fn write(&mut self, event: &proto::Event) -> io::Result<()> {
        let record = record(&event.encode_to_vec());
        if self.file.write_all(&record).is_ok() {
            return Ok(());
        }
        // A part of it may have been written, which nothing may follow. The cause may have passed (a full disk).
        self.file = new_file(&self.folder, event.wall_time)?;
        self.file.write_all(&record)
    }
}

/// A new file with the header event. TensorBoard reads the files of a folder in the order of their names, which
/// therefore begin with the time.
fn new_file(folder: &Path, wall_time: f64) -> io::Result<File> {
    // The first number that is free in the folder: a run that goes on within a second has another file.
    let mut number = 0;
    let mut file = loop {
        let (second, host, process) = (wall_time as u64, host(), std::process::id());
        let name = format!("events.out.tfevents.{second:010}.{host}.{process}.{number}");
        match File::options().write(true).create_new(true).open(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            opened => break opened?,
        }
    };
    let header =
        proto::Event { wall_time, file_version: Some("brain.Event:2".into()), ..proto::Event::default() };
    file.write_all(&record(&header.encode_to_vec()))?;
    Ok(file)
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("COMPUTERNAME").ok()).unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    if name.is_empty() { "localhost".into() } else { name }
}
