//! What says of which split an image is, and is not its folder: arrays beside the images, values of a column; in generated data of many forms.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::numpy::{images, labels, npy, npy_of, npz, pixels, scan_at};
use common::{Data, files};
use pupila_dataset::{
    Dataset, LabelledOptions, Layout, Notice, OnBadImage, ScanOptions, Split, scan, scan_images,
    scan_labelled,
};

fn text(values: &[&str]) -> Vec<u8> {
    const LONGEST: usize = 16;
    let padded = |value: &&str| {
        let mut points: Vec<u32> = value.chars().map(u32::from).collect();
        points.resize(LONGEST, 0);
        points.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>()
    };
    npy_of("<U16", &[values.len()], &values.iter().flat_map(padded).collect::<Vec<u8>>())
}

fn counts(dataset: &Dataset) -> [usize; 3] {
    Split::ALL.map(|split| dataset.class_counts(split).iter().sum())
}

/// A file of images and labels, and whatever else.
fn file(n: usize, others: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut arrays =
        vec![("images", npy(&[n, 4, 4], &images(n, 4, 1, 1))), ("labels", npy(&[n], &labels(n, 2)))];
    arrays.extend(others.iter().cloned());
    npz(&arrays)
}

#[test]
fn arrays_say_of_which_split_each_image_is_as_columns_do() {
    let of = |names: [&str; 3]| -> Vec<u8> {
        let all: Vec<&str> = (0..30).map(|at| names[usize::from(at >= 20) + usize::from(at >= 25)]).collect();
        text(&all)
    };
    let bits = |is: fn(usize) -> bool| {
        npy_of("|b1", &[30], &(0..30).map(|at| u8::from(is(at))).collect::<Vec<u8>>())
    };
    let whole: Vec<u8> = (0..30i64).flat_map(|at| i64::from(at >= 20).to_le_bytes()).collect();
    for (name, others, expected) in [
        ("split", vec![("split", of(["train", "val", "test"]))], [20, 5, 5]),
        ("subset", vec![("subset", of(["Training", "dev", "Testing set"]))], [20, 5, 5]),
        ("is_valid", vec![("is_valid", bits(|at| at >= 20))], [20, 10, 0]),
        (
            "is_test, is_val",
            vec![("is_val", bits(|at| (20..25).contains(&at))), ("is_test", bits(|at| at >= 25))],
            [20, 5, 5],
        ),
        ("valid", vec![("valid", npy_of("<i8", &[30], &whole))], [20, 10, 0]),
        (
            "train_mask, val_mask",
            vec![("train_mask", bits(|at| at < 20)), ("val_mask", bits(|at| (20..25).contains(&at)))],
            [20, 5, 5],
        ),
    ] {
        let data = Data::new();
        data.write("d.npz", file(30, &others));
        let dataset = scan_at(&data.join("d.npz")).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((counts(&dataset), dataset.val_from_train), (expected, false), "{name}");
        // In the order of the splits, each image is the one at its place.
        assert_eq!(pixels(&dataset, 4, 1), images(30, 4, 1, 1), "{name}");
        assert!(dataset.samples.iter().all(|of| of.path.to_string_lossy().starts_with("images[")), "{name}");
        let said = dataset.taken.to_string();
        assert!(said.contains(&format!("images with labels, {name} the splits")), "{said}");
        let options = LabelledOptions { split: Some(Split::Val), ..LabelledOptions::default() };
        let judged = scan_labelled(&data.join("d.npz"), &dataset.classes, &options, None).unwrap();
        assert_eq!(
            pixels(&judged.dataset, 4, 1),
            images(30, 4, 1, 1)[20 * 16..][..expected[1] * 16],
            "{name}"
        );
    }
}

