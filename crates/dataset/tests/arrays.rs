//! Arrays: NumPy's files, and tables of pixels.

#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;

use common::numpy::{images, labels, npy, npz, pixels, scan_at};
use common::{Data, paths};
use pupila_dataset::{
    Form, LabelledOptions, Layout, Notice, OnBadImage, ResizeRule, ScanError, ScanOptions, Split, load, scan,
    scan_images, scan_labelled,
};
use pupila_image::Reading;

#[test]
fn medmnist_files_bring_splits_and_pixels() {
    let data = Data::new();
    let (train, val, test) = (images(24, 4, 3, 1), images(6, 4, 3, 2), images(6, 4, 3, 3));
    data.write(
        "pathmnist.npz",
        npz(&[
            ("train_images", npy(&[24, 4, 4, 3], &train)),
            ("val_images", npy(&[6, 4, 4, 3], &val)),
            ("test_images", npy(&[6, 4, 4, 3], &test)),
            ("train_labels", npy(&[24, 1], &labels(24, 3))),
            ("val_labels", npy(&[6, 1], &labels(6, 3))),
            ("test_labels", npy(&[6, 1], &labels(6, 3))),
        ]),
    );
    let path = data.join("pathmnist.npz");
    let dataset = scan_at(&path).unwrap();
    assert_eq!((dataset.form, dataset.classes.concat()), (Form::Arrays, "012".to_owned()));
    let counts = Split::ALL.map(|split| dataset.class_counts(split));
    assert_eq!(counts, [vec![8; 3], vec![2; 3], vec![2; 3]]);
    assert_eq!(pixels(&dataset, 4, 3), [train, val, test.clone()].concat());
    assert_eq!(paths(&dataset)[0], "train_images[0]");
    let said = dataset.taken.to_string();
    assert!(said.contains("train_images with train_labels -> train"), "{said}");

    let classes = ["0", "1", "2"].map(str::to_owned);
    let options = LabelledOptions { split: Some(Split::Test), ..LabelledOptions::default() };
    let judged = scan_labelled(&path, &classes, &options, None).unwrap();
    assert_eq!((judged.split, pixels(&judged.dataset, 4, 3)), (Some(Split::Test), test));
    // A model that does not know a class.
    let error = scan_labelled(&path, &classes[..2], &options, None).unwrap_err();
    assert!(matches!(error, ScanError::UnknownToModel { .. }), "{error}");
    let all = scan_images(&[path], OnBadImage::Fail, None).unwrap();
    assert_eq!(all.samples.len(), 36);
}

#[test]
fn a_class_is_renamed_by_its_number_with_zeros_before_it_or_without() {
    let data = Data::new();
    let npz = |n: usize| {
        npz(&[("images", npy(&[n, 4, 4], &images(n, 4, 1, 1))), ("labels", npy(&[n], &labels(n, 12)))])
    };
    data.write("d.npz", npz(48));
    for key in ["3", "03"] {
        let layout = Layout { rename: [(key.to_owned(), "nevus".to_owned())].into(), ..Layout::default() };
        let options = ScanOptions { layout: layout.clone(), ..ScanOptions::default() };
        let dataset = scan(&data.join("d.npz"), &options, None).unwrap();
        assert_eq!(dataset.classes[2..4], ["02", "04"]);
        assert_eq!(dataset.classes[11], "nevus");
        assert!(!dataset.notices.iter().any(|notice| matches!(notice, Notice::UnmatchedRename { .. })));
        // The model is judged by the same names.
        let options = LabelledOptions { layout, ..LabelledOptions::default() };
        let judged = scan_labelled(&data.join("d.npz"), &dataset.classes, &options, None).unwrap();
        let nevus = judged.dataset.samples.iter().filter(|sample| sample.label == 11).count();
        assert_eq!((judged.dataset.samples.len(), nevus), (48, 4));
    }
}

