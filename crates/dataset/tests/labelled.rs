//! Data on which a trained model is judged: its classes, one split, every form.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use common::{Data, RULE, files, pair, paths, png, set_modified, summary, tomorrow};
use pupila_dataset::{
    Cache, Dataset, Form, Labelled, LabelledOptions, LoadError, Notice, OnBadImage, Purpose, ScanError,
    ScanOptions, Split, load, scan_labelled,
};

/// Not in alphabetical order: a model's classes may come from anywhere.
fn model() -> Vec<String> {
    ["nevus", "melanoma", "Benign keratosis"].map(str::to_owned).to_vec()
}

fn by(split: Option<Split>) -> LabelledOptions {
    LabelledOptions { split, ..Default::default() }
}

fn judge(path: &Path, split: Option<Split>) -> Result<Labelled, ScanError> {
    scan_labelled(path, &model(), &by(split), None)
}

fn message(path: &Path, split: Option<Split>) -> String {
    judge(path, split).unwrap_err().to_string()
}

fn load_all(dataset: &Dataset) -> Result<pupila_dataset::Loaded, LoadError> {
    let all: Vec<usize> = (0..dataset.samples.len()).collect();
    load(dataset, &all, &RULE, None, OnBadImage::Skip, &|_| {}, &|| false)
}

#[test]
fn class_folders_are_taken_whole_with_the_models_labels() {
    let data = Data::classes(&["melanoma", "nevus"], 3);
    data.png("nevus/deeper/x.JPG.png", 7);
    data.write("nevus/.hidden.png", "");
    data.write("nevus/notes.txt", "");
    data.png("loose.png", 1);
    let Labelled { dataset, split } = judge(data.path(), None).unwrap();
    assert_eq!((split, dataset.form, dataset.purpose), (None, Form::ClassFolders, Purpose::Evaluation));
    assert_eq!(dataset.classes, model());
    assert_eq!(dataset.class_counts(Split::Test), [4, 3, 0]);
    assert_eq!(dataset.samples.iter().map(|s| s.label).collect::<Vec<_>>(), [1, 1, 1, 0, 0, 0, 0]);
    assert_eq!((dataset.ignored_files, dataset.val_from_train, dataset.held_back), (1, false, 0));
    let missing = Notice::ClassesMissing { split: None, classes: vec!["Benign keratosis".to_owned()] };
    let loose = Notice::LooseImages { path: data.path().to_owned(), images: 1 };
    assert_eq!(dataset.notices, [loose, missing]);
    assert_eq!(dataset.notices[1].to_string(), "the data has no images of Benign keratosis");
    // One class is enough, and an empty folder does no harm.
    let one = Data::classes(&["nevus"], 2);
    one.write("scans/notes.txt", "");
    assert_eq!(judge(one.path(), None).unwrap().dataset.class_counts(Split::Test), [2, 0, 0]);
    let text = message(one.path(), Some(Split::Val));
    assert!(text.contains("has no splits, so no val set; leave out --split"), "{text}");
}

#[test]
fn one_split_is_taken_and_the_others_are_not_looked_at() {
    let data = Data::new();
    data.add_classes("train", &["nevus", "melanoma"], 5);
    data.add_classes("train/nevus", &["deeper"], 1);
    data.write("train/melanoma/bad.png", "");
    data.write("train/unknown/1.png", png(1));
    data.add_classes("extra", &["nevus"], 1);
    let text = message(data.path(), None);
    assert!(text.contains("no val or test set of its own, only train; choose --split train"), "{text}");
    let text = message(data.path(), Some(Split::Test));
    assert!(text.contains("no test set of its own, only train; choose --split train"), "{text}");
    data.add_classes("Testing", &["nevus"], 3);
    assert_eq!(judge(data.path(), None).unwrap().split, Some(Split::Test));
    data.add_classes("valid", &["melanoma"], 2);
    let Labelled { dataset, split } = judge(data.path(), None).unwrap();
    assert_eq!((split, dataset.form), (Some(Split::Val), Form::SplitFolders));
    assert_eq!(paths(&dataset), ["valid/melanoma/000.png", "valid/melanoma/001.png"]);
    assert!(dataset.samples.iter().all(|s| s.split == Split::Val && s.label == 1));
    let said: Vec<_> = dataset.notices.iter().map(|notice| notice.to_string()).collect();
    assert!(said[0].contains("neither train, val nor test"), "{said:?}");
    assert_eq!(said[1], "the val set has no images of nevus, Benign keratosis");
    let test = judge(data.path(), Some(Split::Test)).unwrap();
    assert_eq!(test.dataset.class_counts(Split::Test), [3, 0, 0]);
    assert!(message(data.path(), Some(Split::Train)).contains("\"unknown\" (1 image);"));
    fs::remove_dir_all(data.join("train/unknown")).unwrap();
    let train = judge(data.path(), Some(Split::Train)).unwrap().dataset;
    assert_eq!(train.class_counts(Split::Train), [6, 5, 0]);
    assert_eq!(train.skipped.len(), 1);
}