#[test]
fn arrays_that_say_something_of_splits_and_are_not_read_are_told() {
    let numbers = |values: &[u8]| npy(&[values.len()], values);
    let folds: Vec<u8> = (0..30).map(|at| at % 5).collect();
    for (others, words) in [
        (vec![("fold", numbers(&folds))], "the column fold numbers folds"),
        (
            vec![("split_seed", numbers(&[7]))],
            "the array split_seed looks like the split, and is not read, since it has 1 values for 30 images",
        ),
        (
            vec![("partition", numbers(&folds.iter().map(|f| f % 3).collect::<Vec<u8>>()))],
            "the column partition looks like the split",
        ),
        // What nobody asked for is no reason to refuse the rest, whatever it is.
        (
            vec![("folds", npy_of("|O", &[30], b"\x80\x04."))],
            "the array folds looks like the split, and is not read, since",
        ),
    ] {
        let data = Data::new();
        data.write("d.npz", file(30, &others));
        let dataset = scan_at(&data.join("d.npz")).unwrap();
        assert!(dataset.val_from_train, "{words}");
        assert!(
            dataset.notices.iter().any(|notice| notice.to_string().contains(words)),
            "{words}: {:?}",
            dataset.notices
        );
    }
    // Where the names say it, an array need not.
    let data = Data::new();
    let pair = |n: usize, seed: usize| (npy(&[n, 4, 4], &images(n, 4, 1, seed)), npy(&[n], &labels(n, 2)));
    let ((x, y), (x_test, y_test)) = (pair(12, 1), pair(4, 2));
    let split = text(&["train"; 12]);
    data.write(
        "d.npz",
        npz(&[("x_train", x), ("y_train", y), ("x_test", x_test), ("y_test", y_test), ("split", split)]),
    );
    let dataset = scan_at(&data.join("d.npz")).unwrap();
    assert!(
        dataset
            .notices
            .iter()
            .any(|told| matches!(told, Notice::ArrayNotRead { array, .. } if array == "split"))
    );
}

#[test]
fn a_pair_without_a_word_is_the_training_set_beside_the_others() {
    for (one, [images_name, labels_name]) in [
        (["images", "labels"], ["test_images", "test_labels"]),
        (["x", "y"], ["x_test", "y_test"]),
        (["X", "Y"], ["X_val", "Y_val"]),
        (["data", "target"], ["data_valid", "target_valid"]),
    ] {
        let data = Data::new();
        let (whole, other) = (images(24, 4, 1, 1), images(8, 4, 1, 2));
        data.write(
            "d.npz",
            npz(&[
                (one[0], npy(&[24, 4, 4], &whole)),
                (one[1], npy(&[24], &labels(24, 2))),
                (images_name, npy(&[8, 4, 4], &other)),
                (labels_name, npy(&[8], &labels(8, 2))),
            ]),
        );
        let dataset = scan_at(&data.join("d.npz")).unwrap();
        let said = dataset.taken.to_string();
        assert!(said.contains(&format!("{} with {} -> train", one[0], one[1])), "{said}");
        assert_eq!(
            dataset.samples.len() - counts(&dataset)[0],
            if images_name.contains("test") { 8 + 4 } else { 8 }
        );
        let split = if images_name.contains("test") { Split::Test } else { Split::Val };
        let options = LabelledOptions { split: Some(split), ..LabelledOptions::default() };
        let judged = scan_labelled(&data.join("d.npz"), &dataset.classes, &options, None).unwrap();
        assert_eq!(pixels(&judged.dataset, 4, 1), other);
    }
    // The training set has its word, and what has none may be all of it.
    let data = Data::new();
    let of = |n: usize| npy(&[n, 4, 4], &images(n, 4, 1, n));
    let y = |n: usize| npy(&[n], &labels(n, 2));
    data.write(
        "d.npz",
        npz(&[
            ("X", of(16)),
            ("y", y(16)),
            ("X_train", of(12)),
            ("y_train", y(12)),
            ("X_test", of(4)),
            ("y_test", y(4)),
        ]),
    );
    let words = scan_at(&data.join("d.npz")).unwrap_err().to_string();
    assert!(
        words.contains("X_train and y_train are the training set by their names, and X and y may be it too"),
        "{words}"
    );
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(value, split)| ((*value).to_owned(), (*split).to_owned())).collect()
}

