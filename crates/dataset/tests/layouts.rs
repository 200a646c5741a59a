//! Folders as people call them: what is taken for what, over many names that a seeded generator makes up.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use common::Data;
use pupila_dataset::{
    Form, LabelledOptions, Layout, Notice, ScanError, ScanOptions, Split, conversion, scan_images,
    scan_labelled,
};
use pupila_random::{Purpose, Stream};

fn pick<'a, T: ?Sized>(stream: &mut Stream, from: &[&'a T]) -> &'a T {
    from[stream.below(from.len() as u32) as usize]
}

/// A name for a split, in some language, case and company.
fn made_up(stream: &mut Stream, words: &[&str], project: &str) -> String {
    let mut parts = vec![pick(stream, words).to_owned()];
    match stream.below(4) {
        0 => parts.push(pick(stream, &["set", "data", "images", "imgs", "split", "files"]).to_owned()),
        1 => parts.insert(0, pick(stream, &["images", "data", "imagenes"]).to_owned()),
        2 => parts.push("1".to_owned()),
        _ => {}
    }
    if !project.is_empty() {
        parts.insert(0, project.to_owned());
    }
    let separator = pick(stream, &["_", "-", " ", ".", " - ", "__"]);
    let case = stream.below(4);
    let cased = |part: String| match case {
        0 => part.to_uppercase(),
        1 => part.chars().take(1).flat_map(char::to_uppercase).chain(part.chars().skip(1)).collect(),
        _ => part,
    };
    parts.into_iter().map(cased).collect::<Vec<_>>().join(separator)
}

const TRAIN: &[&str] = &["train", "training", "trn", "entrenamiento", "treino", "entraînement"];
const VAL: &[&str] = &["val", "valid", "validation", "dev", "validación", "validacio\u{301}n", "validação"];
const TEST: &[&str] = &["test", "testing", "tst", "prueba", "pruebas", "teste"];

#[test]
fn splits_are_known_by_names_that_nobody_listed() {
    for seed in 0..120 {
        let mut stream = Stream::new(seed, Purpose::Bootstrap, 1, 0);
        let project = pick(&mut stream, &["", "", "skin", "ISIC 2018 task3", "gatos y perros"]);
        let names = [
            (Split::Train, made_up(&mut stream, TRAIN, project)),
            (Split::Val, made_up(&mut stream, VAL, project)),
            (Split::Test, made_up(&mut stream, TEST, project)),
        ];
        let with_val = stream.chance(0.7);
        let data = Data::new();
        for (split, name) in names.iter().filter(|(split, _)| with_val || *split != Split::Val) {
            data.add_classes(name, &["cats", "dogs"], 2 + *split as u32);
        }
        let dataset = data.scan().unwrap_or_else(|error| panic!("seed {seed}: {names:?}: {error}"));
        assert_eq!(
            (dataset.form, dataset.classes.concat()),
            (Form::SplitFolders, "catsdogs".into()),
            "{names:?}"
        );
        assert_eq!(dataset.class_counts(Split::Test), [4, 4], "{names:?}");
        assert_eq!(dataset.val_from_train, !with_val);
        let taken = dataset.taken.to_string();
        for (split, name) in names.iter().filter(|(split, _)| with_val || *split != Split::Val) {
            assert!(taken.contains(&format!("{name} -> {split}")), "{taken}");
        }
        assert!(
            taken.ends_with("classes cats, dogs (data.train, data.val, data.test say it otherwise)"),
            "{taken}"
        );
        // A model is judged on the same.
        let model = ["cats", "dogs"].map(str::to_owned);
        let options = LabelledOptions { split: Some(Split::Test), ..Default::default() };
        let judged = scan_labelled(data.path(), &model, &options, None).unwrap();
        assert_eq!((judged.split, judged.dataset.samples.len()), (Some(Split::Test), 8));
    }
}