#[test]
fn no_training_set_is_needed() {
    let data = Data::new();
    data.add_classes("test", &["nevus", "melanoma"], 2);
    assert_eq!(judge(data.path(), None).unwrap().dataset.indices(Split::Test).len(), 4);
    let text = message(data.path(), Some(Split::Train));
    assert!(text.contains("no train set of its own, only test; choose --split test"), "{text}");
    // Something beside it does not turn it into a class.
    data.write("notes/readme.txt", "");
    assert_eq!(judge(data.path(), None).unwrap().split, Some(Split::Test));
}

#[test]
fn a_class_may_be_called_after_a_split() {
    let classes = ["car", "test", "train"].map(str::to_owned);
    let judge = |data: &Data| scan_labelled(data.path(), &classes, &by(None), None).unwrap();
    for (folders, form) in [
        (&["train"][..], Form::ClassFolders),
        (&["test"], Form::ClassFolders),
        (&["car", "train"], Form::ClassFolders),
        (&["car", "test"], Form::ClassFolders),
        (&["test/test"], Form::SplitFolders),
        (&["val/train", "test/test"], Form::SplitFolders),
        (&["train/car", "train/train", "val/train"], Form::SplitFolders),
    ] {
        let data = Data::new();
        data.add_classes("", folders, 2);
        let dataset = judge(&data).dataset;
        assert_eq!(dataset.form, form, "{folders:?}");
        for sample in &dataset.samples {
            let folder = sample.path.parent().unwrap().file_name().unwrap();
            assert_eq!(*classes[sample.label as usize], *folder);
        }
    }
}