#[test]
fn values_that_name_no_split_get_a_meaning_by_a_key() {
    // The same in a table of files, in one of pixels, and in arrays.
    let split_of = |at: usize| match at {
        0..20 => "0",
        20..25 => "1",
        25..29 => "2",
        _ => "extra",
    };
    let data = files(30);
    let rows: String = (0..30).map(|at| format!("images/{at}.png,{},{}\n", at % 2, split_of(at))).collect();
    data.write("files.csv", format!("path,label,split\n{rows}"));
    let pixel = |at: usize| (0..16).map(|p| ((at * 16 + p) % 251).to_string()).collect::<Vec<_>>().join(",");
    let header = (0..16).map(|p| format!("pixel{p}")).collect::<Vec<_>>().join(",");
    let rows: String = (0..30).map(|at| format!("{},{},{}\n", at % 2, split_of(at), pixel(at))).collect();
    data.write("pixels.csv", format!("label,split,{header}\n{rows}"));
    data.write("arrays.npz", file(30, &[("split", text(&(0..30).map(split_of).collect::<Vec<_>>()))]));
    for name in ["files.csv", "pixels.csv", "arrays.npz"] {
        let path = data.join(name);
        let words = scan_at(&path).unwrap_err().to_string();
        let line = "--set 'data.split_values={ 0 = \"train\", 1 = \"val\", 2 = \"test\", extra = \"none\" }'";
        assert!(words.contains(line) && words.contains("nor do those of 29 other rows"), "{name}: {words}");
        let with = |pairs: &[(&str, &str)]| {
            let layout = Layout { split_values: values(pairs), ..Layout::default() };
            scan(&path, &ScanOptions { layout, ..ScanOptions::default() }, None)
        };
        let all = [("0", "train"), ("1", "val"), ("2", "test"), ("extra", "none")];
        let dataset = with(&all).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(counts(&dataset), [20, 5, 4], "{name}");
        // What is left is told.
        let words = with(&all[..3]).unwrap_err().to_string();
        assert!(words.contains("its value \"extra\" is none; say what is meant"), "{name}: {words}");
        let words = with(&[("0", "tarin")]).unwrap_err().to_string();
        assert!(words.contains("data.split_values is { \"0\" = \"tarin\" }"), "{name}: {words}");
    }
    // Three numbers are most often these three.
    let rows: String = (0..30).map(|at| format!("images/{at}.png,{},{}\n", at % 2, at % 3)).collect();
    data.write("three.csv", format!("path,label,split\n{rows}"));
    let words = scan_at(&data.join("three.csv")).unwrap_err().to_string();
    assert!(words.contains("{ 0 = \"train\", 1 = \"val\", 2 = \"test\" }"), "{words}");
    // More are folds, of which one is validated on.
    for fold in ["", "fold", "fold_"] {
        let rows: String =
            (0..30).map(|at| format!("images/{at}.png,{},{fold}{}\n", at % 2, 1 + at % 5)).collect();
        data.write("folds.csv", format!("path,label,split\n{rows}"));
        let words = scan_at(&data.join("folds.csv")).unwrap_err().to_string();
        let (first, last) = (format!("{fold}1 = \"train\", "), format!("{fold}5 = \"val\" }}'"));
        assert!(words.contains(&first) && words.contains(&last), "{words}");
    }
    // A column that is called so and counts is told.
    data.write("partition.csv", format!("path,label,partition\n{rows}"));
    let dataset = scan_at(&data.join("partition.csv")).unwrap();
    let told = dataset.notices.iter().map(ToString::to_string).find(|told| told.contains("partition"));
    let line = "--set data.split_column=partition --set 'data.split_values={ 0 = \"train\", 1 = \"val\", 2 = \"test\" }'";
    assert!(told.as_ref().is_some_and(|told| told.contains(line)), "{told:?}");
}