#[test]
fn arrays_of_two_scales_are_refused() {
    let data = Data::new();
    let float = |n: usize, scale: f32| {
        let values = images(n, 4, 1, 1).into_iter().flat_map(|v| (f32::from(v) * scale).to_le_bytes());
        let mut file = npy(&[n, 4, 4], &[]);
        // The same length of text.
        let at = file.windows(3).position(|bytes| bytes == b"|u1").unwrap();
        file[at..at + 3].copy_from_slice(b"<f4");
        file.extend(values);
        file
    };
    let write = |test: f32| {
        data.write(
            "d.npz",
            npz(&[
                ("x_train", float(12, 1.0)),
                ("y_train", npy(&[12], &labels(12, 2))),
                ("x_test", float(4, test)),
                ("y_test", npy(&[4], &labels(4, 2))),
            ]),
        );
        scan_at(&data.join("d.npz"))
    };
    assert_eq!(write(1.0).unwrap().samples.len(), 16);
    let error = write(1.0 / 255.0).unwrap_err().to_string();
    assert!(error.contains("x_test go from 0 to 1"), "{error}");
}

#[test]
fn arrays_are_paired_by_name_wherever_they_lie() {
    let (x, y) = (npy(&[12, 4, 4], &images(12, 4, 1, 1)), npy(&[12], &labels(12, 2)));
    let (x_test, y_test) = (npy(&[4, 4, 4], &images(4, 4, 1, 2)), npy(&[4], &labels(4, 2)));
    type Files<'a> = &'a [(&'a str, Vec<u8>)];
    let cases: [(&str, Files<'_>, [usize; 2]); 7] = [
        (
            "keras",
            &[(
                "d.npz",
                npz(&[
                    ("x_train", x.clone()),
                    ("y_train", y.clone()),
                    ("x_test", x_test.clone()),
                    ("y_test", y_test.clone()),
                ]),
            )],
            [12, 4],
        ),
        ("sklearn", &[("X.npy", x.clone()), ("y.npy", y.clone())], [12, 0]),
        ("nameless", &[("d.npz", npz(&[("arr_0", y.clone()), ("arr_1", x.clone())]))], [12, 0]),
        (
            "kmnist",
            &[
                ("kmnist-train-imgs.npz", npz(&[("arr_0", x.clone())])),
                ("kmnist-train-labels.npz", npz(&[("arr_0", y.clone())])),
                ("kmnist-test-imgs.npz", npz(&[("arr_0", x_test.clone())])),
                ("kmnist-test-labels.npz", npz(&[("arr_0", y_test.clone())])),
            ],
            [12, 4],
        ),
        ("images", &[("images.npy", x.clone()), ("labels.npy", y.clone())], [12, 0]),
        (
            "test without labels",
            &[("train_x.npy", x.clone()), ("train_y.npy", y.clone()), ("test_x.npy", x_test.clone())],
            [12, 0],
        ),
        ("one file in a folder", &[("d.npz", npz(&[("data", x.clone()), ("target", y.clone())]))], [12, 0]),
    ];
    for (what, files, [train, test]) in cases {
        let data = Data::new();
        files.iter().for_each(|(name, bytes)| data.write(name, bytes));
        let dataset = data.scan().unwrap();
        let counts = [Split::Train, Split::Val, Split::Test].map(|split| dataset.indices(split).len());
        assert_eq!((counts[0] + counts[1], counts[2]), (train, test), "{what}");
        let unlabelled = dataset.notices.iter().any(|n| matches!(n, Notice::UnlabelledArray { .. }));
        assert_eq!(unlabelled, what == "test without labels", "{what}");
    }
    // Which belong together cannot be told.
    let wrong: [(&str, Files<'_>); 5] = [
        ("images alone", &[("d.npz", npz(&[("x_train", x.clone())]))]),
        (
            "two of images",
            &[("d.npz", npz(&[("x_train", x.clone()), ("train_images", x.clone()), ("y_train", y.clone())]))],
        ),
        (
            "splits and none",
            &[(
                "d.npz",
                npz(&[("x_train", x.clone()), ("y_train", y.clone()), ("x", x.clone()), ("y", y.clone())]),
            )],
        ),
        ("other names", &[("d.npz", npz(&[("weights", x.clone()), ("bias", y.clone())]))]),
        ("other lengths", &[("x.npy", x), ("y.npy", y_test)]),
    ];
    for (what, files) in wrong {
        let data = Data::new();
        files.iter().for_each(|(name, bytes)| data.write(name, bytes));
        let error = data.scan().unwrap_err();
        assert!(matches!(error, ScanError::Array { .. }), "{what}: {error}");
    }
    // Arrays beside pictures are not what is trained on.
    let beside = Data::classes(&["cat", "dog"], 3);
    beside.write("features.npy", npy(&[6, 4], &[0; 24]));
    assert_eq!(beside.scan().unwrap().form, Form::ClassFolders);
}

/// A table of `n` images, and their pixels.
fn table(
    n: usize,
    side: usize,
    channels: usize,
    label: &str,
    first: bool,
    header: bool,
) -> (String, Vec<u8>) {
    let pixels = images(n, side, channels, 5);
    let len = side * side * channels;
    let columns: Vec<String> = (0..len).map(|at| format!("pixel{at:04}")).collect();
    let mut text = String::new();
    let mut row = |class: &str, values: String| {
        writeln!(text, "{}", if first { format!("{class},{values}") } else { format!("{values},{class}") })
            .unwrap();
    };
    if header {
        row(label, columns.join(","));
    }
    for (at, image) in pixels.chunks_exact(len).enumerate() {
        let values: Vec<String> = image.iter().map(u8::to_string).collect();
        row(&(at % 2).to_string(), values.join(","));
    }
    (text, pixels)
}

#[test]
fn tables_of_pixels_are_read() {
    for (side, channels, label, first, header) in [
        (28, 1, "label", true, true),
        (8, 3, "label", false, true),
        (8, 1, "Class", false, true),
        (28, 1, "label", true, false),
        (8, 3, "label", true, false),
    ] {
        let (text, expected) = table(12, side, channels, label, first, header);
        let data = Data::new();
        for text in [text.clone(), text.replace(',', ";"), text.replace('\n', "\r\n")] {
            data.write("mnist.csv", &text);
            for path in [data.join("mnist.csv"), data.path().to_owned()] {
                let dataset = scan_at(&path).unwrap();
                assert_eq!((dataset.form, dataset.classes.concat()), (Form::PixelTable, "01".to_owned()));
                let mut got = vec![0; expected.len()];
                let len = side * side * channels;
                // In the order of the rows.
                for (sample, image) in dataset
                    .samples
                    .iter()
                    .zip(pixels(&dataset, side as u32, channels as u8).chunks_exact(len))
                {
                    let path = sample.path.to_str().unwrap();
                    let at: usize =
                        path.strip_prefix("mnist.csv[").unwrap().trim_end_matches(']').parse().unwrap();
                    got[at * len..][..len].copy_from_slice(image);
                }
                assert_eq!(got, expected, "{side} {channels} {label} {first} {header}");
            }
        }
    }
}

#[test]
fn values_of_other_scales_are_told_and_can_be_read() {
    // As scikit-learn's digits: 0 to 16.
    let data = Data::new();
    let digits: Vec<u8> = images(12, 8, 1, 1).into_iter().map(|value| value % 17).collect();
    data.write(
        "d.npz",
        npz(&[("images", npy(&[12, 8, 8], &digits)), ("target", npy(&[12], &labels(12, 2)))]),
    );
    let dataset = scan_at(&data.join("d.npz")).unwrap();
    let which: Vec<usize> = (0..12).collect();
    let none: &(dyn Fn() -> bool + Sync) = &|| false;
    let by = |white| {
        let reading = Reading { white, ..Reading::default() };
        let rule = ResizeRule { reading, ..ResizeRule::squash(8, 8, 1) };
        load(&dataset, &which, &rule, None, OnBadImage::Fail, &|_| {}, none).unwrap()
    };
    let plain = by(None);
    let text = plain.notices[0].to_string();
    assert!(text.contains("the largest value of the array is 16 of 255: --set input.white=16 "), "{text}");
    let white = by(Some(16));
    assert!(white.notices.is_empty());
    let expected: Vec<u8> =
        plain.pixels.data().iter().map(|&value| ((u32::from(value) * 255 + 8) / 16) as u8).collect();
    assert_eq!(white.pixels.data(), expected);
    // A table of fractions: 0 to 1.
    let (text, bytes) = table(8, 8, 1, "label", true, true);
    let unit: String = text
        .lines()
        .enumerate()
        .map(|(line, row)| {
            let value = |(at, field): (usize, &str)| match (line, at) {
                (0, _) | (_, 0) => field.to_owned(),
                _ => format!("{}", field.parse::<f64>().unwrap() / 255.0),
            };
            row.split(',').enumerate().map(value).collect::<Vec<_>>().join(",") + "\n"
        })
        .collect();
    data.write("unit.csv", unit);
    let dataset = scan_at(&data.join("unit.csv")).unwrap();
    assert!(dataset.taken.to_string().contains("values from 0 to 1 taken as black to white"));
    let loaded = pixels(&dataset, 8, 1);
    let (mut got, mut all): (Vec<&[u8]>, Vec<&[u8]>) =
        (loaded.chunks(64).collect(), bytes.chunks(64).collect());
    got.sort_unstable();
    all.sort_unstable();
    assert!(got == all);
}

#[test]
fn lines_are_counted_as_editors_count_them() {
    let (whole, _) = table(6, 8, 1, "label", true, true);
    for end in ["\n", "\r\n"] {
        let data = Data::new();
        let lines: Vec<String> = whole.lines().map(|line| line.replacen(",", ",300,", 1)).collect();
        let cut = |line: &str| line.rsplit_once(',').unwrap().0.to_owned();
        let mut text = vec![whole.lines().next().unwrap().to_owned()];
        text.extend(lines[1..].iter().map(|line| cut(line)));
        data.write("t.csv", text.join(end));
        let error = scan_at(&data.join("t.csv")).unwrap_err().to_string();
        assert!(error.contains("line 2: 300 is no pixel") && error.contains("line 7: "), "{end:?} {error}");
        let files = common::files(4);
        files.write(
            "list.csv",
            ["path,label", "images/0.png,a", "images/1.png,", "images/2.png,b,c", ""].join(end),
        );
        let error = scan_at(&files.join("list.csv")).unwrap_err().to_string();
        assert!(error.contains("line 3: ") && error.contains("line 4: "), "{end:?} {error}");
    }
}

#[test]
fn columns_are_pixels_by_their_numbers_and_may_be_many() {
    // 96 x 96 in color: a line of more than 256 KiB.
    let (text, expected) = table(4, 96, 3, "label", false, true);
    let header = text.lines().next().unwrap();
    assert!(header.len() > 1 << 18);
    let data = Data::new();
    data.write("wide.csv", &text);
    let dataset = scan_at(&data.join("wide.csv")).unwrap();
    let mut images: Vec<&[u8]> = expected.chunks_exact(96 * 96 * 3).collect();
    let loaded = pixels(&dataset, 96, 3);
    let mut got: Vec<&[u8]> = loaded.chunks_exact(96 * 96 * 3).collect();
    images.sort_unstable();
    got.sort_unstable();
    assert!(images == got);
    // Sorted as text, as some programs write them: pixel0, pixel1, pixel10, pixel11, ...
    let (text, _) = table(6, 8, 1, "label", true, true);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let mut order: Vec<usize> = (1..65).collect();
    order.sort_by_key(|at| (at - 1).to_string());
    let named = |at: usize| format!("pixel{}", at - 1);
    let mut shuffled = format!("label,{}\n", order.iter().map(|&at| named(at)).collect::<Vec<_>>().join(","));
    for row in &rows[1..] {
        let values: Vec<&str> = order.iter().map(|&at| row[at]).collect();
        writeln!(shuffled, "{},{}", row[0], values.join(",")).unwrap();
    }
    let plain = rows[1..].iter().map(|row| format!("{}\n", row.join(","))).collect::<String>();
    let columns: Vec<String> = (1..65).map(named).collect();
    data.write("plain.csv", format!("label,{}\n{plain}", columns.join(",")));
    data.write("shuffled.csv", shuffled);
    let of = |name: &str| pixels(&scan_at(&data.join(name)).unwrap(), 8, 1);
    assert_eq!(of("shuffled.csv"), of("plain.csv"));
    // An id is no class.
    let ids: String = text.replacen("label", "id", 1);
    data.write("ids.csv", ids);
    let error = scan_at(&data.join("ids.csv")).unwrap_err().to_string();
    assert!(error.contains("data.label_column=label"), "{error}");
}

#[test]
fn a_competition_s_folder_is_read() {
    let data = Data::new();
    let (train, _) = table(12, 8, 1, "label", true, true);
    data.write("train.csv", &train);
    let unlabelled: Vec<&str> = train.lines().map(|line| line.split_once(',').unwrap().1).collect();
    data.write("test.csv", unlabelled.join("\n"));
    data.write("sample_submission.csv", "ImageId,Label\n1,0\n2,0\n");
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.form, dataset.samples.len()), (Form::PixelTable, 12));
    assert!(dataset.notices.contains(&Notice::UnlabelledArray { name: "test.csv".to_owned() }));
    // Its images can be labelled by a model.
    let all = scan_images(&[data.join("test.csv")], OnBadImage::Fail, None).unwrap();
    assert_eq!(pixels(&all, 8, 1), images(12, 8, 1, 5));
    // With all pixels in one column, and the splits of a competition.
    let rows: String = (0..12)
        .map(|at| {
            let values: Vec<String> =
                images(12, 8, 1, 5)[at * 64..][..64].iter().map(u8::to_string).collect();
            format!(
                "{},{},{}\n",
                at % 2,
                values.join(" "),
                ["Training", "Training", "PublicTest", "PrivateTest"][at / 2 % 4]
            )
        })
        .collect();
    let packed = Data::new();
    packed.write("fer.csv", format!("emotion,pixels,Usage\n{rows}"));
    let dataset = scan_at(&packed.join("fer.csv")).unwrap();
    let counts = Split::ALL.map(|split| dataset.indices(split).len());
    assert_eq!(counts, [8, 2, 2]);
    let said = dataset.taken.to_string();
    assert!(
        said.contains("Usage the splits (PrivateTest -> test, PublicTest -> val, Training -> train)"),
        "{said}"
    );
    // A class has a name, if the recipe gives it one.
    let rename = [("0".to_owned(), "angry".to_owned()), ("7".to_owned(), "calm".to_owned())].into();
    let options = ScanOptions { layout: Layout { rename, ..Layout::default() }, ..ScanOptions::default() };
    let dataset = scan(&packed.join("fer.csv"), &options, None).unwrap();
    assert_eq!(dataset.classes, ["1", "angry"]);
    assert!(
        dataset.notices.iter().any(|n| matches!(n, Notice::UnmatchedRename { class, .. } if class == "7"))
    );
}

#[test]
fn tables_that_are_no_pictures_are_told_with_their_lines() {
    let (whole, _) = table(6, 8, 1, "label", true, true);
    let lines: Vec<&str> = whole.lines().collect();
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines.join("\n")
    };
    let cut = lines[3].rsplit_once(',').unwrap().0;
    let (high, word) = (lines[3].replacen(',', ",256,", 1), lines[3].replacen(',', ",x,", 1));
    let trim = |text: &str| text.rsplit_once(',').unwrap().0.to_owned();
    let empty = format!(",{}", lines[3].split_once(',').unwrap().1);
    for (text, said) in [
        (with(3, cut), "line 4"),
        (with(3, &trim(&high)), "256 is no pixel"),
        (with(3, &trim(&word)), "\"x\" is no pixel"),
        (with(3, &empty), "the class is empty"),
    ] {
        let data = Data::new();
        data.write("t.csv", text);
        let error = scan_at(&data.join("t.csv")).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    // Numbers of columns that make no square.
    let data = Data::new();
    let columns: Vec<String> = (0..20).map(|at| format!("pixel{at}")).collect();
    data.write("t.csv", format!("label,{}\n0{}\n1{}\n", columns.join(","), ",1".repeat(20), ",2".repeat(20)));
    let error = scan_at(&data.join("t.csv")).unwrap_err().to_string();
    assert!(error.contains("no square image"), "{error}");
    // Keys of tables of files make no sense here.
    data.write("t.csv", &whole);
    let layout = Layout { path_column: Some("pixel0000".to_owned()), ..Layout::default() };
    let options = ScanOptions { layout, ..ScanOptions::default() };
    let error = scan(&data.join("t.csv"), &options, None).unwrap_err().to_string();
    assert!(error.contains("data.path_column"), "{error}");
}