#[test]
fn classes_stay_classes_whatever_they_are_called() {
    for classes in [
        &["bus", "car", "train"][..],
        &["train station", "test tube"],
        &["freight train", "passenger train"],
        &["trained", "untrained"],
        &["valley", "validated", "contest"],
        &["0", "1", "2"],
        &["c0", "c1"],
        &["class_1", "class_2", "class_3"],
        &["n01440764", "n01443537"],
        &["site1", "site2"],
        &["test", "control"],
        &["train1", "train2"],
        &["positive_tests", "negative_tests"],
    ] {
        let data = Data::classes(classes, 4);
        let dataset = data.scan().unwrap_or_else(|error| panic!("{classes:?}: {error}"));
        assert_eq!(dataset.form, Form::ClassFolders, "{classes:?}");
        assert_eq!(dataset.classes.len(), classes.len());
        assert!(dataset.notices.is_empty(), "{:?}", dataset.notices);
        let model: Vec<String> = dataset.classes.clone();
        let judged = scan_labelled(data.path(), &model, &LabelledOptions::default(), None).unwrap();
        assert_eq!(judged.split, None);
    }
}

fn with(layout: Layout) -> ScanOptions {
    ScanOptions { layout, ..Default::default() }
}

fn train(folders: &[&str]) -> Layout {
    Layout { train: folders.iter().map(|&folder| folder.to_owned()).collect(), ..Default::default() }
}

#[test]
fn folds_are_refused_with_what_to_type_and_parts_are_one_set() {
    for name in ["fold_", "Fold ", "FOLD", "kfold-", "skin fold ", "pliegue_"] {
        let data = Data::new();
        let names = [0, 1, 2].map(|n| format!("{name}{n}"));
        names.iter().for_each(|name| data.add_classes(name, &["cats", "dogs"], 2));
        let error = data.scan().unwrap_err();
        assert!(matches!(&error, ScanError::NoClasses { folds: true, with_classes: true, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("'data.train=[\"{}\", \"{}\"]'", names[1], names[2])), "{text}");
        // What it says works, and so does the other thing that may be meant.
        let layout = Layout { val: vec![names[0].clone()], ..train(&[&names[1], &names[2]]) };
        let dataset = data.scan_by(&with(layout)).unwrap();
        assert_eq!(
            (dataset.class_counts(Split::Train), dataset.class_counts(Split::Val)),
            (vec![4, 4], vec![2, 2])
        );
        let dataset = data.scan_by(&with(train(&["."]))).unwrap();
        assert_eq!(dataset.classes, names);
    }
    for name in ["part_", "HAM10000_images_part_", "Images ", "batch", "data-"] {
        let data = Data::new();
        let names = [1, 2].map(|n| format!("{name}{n}"));
        data.add_classes(&names[0], &["cats", "dogs"], 2);
        data.add_classes(&names[1], &["cats", "dogs", "mice"], 3);
        let dataset = data.scan().unwrap();
        assert_eq!((dataset.form, dataset.classes.concat()), (Form::ClassFolders, "catsdogsmice".into()));
        assert_eq!(dataset.samples.len(), 13);
        assert!(
            dataset.taken.to_string().starts_with(&format!("parts of one set {} + {}", names[0], names[1]))
        );
        let flat = Data::classes(&names.each_ref().map(String::as_str), 3);
        let text = flat.scan().unwrap_err().to_string();
        assert!(
            text.contains("pieces of one set by their names") && text.ends_with("--set data.train=."),
            "{text}"
        );
        assert_eq!(flat.scan_by(&with(train(&["."]))).unwrap().classes, names);
    }
}

#[test]
fn folders_that_share_their_folders_are_told_and_can_be_parts() {
    let data = Data::new();
    data.add_classes("clinic A", &["cats", "dogs"], 4);
    data.add_classes("clinic B", &["cats", "dogs", "mice"], 4);
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.classes, ["clinic A", "clinic B"]);
    let text = dataset.notices[0].to_string();
    assert!(
        text.contains("if cats, dogs are the classes of one set: --set 'data.train=[\"clinic A\", \"clinic B\"]'; if clinic A, "),
        "{text}"
    );
    let dataset = data.scan_by(&with(train(&["clinic A", "clinic B"]))).unwrap();
    assert_eq!(dataset.classes, ["cats", "dogs", "mice"]);
    assert!(
        dataset.taken.to_string().starts_with("splits clinic A + clinic B -> train"),
        "{}",
        dataset.taken
    );
    // One of them alone for another purpose; the training set is the rest then.
    let layout = Layout { test: vec!["clinic A/".to_owned()], ..train(&["clinic B"]) };
    assert_eq!(data.scan_by(&with(layout)).unwrap().class_counts(Split::Test), [4, 4, 0]);
    let error = data.scan_by(&with(train(&["clinic C"]))).unwrap_err();
    assert!(matches!(&error, ScanError::Missing { suggestion: Some(_), .. }), "{error}");
    let layout = Layout { val: vec!["clinic A".to_owned()], ..train(&["clinic A"]) };
    assert!(matches!(data.scan_by(&with(layout)).unwrap_err(), ScanError::FolderTwice { .. }));
    let rest = Data::classes(&["cats", "dogs"], 5);
    rest.add_classes("later", &["cats", "dogs"], 2);
    let layout = Layout { test: vec!["later".to_owned()], ..Default::default() };
    let dataset = rest.scan_by(&with(layout)).unwrap();
    assert_eq!(
        (dataset.classes.concat(), dataset.class_counts(Split::Test)),
        ("catsdogs".into(), vec![2, 2])
    );
    // Two for one split cannot both be meant.
    let data = Data::new();
    data.add_classes("train_a", &["x", "y"], 2);
    data.add_classes("Train 1", &["x", "y"], 2);
    data.add_classes("train 2", &["x", "y"], 2);
    let text = data.scan().unwrap_err().to_string();
    assert!(text.contains("'data.train=[\"Train 1\", \"train 2\"]'"), "{text}");
}