#[test]
fn a_column_whose_values_name_splits_says_them_whatever_it_is_called() {
    let columns = [
        "role",
        "ds",
        "data_split",
        "train_val_test",
        "train/test",
        "Dataset_type",
        "ensemble",
        "Teilmenge",
        "fold",
        "which",
        "stage",
        "kind",
        "etapa",
    ];
    let words = [
        ["train", "val", "test"],
        ["TRAIN", "DEV", "TEST"],
        ["Training", "PublicTest", "PrivateTest"],
        ["apprentissage", "validation", "test"],
        ["entrenamiento", "validación", "prueba"],
    ];
    let pixel = |at: usize| (0..16).map(|p| ((at * 16 + p) % 251).to_string()).collect::<Vec<_>>().join(",");
    let header = (0..16).map(|p| format!("pixel{p}")).collect::<Vec<_>>().join(",");
    for (place, column) in columns.into_iter().enumerate() {
        let words = words[place % words.len()];
        let of = |at: usize| words[usize::from(at >= 20) + usize::from(at >= 25)];
        let data = files(30);
        let rows: String = (0..30).map(|at| format!("images/{at}.png,{},{}\n", at % 2, of(at))).collect();
        data.write("files.csv", format!("path,label,{column}\n{rows}"));
        let rows: String = (0..30).map(|at| format!("{},{},{}\n", at % 2, of(at), pixel(at))).collect();
        data.write("pixels.csv", format!("label,{column},{header}\n{rows}"));
        let name = column.replace('/', "_");
        data.write("arrays.npz", file(30, &[(&name, text(&(0..30).map(of).collect::<Vec<_>>()))]));
        for kind in ["files.csv", "pixels.csv", "arrays.npz"] {
            let dataset =
                scan_at(&data.join(kind)).unwrap_or_else(|error| panic!("{column}, {kind}: {error}"));
            assert_eq!(counts(&dataset), [20, 5, 5], "{column}, {kind}");
            assert!(
                dataset.taken.to_string().contains(&name) || dataset.taken.to_string().contains(column),
                "{column}, {kind}"
            );
        }
        // One that says another thing in one row says nothing of splits.
        let rows: String = (0..30)
            .map(|at| format!("images/{at}.png,{},{}\n", at % 2, if at == 29 { "kitchen" } else { of(at) }))
            .collect();
        data.write(
            "odd.csv",
            format!("path,label,{}{column}\n{rows}", if column.contains("split") { "" } else { "note_" }),
        );
        assert!(!scan_at(&data.join("odd.csv")).is_ok_and(|dataset| !dataset.val_from_train), "{column}");
    }
}

#[test]
fn columns_that_count_splits_or_folds_are_told() {
    for (column, values, words) in [
        ("set", ["1", "2", "3"], "1 = \"train\", 2 = \"val\", 3 = \"test\""),
        ("data_split", ["0", "1", "1"], "0 = \"train\", 1 = \"val\""),
        ("train_test", ["1", "0", "0"], "looks like the split"),
        ("fold", ["-1", "0", "1"], "numbers folds"),
        ("kfold", ["test", "0", "1"], "numbers folds"),
    ] {
        let data = files(30);
        let rows: String =
            (0..30).map(|at| format!("images/{at}.png,{},{}\n", at % 2, values[at % 3])).collect();
        data.write("files.csv", format!("path,label,{column}\n{rows}"));
        let dataset = scan_at(&data.join("files.csv")).unwrap();
        let told: Vec<String> = dataset.notices.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(words)), "{column}: {told:?}");
    }
}

#[test]
fn what_says_the_splits_is_nothing_to_a_model_that_labels() {
    let data = Data::new();
    let of = |name: &str| format!("set/{name}.npy");
    data.write(of("images"), npy(&[30, 4, 4], &images(30, 4, 1, 1)));
    data.write(of("labels"), npy(&[30], &labels(30, 2)));
    data.write(of("split"), npy(&[30], &(0..30).map(|at| at % 4).collect::<Vec<u8>>()));
    assert!(scan_at(&data.join("set")).unwrap_err().to_string().contains("data.split_values"));
    let found = scan_images(&[data.join("set")], OnBadImage::Fail, None).unwrap();
    assert_eq!(found.samples.len(), 30);
}

#[test]
fn rows_that_a_meaning_leaves_out_need_no_label() {
    let data = files(12);
    let row = |at: usize| match at {
        0..8 => format!("images/{at}.png,{},{}\n", ["a", "b"][at % 2], ["train", "val"][at / 2 % 2]),
        // By another name than the one that is said to be left out.
        _ => format!("images/{at}.png,,Testing\n"),
    };
    data.write("files.csv", format!("path,label,split\n{}", (0..12).map(row).collect::<String>()));
    let layout = Layout { split_values: values(&[("test", "none")]), ..Layout::default() };
    let dataset =
        scan(&data.join("files.csv"), &ScanOptions { layout, ..ScanOptions::default() }, None).unwrap();
    assert_eq!(counts(&dataset), [4, 4, 0]);
}