#[test]
fn what_the_model_does_not_know_is_named_with_what_it_knows() {
    let data = Data::classes(&["benign_keratosis", "nevus", "wart"], 2);
    let text = message(data.path(), None);
    for part in [
        "\"benign_keratosis\" (2 images), is it \"Benign keratosis\"?",
        "\"wart\" (2 images)",
        "it knows nevus, melanoma, Benign keratosis",
        "data.exclude",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let exclude = vec!["wart".to_owned(), "benign*".to_owned(), "mistyped".to_owned()];
    let options = LabelledOptions { exclude, ..Default::default() };
    let dataset = scan_labelled(data.path(), &model(), &options, None).unwrap().dataset;
    assert_eq!((dataset.samples.len(), dataset.excluded), (2, 2));
    assert!(dataset.notices.contains(&Notice::UnmatchedExclude { pattern: "mistyped".to_owned() }));
    let options = LabelledOptions { exclude: vec!["/".to_owned()], ..Default::default() };
    let error = scan_labelled(data.path(), &model(), &options, None).unwrap_err();
    assert!(matches!(error, ScanError::Option { key: "exclude", .. }), "{error}");
    // One folder too high.
    let nested = Data::new();
    nested.add_classes("archive", &["nevus", "melanoma"], 2);
    let text = message(nested.path(), None);
    assert!(text.contains("did you mean") && text.contains("archive?"), "{text}");
}

#[test]
fn what_cannot_be_judged_is_explained() {
    let data = Data::new();
    assert!(message(data.path(), None).contains("the folder is empty"));
    data.png("1.png", 1);
    data.png("2.png", 2);
    assert!(message(data.path(), None).contains("no class folders: a class is a folder with its images"));
    assert!(message(&data.join("1.png"), None).contains("is a file, but data is a folder"));
    assert!(matches!(judge(&data.join("0.png"), None).unwrap_err(), ScanError::Missing { .. }));
    data.add_classes("train", &["nevus"], 1);
    data.write("val/nevus/notes.txt", "");
    let text = message(data.path(), None);
    assert!(text.contains("val: 1 folders, 1 files of other kinds"), "{text}");
    data.png("test/1.png", 1);
    let error = judge(data.path(), Some(Split::Test)).unwrap_err();
    assert!(matches!(&error, ScanError::NoClassFolders { path } if path.ends_with("test")), "{error}");
}

#[test]
fn bad_images_are_listed_or_fail_but_no_class_is_needed() {
    let data = Data::classes(&["nevus", "melanoma"], 2);
    let whole = png(5);
    for i in 0..2 {
        data.write(format!("nevus/{i:03}.png"), "no");
        data.write(format!("melanoma/{i:03}.png"), &whole[..whole.len() - 30]);
    }
    data.png("melanoma/good.png", 1);
    let dataset = judge(data.path(), None).unwrap().dataset;
    assert_eq!((dataset.samples.len(), dataset.skipped.len()), (3, 2));
    let loaded = load_all(&dataset).unwrap();
    assert_eq!((loaded.kept, loaded.skipped.len()), (vec![2], 2));
    let fail = LabelledOptions { on_bad_image: OnBadImage::Fail, ..Default::default() };
    let error = scan_labelled(data.path(), &model(), &fail, None).unwrap_err();
    assert!(matches!(&error, ScanError::BadImages { bad } if bad.len() == 2), "{error}");
    fs::remove_file(data.join("melanoma/good.png")).unwrap();
    let error = load_all(&judge(data.path(), None).unwrap().dataset).unwrap_err();
    assert!(matches!(&error, LoadError::NoneUsable { bad } if bad.len() == 2), "{error}");
    fs::remove_dir_all(data.join("melanoma")).unwrap();
    let text = message(data.path(), None);
    assert!(text.contains("none of the 2 images can be used") && text.contains("000.png"), "{text}");
    // No class is lost where its training set is not asked for.
    let data = Data::new();
    data.add_classes("train", &["a", "b"], 2);
    data.add_classes("val", &["a", "b"], 1);
    data.write("val/a/000.png", &whole[..whole.len() - 30]);
    let dataset = data.scan().unwrap();
    let val = dataset.indices(Split::Val);
    let loaded = load(&dataset, &val, &RULE, None, OnBadImage::Skip, &|_| {}, &|| false).unwrap();
    assert_eq!(loaded.kept.len(), 1);
}

#[test]
fn a_manifest_gives_one_split_or_all_rows() {
    let data = files(6);
    let judge = |text: &str, split| {
        data.write("data.csv", text);
        judge(&data.join("data.csv"), split)
    };
    let rows = "images/0.png,nevus\nimages/1.png,melanoma\n";
    let all = judge(&format!("path,label\n{rows}"), None).unwrap();
    assert_eq!((all.split, all.dataset.class_counts(Split::Test)), (None, vec![1, 1, 0]));
    let error = judge(&format!("path,label\n{rows}"), Some(Split::Test)).unwrap_err();
    assert!(matches!(error, ScanError::NoSplits { wanted: Split::Test, .. }), "{error}");
    let rows = "path,label,split\nimages/0.png,wart,train\nimages/1.png,nevus,test\nimages/2.png,nevus,val\n";
    let val = judge(rows, None).unwrap();
    assert_eq!((val.split, val.dataset.samples.len()), (Some(Split::Val), 1));
    assert!(val.dataset.samples[0].path.ends_with("2.png"));
    assert_eq!(judge(rows, Some(Split::Test)).unwrap().split, Some(Split::Test));
    let text = judge(rows, Some(Split::Train)).unwrap_err().to_string();
    assert!(text.contains("\"wart\" (1 image)"), "{text}");
    let only_train = "path,label,split\nimages/0.png,nevus,train\n";
    let text = judge(only_train, None).unwrap_err().to_string();
    assert!(text.contains("only train; choose --split train"), "{text}");
}

#[test]
fn idx_labels_belong_to_the_class_with_their_number() {
    let data = Data::new();
    let put = |prefix: &str, (images, labels): (Vec<u8>, Vec<u8>)| {
        data.write(format!("{prefix}-images-idx3-ubyte"), images);
        data.write(format!("{prefix}-labels-idx1-ubyte"), labels);
    };
    let judge = |classes: &[&str], split| {
        let classes: Vec<String> = classes.iter().map(|class| (*class).to_owned()).collect();
        scan_labelled(data.path(), &classes, &by(split), None)
    };
    put("t10k", pair(6, 3));
    let labels = |labelled: &Labelled| labelled.dataset.samples.iter().map(|s| s.label).collect::<Vec<_>>();
    // Only the test pair, padded names, another order.
    let test = judge(&["02", "01", "00", "11"], None).unwrap();
    assert_eq!((test.split, test.dataset.form), (Some(Split::Test), Form::Idx));
    assert_eq!(labels(&test), [2, 1, 0, 2, 1, 0]);
    put("train", pair(8, 2));
    assert_eq!(judge(&["0", "1", "2"], None).unwrap().split, Some(Split::Test));
    let train = judge(&["0", "1", "2"], Some(Split::Train)).unwrap();
    assert_eq!(labels(&train), [0, 1, 0, 1, 0, 1, 0, 1]);
    assert!(train.dataset.samples.iter().all(|s| s.split == Split::Train));
    let text = judge(&["0", "1", "2"], Some(Split::Val)).unwrap_err().to_string();
    assert!(text.contains("no val set of its own, only train, test"), "{text}");
    let text = judge(&["0", "1", "shirt"], None).unwrap_err().to_string();
    assert!(text.contains("\"2\" (2 images)") && text.contains("it knows 0, 1, shirt"), "{text}");
    assert_eq!(load_all(&test.dataset).unwrap().pixels.len(), 6);
    // To be trained on, it would need the other pair.
    fs::remove_file(data.join("train-images-idx3-ubyte")).unwrap();
    fs::remove_file(data.join("train-labels-idx1-ubyte")).unwrap();
    assert!(matches!(data.scan().unwrap_err(), ScanError::NoTrain { .. }));
}

#[test]
fn a_runs_own_split_can_be_made_again() {
    let data = Data::classes(&["a", "b", "c"], 30);
    data.png("a/copy.png", 5);
    data.png("b/copy.png", 5);
    data.write("c/bad.png", "");
    let exclude = vec!["c/00*".to_owned()];
    let options = ScanOptions { val_frac: 0.3, seed: 7, exclude, ..Default::default() };
    let first = data.scan_by(&options).unwrap();
    let names = |dataset: &Dataset, split| -> Vec<String> {
        dataset.indices(split).into_iter().map(|i| paths(dataset)[i].clone()).collect()
    };
    let val = names(&first, Split::Val);
    // With a cache, on one thread, and in another place with files that were made in another order.
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), 1 << 30);
    for _ in 0..2 {
        let again = pupila_dataset::scan(data.path(), &options, Some(&cache)).unwrap();
        assert_eq!(summary(&again), summary(&first));
    }
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(summary(&one.install(|| data.scan_by(&options)).unwrap()), summary(&first));
    let moved = Data::new();
    let files: Vec<_> = first.samples.iter().map(|s| s.path.strip_prefix(data.path()).unwrap()).collect();
    for file in files.into_iter().rev() {
        moved.write(file, fs::read(data.join(file)).unwrap());
    }
    moved.write("c/000.png", png(1));
    let again = moved.scan_by(&options).unwrap();
    assert_eq!(names(&again, Split::Val), val);
    // A smaller part to train on has the same validation set.
    let part = ScanOptions { fraction: 0.5, max_per_class: Some(3), ..options };
    assert_eq!(names(&data.scan_by(&part).unwrap(), Split::Val), val);
}