#[test]
fn pictures_that_are_not_read_are_counted_by_class_and_named_by_their_content() {
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic----------";
    let data = Data::classes(&["a", "b"], 4);
    for (path, _) in [
        ("a/1.heic", 0),
        ("a/2.HEIC", 0),
        ("b/1.avif", 0),
        ("b/sub/1.heic", 0),
        ("b/x.cr2", 0),
        ("top.jp2", 0),
    ] {
        data.write(path, heic);
    }
    for name in ["a/1.jfif", "a/2.JPE", "b/1.jif"] {
        data.png(name, 7 + name.len() as u32);
    }
    data.write("a/notes.txt", "");
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.samples.len(), dataset.ignored_files), (11, 1));
    let counted: Vec<(&str, Option<&str>, usize)> =
        dataset.other_pictures.iter().map(|p| (p.extension.as_str(), p.class.as_deref(), p.count)).collect();
    let expected = [
        ("jp2", None, 1),
        ("heic", Some("a"), 2),
        ("avif", Some("b"), 1),
        ("cr2", Some("b"), 1),
        ("heic", Some("b"), 1),
    ];
    assert_eq!(counted, expected);
    let model = ["a", "b"].map(str::to_owned);
    let judged = scan_labelled(data.path(), &model, &LabelledOptions::default(), None).unwrap().dataset;
    assert_eq!(judged.other_pictures, dataset.other_pictures);
    let files = scan_images(&[data.path().to_owned()], Default::default(), None).unwrap();
    assert_eq!(files.other_pictures.iter().map(|p| p.count).sum::<usize>(), 6);
    assert!(files.other_pictures.iter().all(|p| p.class.is_none()));
    // Named directly, or under a wrong name.
    data.write("b/wrong.jpg", heic);
    for path in ["a/1.heic", "b/wrong.jpg"] {
        let text = scan_images(&[data.join(path)], Default::default(), None).unwrap_err().to_string();
        assert!(text.contains("its content is HEIC") && text.contains("magick FILE FILE.jpg"), "{text}");
    }
    // A class of nothing else.
    data.write("c/1.heic", heic);
    let text = data.scan().unwrap_err().to_string();
    assert!(text.contains("no images that can be read here of c, only 1 .heic (c 1)"), "{text}");
    assert!(text.ends_with(&conversion("heic", data.path())), "{text}");
    let only = Data::new();
    only.write("1.heic", heic);
    let text = scan_images(&[only.path().to_owned()], Default::default(), None).unwrap_err().to_string();
    assert!(text.contains("only 1 .heic; convert"), "{text}");
}

