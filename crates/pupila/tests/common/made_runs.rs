//! Run folders that no training made, with file times that are set.

use pupila::RunFolder;
use pupila::run_files::{
    Data, Environment, EvaluationSummary, Named, RunSummary, StudyFile, StudyVariant, Summary,
};
use pupila::runs::{Deletion, Refusals, What};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

pub const SECOND: Duration = Duration::from_secs(1);

/// A folder of runs. Times are in seconds since 1970.
pub struct Runs {
    folder: PathBuf,
    _temporary: Option<TempDir>,
}

impl Runs {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Runs { folder: folder.path().to_owned(), _temporary: Some(folder) }
    }

    pub fn at(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        Runs { folder, _temporary: None }
    }

    /// The place of a run; of the folder itself without a name.
    pub fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.folder.clone() } else { self.folder.join(name) }
    }

    /// Writes a file of a run, of the given time.
    pub fn write(&self, name: &str, file: &str, text: &str, time: u64) {
        let path = self.path(name).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        set_time(&path, time);
    }

    /// A run that has written what comes first, and some epochs.
    pub fn begun(&self, name: &str, time: u64, epochs: usize) {
        let folder = RunFolder::create_at(&self.path(name)).unwrap();
        let data = Data { train_images: Some(240), val_images: Some(60), ..Data::default() };
        let environment = Environment { version: "0.1.0".into(), format: 2, data, ..Environment::default() };
        folder.write_environment(&environment).unwrap();
        folder.write(RunFolder::RECIPE, "[train]\nepochs = 30\n").unwrap();
        let mut lines =
            "{\"event\":\"start\",\"recipe\":{\"model.name\":\"cnn\",\"train.epochs\":30},\"format\":2}\n"
                .to_owned();
        for epoch in 1..=epochs {
            lines += &format!(
                "{{\"event\":\"scalars\",\"time\":1,\"epoch\":{epoch},\"step\":{epoch},\"values\":{{\"val/loss\":1}}}}\n"
            );
        }
        // As a run that is killed, or read while it writes.
        lines += "{\"event\":\"sca";
        folder.write(RunFolder::METRICS, lines).unwrap();
        folder.write(RunFolder::MODEL, "model".repeat(100)).unwrap();
        set_times(folder.path(), time);
    }

    /// A run with a result.
    pub fn ended(&self, name: &str, time: u64, change: impl FnOnce(&mut RunSummary)) {
        self.begun(name, time, 2);
        let val: Named<Option<f64>> =
            [("accuracy".to_owned(), Some(0.75)), ("macro_f1".to_owned(), Some(0.5))].into_iter().collect();
        let mut summary = RunSummary {
            model: "mlp".into(),
            classes: vec!["a".into(), "b".into()],
            epochs_run: 30,
            val: Some(val),
            version: "0.1.0".into(),
            format: 2,
            ..RunSummary::default()
        };
        change(&mut summary);
        let folder = RunFolder::create_at(&self.path(name)).unwrap();
        let record = fs::read_to_string(folder.file(RunFolder::METRICS)).unwrap();
        let whole = &record[..=record.rfind('\n').unwrap()];
        let end = "{\"event\":\"end\",\"time\":1,\"status\":\"completed\",\"best_epoch\":null}\n";
        folder.write(RunFolder::METRICS, format!("{whole}{end}")).unwrap();
        folder.write_summary(&Summary::Run(Box::new(summary))).unwrap();
        folder.write(RunFolder::PREDICTIONS, "path,label\n").unwrap();
        set_times(folder.path(), time);
    }

    /// What `pupila eval` makes.
    pub fn evaluation(&self, name: &str, time: u64) {
        let folder = RunFolder::create_at(&self.path(name)).unwrap();
        let summary = EvaluationSummary { model: "mlp".into(), format: 2, ..EvaluationSummary::default() };
        folder.write_summary(&Summary::Evaluation(Box::new(summary))).unwrap();
        folder.write(RunFolder::RECIPE, "[train]\n").unwrap();
        let data = Data { images: Some(60), ..Data::default() };
        let environment = Environment { version: "0.1.0".into(), format: 2, data, ..Environment::default() };
        folder.write_environment(&environment).unwrap();
        set_times(folder.path(), time);
    }

    /// A study of one variant `a`, without its runs.
    pub fn study(&self, name: &str, time: u64, seeds: u64) {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        let variant = StudyVariant { name: "a".into(), folder: "a".into(), ..StudyVariant::default() };
        let study = StudyFile {
            study: name.into(),
            metric: "macro_f1".into(),
            seeds: (0..seeds).collect(),
            splits: vec![0],
            variants: vec![variant],
            version: "0.1.0".into(),
            format: 2,
            ..StudyFile::default()
        };
        study.write(&folder).unwrap();
        set_times(&folder, time);
    }

    /// The lengths of all files below a folder.
    pub fn bytes(&self, name: &str) -> u64 {
        let of = |path: PathBuf| match path.is_dir() {
            true => self.bytes(path.to_str().unwrap()),
            false => path.metadata().unwrap().len(),
        };
        fs::read_dir(self.path(name)).unwrap().map(|entry| of(entry.unwrap().path())).sum()
    }
}

/// A deletion at a time in seconds since 1970.
pub fn delete(runs: &Runs, names: &[&str], what: What, now: u64) -> Result<Deletion, Refusals> {
    let names: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    Deletion::plan(&runs.path(""), &names, what, UNIX_EPOCH + Duration::from_secs(now))
}

/// Sets the time of a file's last write.
pub fn set_time(path: &Path, time: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(time)).unwrap();
}

/// The same for all files right in a folder.
fn set_times(folder: &Path, time: u64) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            set_time(&path, time);
        }
    }
}