#[test]
fn judging_one_split_keeps_what_is_remembered_of_the_others() {
    let data = Data::new();
    data.add_classes("train", &["nevus", "melanoma"], 4);
    data.add_classes("val", &["nevus", "melanoma"], 2);
    let folder = tempfile::tempdir().unwrap();
    // Young files are not remembered.
    let cache = Cache::open(folder.path(), 1 << 30).at(tomorrow());
    let entries = || {
        let index = fs::read_dir(folder.path().join("v1/stat")).unwrap().next().unwrap().unwrap();
        (index.metadata().unwrap().len() - 28) / 80
    };
    let val = |cache| scan_labelled(data.path(), &model(), &by(None), cache).unwrap().dataset;
    let reference = summary(&val(None));
    assert_eq!(summary(&val(Some(&cache))), reference);
    assert_eq!(entries(), 4);
    data.scan_with(&cache);
    assert_eq!(entries(), 12);
    data.png("val/nevus/new.png", 3);
    data.png("val/nevus/000.png", 4);
    // Both contents may have been written within what the file system takes for one moment.
    set_modified(data.join("val/nevus/000.png"), SystemTime::UNIX_EPOCH);
    assert_eq!(summary(&val(Some(&cache))), summary(&val(None)));
    assert_eq!(entries(), 13);
}