#[test]
fn names_that_are_probably_one_are_told_with_what_makes_them_one() {
    for (a, b, told) in [
        ("Melanoma", "melanoma", r#"'data.rename={ "melanoma" = "Melanoma" }'"#),
        ("cat", "cat ", "U+0020 after 3 characters"),
        ("cat", "cat\u{200b}", r#"'data.rename={ "cat\u200B" = "cat" }'"#),
        ("caf\u{e9}", "cafe\u{301}", "U+0065 U+0301 after 3 characters where the first has U+00E9"),
        ("0", "0.0", r#""0.0" = "0""#),
        ("basal cell", "Basal_Cell", r#""Basal_Cell" = "basal cell""#),
    ] {
        let data = Data::classes(&["other"], 3);
        data.add_classes("", &[a], 5);
        data.add_classes("", &[b], 4);
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.classes.len(), 3);
        let text = dataset.notices[0].to_string();
        assert!(text.contains(told) && text.contains("5 images") && text.contains("4 images"), "{text}");
        let rename = [(b.to_owned(), a.to_owned())].into();
        let dataset = data.scan_by(&with(Layout { rename, ..Default::default() })).unwrap();
        assert_eq!((dataset.classes.len(), dataset.samples.len()), (2, 12));
        assert!(dataset.notices.is_empty(), "{:?}", dataset.notices);
    }
    let data = Data::classes(&["cats", "dogs"], 3);
    let rename = [("cat".to_owned(), "x".to_owned())].into();
    let text = data.scan_by(&with(Layout { rename, ..Default::default() })).unwrap().notices[0].to_string();
    assert_eq!(text, "data.rename has \"cat\", which is no class; did you mean \"cats\"?");
}

#[test]
fn what_lies_beside_is_left_out_and_told() {
    let data = Data::new();
    data.add_classes("train", &["a", "b"], 5);
    data.png("test/1.png", 1);
    for folder in
        ["@eaDir", ".thumbnails", "__MACOSX", ".ipynb_checkpoints", "#recycle", "lost+found", "$RECYCLE.BIN"]
    {
        data.png(format!("train/a/{folder}/000.png"), 3);
        data.png(format!("train/{folder}/x/000.png"), 3);
        data.png(format!("{folder}/train/x/000.png"), 3);
    }
    data.write("train/a/Thumbs.db", "");
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.samples.len(), dataset.ignored_files, dataset.system_folders.len()), (10, 1, 7));
    assert_eq!(dataset.notices, [Notice::Unlabelled { path: data.join("test") }]);
    // What is left out is counted as what it is.
    let exclude = vec!["b".to_owned(), "a/00[12]*".to_owned(), "000.png".to_owned()];
    data.add_classes("train", &["c"], 2);
    let dataset = data.scan_by(&ScanOptions { exclude, ..Default::default() }).unwrap();
    assert_eq!((dataset.excluded, dataset.excluded_folders), (3, 1));
}

#[test]
fn a_key_that_would_be_passed_over_is_refused() {
    let data = Data::classes(&["a", "b"], 3);
    let layout = Layout { label_column: Some("dx".to_owned()), ..Default::default() };
    let text = data.scan_by(&with(layout)).unwrap_err().to_string();
    assert_eq!(text, "data.label_column is dx, but must be left out: there is no table in the folder");
    data.write("t.csv", "path,label\na/000.png,x\nb/000.png,y\n");
    let table =
        pupila_dataset::scan(&data.join("t.csv"), &with(train(&["a"])), None).unwrap_err().to_string();
    assert_eq!(table, "data.train is a, but must be left out: the data is a table, and has no folders");
}

#[test]
fn a_folder_around_splits_or_around_folders_of_folders_is_told() {
    let splits =
        |data: &Data| ["wrap/train", "wrap/test"].iter().for_each(|of| data.add_classes(of, &["a", "b"], 3));
    let below = |data: &Data| {
        ["lc/colon", "lc/lung"].iter().for_each(|of| data.add_classes(of, &["aca", "n"], 3));
    };
    let beside = |data: &Data| {
        data.add_classes("food/images", &["pie", "cake"], 3);
        data.write("food/meta/labels.json", "{}");
    };
    for (make, inner) in [(&splits as &dyn Fn(&Data), "wrap"), (&below, "lc"), (&beside, "food/images")] {
        let data = Data::new();
        make(&data);
        let text = data.scan().unwrap_err().to_string();
        assert!(text.contains(&format!("did you mean {}?", data.join(inner).display())), "{inner}: {text}");
        assert!(pupila_dataset::scan(&data.join(inner), &Default::default(), None).is_ok(), "{inner}");
    }
}

#[test]
fn a_root_that_is_too_high_is_told() {
    for depth in 1..=3 {
        let inner = ["data", "images", "x"][..depth].join("/");
        let data = Data::new();
        data.add_classes(&inner, &["cats", "dogs"], 3);
        let hint = format!("did you mean {}?", data.join(&inner).display());
        let text = data.scan().unwrap_err().to_string();
        assert!(text.contains(&hint), "{text}");
        let model = ["cats", "dogs"].map(str::to_owned);
        let text = scan_labelled(data.path(), &model, &Default::default(), None).unwrap_err().to_string();
        assert!(text.contains(&hint), "{text}");
        assert_eq!(
            scan_images(&[data.path().to_owned()], Default::default(), None).unwrap().samples.len(),
            6
        );
    }
}

#[test]
fn splits_within_the_classes_are_those_of_one_set() {
    for seed in 0..60 {
        let mut stream = Stream::new(seed, Purpose::Bootstrap, 2, 0);
        let classes = ["melanoma", "nevus", "other 2"];
        let data = Data::new();
        for class in classes {
            // Each class may call its splits otherwise.
            let train = made_up(&mut stream, TRAIN, "");
            let test = made_up(&mut stream, TEST, "");
            data.add_classes(class, &[&train], 6);
            data.add_classes(class, &[&test], 3);
        }
        let dataset = data.scan().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(
            (dataset.form, &dataset.classes[..]),
            (Form::SplitFolders, &classes.map(str::to_owned)[..])
        );
        assert_eq!(dataset.class_counts(Split::Test), [3; 3]);
        assert!(dataset.val_from_train);
        let taken = dataset.taken.to_string();
        assert!(taken.starts_with("splits within each class folder "), "{taken}");
        let options = LabelledOptions { split: Some(Split::Test), ..Default::default() };
        let judged = scan_labelled(data.path(), &classes.map(str::to_owned), &options, None).unwrap();
        assert_eq!((judged.split, judged.dataset.samples.len()), (Some(Split::Test), 9));
    }
    // A class without a test set is one all the same, and one without a training set is told.
    let data = Data::new();
    data.add_classes("a", &["train", "test"], 4);
    data.add_classes("b", &["train"], 4);
    assert_eq!(data.scan().unwrap().class_counts(Split::Test), [4, 0]);
    // Neither the names of things to classify, nor sets with classes of their own, are splits of classes.
    let things = Data::new();
    things.add_classes("wooden", &["train", "bus"], 4);
    things.add_classes("plastic", &["train", "bus"], 4);
    assert_eq!(things.scan().unwrap().form, Form::ClassFolders);
}