#[test]
fn what_has_no_label_is_told_once_with_what_to_type() {
    let data = files(12);
    let label = |at: usize| if at % 4 == 3 { "" } else { ["a", "b"][at % 2] };
    let rows: String = (0..12).map(|at| format!("images/{at}.png,{}\n", label(at))).collect();
    data.write("files.csv", format!("path,label\n{rows}"));
    let pixel = |at: usize| (0..16).map(|p| ((at * 16 + p) % 251).to_string()).collect::<Vec<_>>().join(",");
    let header = (0..16).map(|p| format!("pixel{p}")).collect::<Vec<_>>().join(",");
    let rows: String = (0..12).map(|at| format!("{},{}\n", label(at), pixel(at))).collect();
    data.write("pixels.csv", format!("label,{header}\n{rows}"));
    let arrays = [
        ("images", npy(&[12, 4, 4], &images(12, 4, 1, 1))),
        ("labels", text(&(0..12).map(label).collect::<Vec<_>>())),
    ];
    data.write("arrays.npz", npz(&arrays));
    for name in ["files.csv", "pixels.csv", "arrays.npz"] {
        let words = scan_at(&data.join(name)).unwrap_err().to_string();
        let line = "is empty (and of 2 others); leave them out of the data, or make a class of them: --set 'data.rename={ \"\" = \"unlabeled\" }'";
        assert!(words.contains(line), "{name}: {words}");
        let layout = Layout { rename: values(&[("", "unlabeled")]), ..Layout::default() };
        let dataset =
            scan(&data.join(name), &ScanOptions { layout, ..ScanOptions::default() }, None).unwrap();
        assert_eq!(dataset.classes, ["a", "b", "unlabeled"], "{name}");
    }
    // All of one split, as the test sets of competitions.
    let rows: String = (0..12)
        .map(|at| {
            format!(
                "images/{at}.png,{},{}\n",
                if at < 8 { ["a", "b"][at % 2] } else { "" },
                if at < 8 { "train" } else { "holdout" }
            )
        })
        .collect();
    data.write("competition.csv", format!("path,label,split\n{rows}"));
    let words = scan_at(&data.join("competition.csv")).unwrap_err().to_string();
    let line =
        "that is all rows of holdout, which --set 'data.split_values={ holdout = \"none\" }' leaves out";
    assert!(words.contains(line), "{words}");
    let layout = Layout { split_values: values(&[("holdout", "none")]), ..Layout::default() };
    let options = ScanOptions { layout, ..ScanOptions::default() };
    assert_eq!(scan(&data.join("competition.csv"), &options, None).unwrap().samples.len(), 8);
}

/// Arrays of whole numbers of 64 bits, as NumPy makes them.
fn places(numbers: impl Iterator<Item = i64>) -> Vec<u8> {
    let numbers: Vec<i64> = numbers.collect();
    npy_of("<i8", &[numbers.len()], &numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>())
}

#[test]
fn numbers_of_images_say_the_splits() {
    for (train, val, test) in [
        ("train_idx", "val_idx", "test_idx"),
        ("idx_train", "idx_val", "idx_test"),
        ("train_indices", "valid_indices", "test_indices"),
        ("train_index", "dev_index", "test_index"),
        ("tr_idx", "va_idx", "te_idx"),
        ("trainIdx", "valIdx", "testIdx"),
    ] {
        let data = Data::new();
        // Each fifth is validated and tested, in any order.
        let of = |rest: fn(i64) -> bool| places((0..30).rev().filter(move |&at| rest(at)));
        let parts = [(train, of(|at| at % 5 < 3)), (val, of(|at| at % 5 == 3)), (test, of(|at| at % 5 == 4))];
        data.write("d.npz", file(30, &parts));
        let dataset = scan_at(&data.join("d.npz")).unwrap();
        assert_eq!((counts(&dataset), dataset.val_from_train), ([18, 6, 6], false), "{train}");
        for sample in &dataset.samples {
            let at: usize = sample
                .path
                .to_string_lossy()
                .trim_start_matches("images[")
                .trim_end_matches(']')
                .parse()
                .unwrap();
            let expected = [Split::Train, Split::Train, Split::Train, Split::Val, Split::Test][at % 5];
            assert_eq!(sample.split, expected, "{train}: {at}");
        }
        // What is in none is trained on where no array says that, else left out.
        data.write("rest.npz", file(30, &parts[2..]));
        let dataset = scan_at(&data.join("rest.npz")).unwrap();
        assert_eq!((counts(&dataset)[2], dataset.samples.len()), (6, 30), "{test}");
        data.write("part.npz", file(30, &[parts[0].clone(), parts[2].clone()]));
        let dataset = scan_at(&data.join("part.npz")).unwrap();
        assert_eq!(dataset.samples.len(), 24);
        assert!(dataset.taken.to_string().contains("(6 images left out)"), "{}", dataset.taken);
    }
}

#[test]
fn arrays_of_splits_that_cannot_be_meant_are_refused_with_the_line_that_ignores_them() {
    let short = text(&["train"; 25]);
    for (others, words) in [
        (vec![("train_idx", places(0..22)), ("test_idx", places(20..30))], "test_idx has it too"),
        (vec![("train_idx", places((0..20).chain([3])))], "train_idx has the image 3 twice"),
        (vec![("train_idx", places(1..21)), ("test_idx", places(21..31))], "test_idx seems to count from 1"),
        (
            vec![("test_idx", places([0, 40].into_iter()))],
            "test_idx has the number 40, and the 30 images are 0 to 29",
        ),
        (vec![("test_idx", places([-1, 4].into_iter()))], "test_idx has the number -1"),
        (vec![("test_idx", places((0..30).map(|at| at % 2)))], "call it test_mask"),
        (vec![("test_idx", text(&["a", "b"]))], "it holds text"),
        (vec![("split", short)], "it has 25 values for 30 images"),
        (vec![("is_test", places((0..12).map(|at| at % 2)))], "it has 12 values for 30 images"),
        (vec![("split", npy_of("|O", &[30], b"\x80\x04."))], "pickled objects"),
    ] {
        let data = Data::new();
        data.write("d.npz", file(30, &others));
        let error = scan_at(&data.join("d.npz")).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("--set data.split_column=none"), "{words}: {error}");
        let layout = Layout { split_column: Some("none".into()), ..Layout::default() };
        let dataset = scan(&data.join("d.npz"), &ScanOptions { layout, ..Default::default() }, None).unwrap();
        assert_eq!((counts(&dataset)[2], dataset.val_from_train), (0, true), "{words}");
    }
}

#[test]
fn short_names_of_splits_pair_arrays() {
    let of = |n: usize, seed: usize| npy(&[n, 4, 4], &images(n, 4, 1, seed));
    let labelled = |n: usize| npy(&[n], &labels(n, 2));
    for (train, val, test) in [
        (["X_tr", "y_tr"], ["X_va", "y_va"], ["X_te", "y_te"]),
        (["tr_x", "tr_y"], ["dev_x", "dev_y"], ["te_x", "te_y"]),
        (["Xtr", "ytr"], ["Xval", "yval"], ["Xte", "yte"]),
        (["trainX", "trainY"], ["valX", "valY"], ["testX", "testY"]),
        (["images_trn", "labels_trn"], ["images_vl", "labels_vl"], ["images_tst", "labels_tst"]),
        (["x_tr", "t_labels_train"], ["x_dev", "labels_dev"], ["x_ts", "labels_test"]),
    ] {
        let data = Data::new();
        let all = [(train, 20, 1), (val, 6, 2), (test, 8, 3)];
        let arrays: Vec<(&str, Vec<u8>)> =
            (all.iter()).flat_map(|&([x, y], n, seed)| [(x, of(n, seed)), (y, labelled(n))]).collect();
        data.write("d.npz", npz(&arrays));
        let dataset = scan_at(&data.join("d.npz")).unwrap_or_else(|error| panic!("{train:?}: {error}"));
        assert_eq!((counts(&dataset), dataset.val_from_train), ([20, 6, 8], false), "{train:?}");
    }
    // What no name says is no reason to train on one of two sets: the line names both.
    let data = Data::new();
    let arrays = [("X_new", of(8, 1)), ("y_new", labelled(8)), ("X_old", of(20, 2)), ("y_old", labelled(20))];
    data.write("d.npz", npz(&arrays));
    let error = scan_at(&data.join("d.npz")).unwrap_err().to_string();
    assert!(error.contains("x_train=d['X_old'], y_train=d['y_old'], x_test=d['X_new']"), "{error}");
    assert!(!error.contains("--set data.images"), "{error}");
}
