//! Tables, lists and arrays as sets are downloaded with them: look-alikes are read, or refused with a line that works when it is typed.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{Data, idx, tar_of};
use pupila_dataset::{Dataset, Layout, Notice, ScanError, ScanOptions, Split, scan};

fn counts(dataset: &Dataset) -> [usize; 3] {
    Split::ALL.map(|split| dataset.indices(split).len())
}

fn scan_at(path: &Path) -> Result<Dataset, ScanError> {
    scan(path, &ScanOptions::default(), None)
}

/// The first line to type of a message, as a shell and the parser of recipes take it.
fn typed(text: &str) -> ScanOptions {
    let mut options = ScanOptions::default();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("--set ") {
        let (word, behind) = match after.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').unwrap(),
            None => after.split_at(after.find([' ', ';']).unwrap_or(after.len())),
        };
        let (key, value) = word.split_once('=').unwrap();
        let inner = value.trim_start_matches('[').trim_end_matches(']');
        let all: Vec<String> = inner.split(", ").map(|item| item.trim_matches('"').to_owned()).collect();
        match key {
            "data.exclude" => options.exclude = all,
            "data.one_hot" => options.layout.one_hot = all,
            "data.one_hot_rest" => options.layout.one_hot_rest = Some(all[0].clone()),
            "data.label_column" => options.layout.label_column = Some(all[0].clone()),
            other => panic!("{other} in {text}"),
        }
        rest = behind;
        if !rest.starts_with(" --set") {
            break;
        }
    }
    options
}

/// So many images, and a table of them with these columns behind the name.
fn tabled(
    images: &str,
    table: &str,
    header: &str,
    n: usize,
    row: &dyn Fn(usize) -> (String, String),
) -> Data {
    let data = Data::new();
    let mut text = format!("{header}\n");
    for i in 0..n {
        let (file, line) = row(i);
        data.png(format!("{images}/{file}"), i as u32);
        text += &format!("{line}\n");
    }
    data.write(table, text);
    data
}

#[test]
fn the_column_that_names_the_files_is_found_by_the_files() {
    // What such columns are called: id_code, patientId, uuid; with a number or a measure beside it.
    for (header, at) in
        [("id_code,diagnosis", 0), ("uuid,label", 0), ("label,patientId", 1), ("No,photo_key,label", 1)]
    {
        let data = tabled("train_images", "train.csv", header, 24, &|i| {
            let (key, class) = (format!("{:08x}", i * 7919 + 1), ["0", "1", "2"][i % 3]);
            let line = match (header.split(',').count(), at) {
                (3, _) => format!("{},{key},{class}", i + 5000),
                (_, 0) => format!("{key},{class}"),
                _ => format!("{class},{key}"),
            };
            (format!("{key}.png"), line)
        });
        for i in 0..4 {
            data.png(format!("test_images/t{i}.png"), 900 + i);
        }
        let name = header.split(',').nth(at).unwrap();
        data.write("test.csv", format!("{name}\nt0\nt1\nt2\nt3\n"));
        data.write("sample_submission.csv", format!("{name},label\nt0,0\nt1,0\n"));
        for root in [data.path().to_owned(), data.join("train.csv")] {
            let dataset = scan_at(&root).unwrap_or_else(|error| panic!("{header}: {error}"));
            assert_eq!(
                (&dataset.classes[..], dataset.samples.len()),
                (&["0", "1", "2"].map(str::to_owned)[..], 24),
                "{header}"
            );
            let told = dataset.taken.to_string();
            assert!(told.contains(&format!("{name} names the files")), "{told}");
        }
    }
    // Columns of which no value is a file are told as before.
    let data = tabled("images", "labels.csv", "key,label", 6, &|i| (format!("{i}.png"), format!("x{i},a")));
    assert!(scan_at(&data.join("labels.csv")).is_err());
}

#[test]
fn boxes_of_an_image_are_rows_of_one_and_y_is_a_place() {
    let mut text = "patientId,x,y,width,height,Target\n".to_owned();
    let data = Data::new();
    for i in 0..20 {
        let name = format!("p{i:04x}");
        data.png(format!("stage_2_train_images/{name}.png"), i);
        match i % 2 {
            0 => text += &format!("{name},,,,,0\n"),
            _ => text += &format!("{name},1,2,3,4,1\n{name},5,6,3,4,1\n"),
        }
    }
    data.write("stage_2_train_labels.csv", text);
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.classes.clone(), dataset.samples.len()), (vec!["0".to_owned(), "1".to_owned()], 20));
    assert!(dataset.notices.iter().any(|notice| matches!(notice, Notice::RepeatedRows { rows: 10, .. })));
}

#[test]
fn files_are_found_by_other_extensions_and_other_zeros_where_none_is_called_so() {
    for (file, line, told) in [
        ("{:04}.png", "{}", "0 is 0000.png"),
        ("{:04}.png", "{}.jpg", "0.jpg is 0000.png"),
        ("{}.png", "{}.jpg", "0.jpg is 0.png"),
        ("im{}.png", "im{}.ppm", "im0.ppm is im0.png"),
    ] {
        let named = |pattern: &str, i: usize| {
            pattern.replace("{:04}", &format!("{i:04}")).replace("{}", &i.to_string())
        };
        let data = tabled("images", "labels.csv", "id,species", 20, &|i| {
            (named(file, i), format!("{},{}", named(line, i), ["a", "b"][i % 2]))
        });
        for root in [data.path().to_owned(), data.join("labels.csv")] {
            let dataset = scan_at(&root).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(dataset.samples.len(), 20);
            let said = dataset.taken.to_string();
            assert!(said.contains(&format!("; {told}, and the others likewise")), "{said}");
            for sample in &dataset.samples {
                let number = sample.path.file_stem().unwrap().to_str().unwrap().trim_start_matches("im");
                let even = number.parse::<usize>().unwrap() % 2;
                assert_eq!(sample.label as usize, even, "{}", sample.path.display());
            }
        }
    }
    // One file that is called so, and others are lost files.
    let data = tabled("images", "labels.csv", "id,species", 6, &|i| {
        (format!("{i}.png"), format!("{i}.jpg,a{}", i % 2))
    });
    data.png("images/3.jpg", 77);
    let text = scan_at(&data.join("labels.csv")).unwrap_err().to_string();
    assert!(text.contains("0.jpg"), "{text}");
    // Lists of the splits too.
    let data = Data::classes(&["a", "b"], 8);
    data.write("test.txt", "a/000.jpg\na/001.jpg\nb/002.jpg\n");
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.indices(Split::Test).len(), 3);
}

#[test]
fn rows_of_several_classes_are_refused_with_two_lines_that_work() {
    for (header, separator, key) in [
        ("Image Index,Finding Labels,Age", "|", "Finding Labels"),
        ("image,labels,Age", ";", "labels"),
        ("image_name,tags,Age", " ", "tags"),
        ("file,true class,Age", ", ", "true class"),
    ] {
        let both = format!("\"Edema{separator}Effusion\"");
        let data = tabled("images", "labels.csv", header, 24, &|i| {
            let class = ["Edema", "Effusion", "none", &both][i % 4];
            (format!("{i:03}.png"), format!("{i:03}.png,{class},{}", 40 + i % 7))
        });
        let text = data.scan().unwrap_err().to_string();
        let (without, all) = text.split_once("leaves them out; ").unwrap_or_else(|| panic!("{text}"));
        let dataset = data.scan_by(&typed(without)).unwrap();
        assert_eq!((dataset.classes.len(), dataset.samples.len(), dataset.excluded), (3, 18, 6), "{text}");
        let options = typed(all);
        assert_eq!(options.layout.label_column.as_deref(), Some(key), "{text}");
        let dataset = data.scan_by(&options).unwrap();
        assert_eq!((dataset.classes.len(), dataset.samples.len()), (4, 24), "{text}");
        let told = |notice: &&Notice| matches!(notice, Notice::SeveralClasses { rows: 6, .. });
        let notice = dataset.notices.iter().find(told).unwrap().to_string();
        assert_eq!(typed(&notice).exclude, typed(without).exclude, "{notice}");
    }
}

#[test]
fn a_cell_of_a_header_that_is_cut_at_its_comma_is_no_class() {
    for cell in ["Spacing[x,y]", "bbox [x, y]"] {
        let data = tabled("images", "labels.csv", &format!("Image Index,Finding Labels,{cell}"), 24, &|i| {
            let class = ["Edema", "Effusion"][i % 2];
            (format!("{i:03}.png"), format!("{i:03}.png,{class},0.{},0.{}", i % 3, i % 5))
        });
        assert_eq!(data.scan().unwrap().classes, ["Edema", "Effusion"], "{cell}");
    }
}

#[test]
fn a_column_with_a_space_in_its_name_is_quoted_in_the_line() {
    let data = tabled("images", "labels.csv", "image,Skin tone,Body site", 12, &|i| {
        (format!("{i}.png"), format!("{i}.png,t{},s{}", i % 2, i % 3))
    });
    let text = data.scan().unwrap_err().to_string();
    assert!(text.ends_with("--set 'data.label_column=\"Skin tone\"'"), "{text}");
    assert_eq!(data.scan_by(&typed(&text)).unwrap().classes, ["t0", "t1"]);
}

/// Roboflow's export for classification: a table with a column for each class in each split's folder.
fn roboflow(several: bool, none: bool) -> Data {
    let data = Data::new();
    let mut seed = 0;
    for (split, n) in [("train", 12), ("valid", 6), ("test", 6)] {
        let mut text = "filename, cat, dog, fox\n".to_owned();
        for i in 0..n {
            seed += 1;
            let name = format!("IMG_{seed}_jpg.rf.{seed:08x}.jpg");
            data.png(format!("{split}/{name}"), seed);
            let mut ones = [0, 1, 2].map(|class| u8::from(i % 3 == class));
            match i % 6 {
                1 if several => ones[2] = 1,
                5 if none => ones = [0; 3],
                _ => {}
            }
            text += &format!("{name}, {}, {}, {}\n", ones[0], ones[1], ones[2]);
        }
        data.write(format!("{split}/_classes.csv"), text);
    }
    data
}

#[test]
fn tables_in_the_folders_of_the_splits_are_read() {
    let dataset = roboflow(false, false).scan().unwrap();
    assert_eq!(
        (dataset.classes.clone(), counts(&dataset)),
        (["cat", "dog", "fox"].map(str::to_owned).to_vec(), [12, 6, 6])
    );
    for (several, none, left) in [(true, false, [10, 5, 5]), (true, true, [8, 4, 4])] {
        let data = roboflow(several, none);
        let text = data.scan().unwrap_err().to_string();
        let dataset = data.scan_by(&typed(&text)).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!((dataset.classes.len(), counts(&dataset)), (3, left), "{text}");
    }
    // Rows of none alone: a class of their own, or left out.
    let data = roboflow(false, true);
    let text = data.scan().unwrap_err().to_string();
    let rest = ScanOptions { exclude: vec!["NAME".to_owned()], ..typed(&text) };
    assert_eq!(counts(&data.scan_by(&typed(&text)).unwrap()), [12, 6, 6], "{text}");
    assert_eq!(counts(&data.scan_by(&rest).unwrap()), [10, 5, 5], "{text}");
}

#[test]
fn columns_that_are_classes_by_their_key_may_be_one_in_several() {
    let data = tabled("images", "train.csv", "image_name,clear,cloudy,haze,primary", 24, &|i| {
        let ones = ["1,0,0,1", "0,0,0,0", "0,1,0,0", "0,0,1,0"][i % 4];
        (format!("train_{i}.png"), format!("train_{i}.png,{ones}"))
    });
    let text = data.scan().unwrap_err().to_string();
    let options = typed(&text);
    let dataset = data.scan_by(&options).unwrap();
    assert_eq!(
        (dataset.classes.clone(), dataset.samples.len()),
        (vec!["cloudy".to_owned(), "haze".to_owned()], 12),
        "{text}"
    );
    // Without the pattern they are told again.
    let layout = Layout { one_hot_rest: Some("rest".to_owned()), ..options.layout };
    let again = data.scan_by(&ScanOptions { layout, ..ScanOptions::default() }).unwrap_err().to_string();
    assert!(again.contains("in 6 rows several columns are 1, such as clear, primary"), "{again}");
}

#[test]
fn metadata_of_image_folders_is_read_as_csv_and_as_lines_of_json() {
    for json in [false, true] {
        let data = Data::new();
        let mut seed = 0;
        for (split, n) in [("train", 12), ("test", 6)] {
            let mut text = if json { String::new() } else { "file_name,label\n".to_owned() };
            for i in 0..n {
                seed += 1;
                data.png(format!("{split}/{i}.png"), seed);
                let class = ["cat", "dog"][i % 2];
                text += &match json {
                    true => format!(
                        "{{\"file_name\": \"{i}.png\", \"label\": \"{class}\", \"objects\": {{\"bbox\": [[1, 2]]}}}}\n"
                    ),
                    false => format!("{i}.png,{class}\n"),
                };
            }
            data.write(format!("{split}/metadata.{}", if json { "jsonl" } else { "csv" }), text);
        }
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.classes, ["cat", "dog"]);
        let [train, val, test] = counts(&dataset);
        assert_eq!((train + val, test, dataset.val_from_train), (12, 6, true));
    }
    // In one folder, where a line that is no object is told by its number.
    let data = Data::new();
    let line = |i: usize| format!("{{\"file_name\": \"{i}.png\", \"label\": {}}}\n", i % 2);
    (0..8).for_each(|i| data.png(format!("{i}.png"), i));
    data.write("metadata.jsonl", (0..8).map(line).collect::<String>());
    assert_eq!(data.scan().unwrap().classes, ["0", "1"]);
    data.write("metadata.jsonl", (0..8).map(line).collect::<String>() + "[1, 2]\n");
    let text = data.scan().unwrap_err().to_string();
    assert!(text.contains("line 9: it is no JSON object"), "{text}");
}

#[cfg(unix)]
#[test]
fn classes_that_stand_in_names_are_written_into_a_table_by_a_line() {
    for (folder, names, classes) in [
        ("train", ["cat.{}.jpg", "dog.{}.jpg"], ["cat", "dog"]),
        ("it's here", ["great_dane_{}.jpg", "pug_{}.jpg"], ["great_dane", "pug"]),
        ("flat", ["forest path {}.png", "sea {}.png"], ["forest path", "sea"]),
    ] {
        let data = Data::new();
        for (at, name) in names.iter().enumerate() {
            (0..8).for_each(|i| {
                data.png(format!("{folder}/{}", name.replace("{}", &i.to_string())), at as u32 * 50 + i)
            });
        }
        let text = scan_at(&data.join(folder)).unwrap_err().to_string();
        let line = text.lines().nth(1).unwrap_or_else(|| panic!("{text}"));
        let ran = std::process::Command::new("sh").args(["-c", line]).status().unwrap();
        assert!(ran.success(), "{line}");
        for root in [data.join(folder), data.join(folder).join("labels.csv")] {
            let dataset = scan_at(&root).unwrap();
            assert_eq!(
                (dataset.classes.clone(), dataset.samples.len()),
                (classes.map(str::to_owned).to_vec(), 16)
            );
        }
    }
    // Names that say nothing of a class.
    for names in [
        ["IMG_{}.jpg", "IMG_9{}.jpg"],
        ["train_{}.jpg", "test_{}.jpg"],
        ["{}.jpg", "a_{}.jpg"],
        ["a{}.jpg", "b{}.jpg"],
    ] {
        let data = Data::new();
        for (at, name) in names.iter().enumerate() {
            (0..4).for_each(|i| data.png(name.replace("{}", &i.to_string()), at as u32 * 50 + i));
        }
        let text = data.scan().unwrap_err().to_string();
        assert!(!text.contains("labels.csv"), "{text}");
    }
}

#[test]
fn idx_files_are_called_after_their_set_too_and_several_sets_are_told_apart() {
    let write = |data: &Data, set: &str, classes: u8| {
        for (split, n) in [("train", 12u8), ("test", 6)] {
            let pixels: Vec<u8> = (0..u32::from(n) * 6).map(|i| (i * 7 + u32::from(classes)) as u8).collect();
            let labels: Vec<u8> = (0..n).map(|i| i % classes + 1).collect();
            let images = idx(0x803, &[n.into(), 2, 3], &pixels);
            data.write(format!("emnist-{set}-{split}-images-idx3-ubyte"), images);
            data.write(format!("emnist-{set}-{split}-labels-idx1-ubyte"), idx(0x801, &[n.into()], &labels));
        }
    };
    let data = Data::new();
    write(&data, "letters", 3);
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.classes.len(), dataset.indices(Split::Test).len()), (3, 6));
    write(&data, "digits", 2);
    let text = data.scan().unwrap_err().to_string();
    assert!(text.contains("emnist-digits, emnist-letters"), "{text}");
    if cfg!(unix) {
        let line = text.lines().nth(1).unwrap();
        assert!(std::process::Command::new("sh").args(["-c", line]).status().unwrap().success());
        let named = Path::new(text.lines().nth(2).unwrap().strip_prefix("and name ").unwrap()).to_owned();
        assert_eq!(scan_at(&named).unwrap().classes.len(), 2);
        assert_eq!(data.scan().unwrap().classes.len(), 3);
    }
    // Images without labels.
    let data = Data::new();
    data.write("emnist-letters-train-images-idx3-ubyte", idx(0x803, &[1, 1, 1], &[0]));
    assert!(matches!(data.scan(), Err(ScanError::Idx { .. })));
}

#[test]
fn arrays_in_files_in_an_archive_are_unpacked_by_a_line() {
    let data = Data::new();
    data.write(
        "set.tar",
        tar_of([("kmnist-train-imgs.npz", &b"PK"[..]), ("kmnist-train-labels.npz", b"PK")]),
    );
    let text = scan_at(&data.join("set.tar")).unwrap_err().to_string();
    let folder = data.join("set");
    assert!(
        text.contains("tar -xf") && text.ends_with(&format!("and name the folder {}", folder.display())),
        "{text}"
    );
}

#[test]
fn sets_of_other_programs_have_lines_of_their_own() {
    for (files, what, parts) in [
        (
            &["stl10_binary/train_X.bin", "stl10_binary/train_y.bin"][..],
            "STL-10",
            ["(-1, 3, 96, 96)", "stl10_binary.npz"],
        ),
        (&["car_ims/000001.jpg", "cars_annos.mat"], "MATLAB", ["'car_ims/'", "labels.csv"]),
        (
            &["cars_train/00001.jpg", "cars_test/00001.jpg", "devkit/cars_train_annos.mat"],
            "MATLAB",
            ["'cars_train/'", "labels.csv"],
        ),
    ] {
        let data = Data::new();
        for (at, file) in files.iter().enumerate() {
            match file.ends_with(".jpg") {
                true => data.png(file, at as u32),
                false => data.write(file, "x"),
            }
        }
        let text = data.scan().unwrap_err().to_string();
        let line = text.lines().nth(1).unwrap_or_default();
        assert!(text.contains(what) && parts.iter().all(|part| line.contains(part)), "{text}");
    }
}

#[test]
fn pixels_with_decimal_commas_are_told_what_to_save_them_with() {
    let data = Data::new();
    let header: Vec<String> = (0..16).map(|i| format!("pixel{i}")).collect();
    let row = |i: usize| format!("{},{}\n", i % 2, vec!["0,5"; 16].join(","));
    data.write("train.csv", format!("label,{}\n{}", header.join(","), (0..6).map(row).collect::<String>()));
    let text = scan_at(&data.join("train.csv")).unwrap_err().to_string();
    assert!(text.contains("commas for points, save it with semicolons"), "{text}");
}

/// ISIC 2019: the lesions stand in the metadata, not in the table of the labels.
#[test]
fn groups_of_another_table_are_told_and_read() {
    let data = Data::new();
    let (mut labels, mut metadata) =
        ("image,MEL,NV,BCC\n".to_owned(), "image,age_approx,lesion_id,sex\n".to_owned());
    for i in 0..24 {
        let name = format!("ISIC_{i:07}");
        data.png(format!("ISIC_2019_Training_Input/{name}.jpg"), i);
        let ones = ["1.0,0.0,0.0", "0.0,1.0,0.0", "0.0,0.0,1.0"][(i / 2 % 3) as usize];
        labels += &format!("{name},{ones}\n");
        let lesion = if i < 20 { format!("BCN_{}", i / 2) } else { String::new() };
        metadata += &format!("{name},50,{lesion},male\n");
    }
    data.write("ISIC_2019_Training_GroundTruth.csv", labels);
    data.write("ISIC_2019_Training_Metadata.csv", metadata);
    for root in [data.path().to_owned(), data.join("ISIC_2019_Training_GroundTruth.csv")] {
        let dataset = scan_at(&root).unwrap();
        let told = |notice: &Notice| matches!(notice, Notice::LooksLikeGroup { column, groups: 10, images: 24, .. } if column == "lesion_id");
        assert!(dataset.notices.iter().any(told), "{:?}", dataset.notices);
        let options = ScanOptions { group: Some("lesion_id".to_owned()), ..ScanOptions::default() };
        let dataset = scan(&root, &options, None).unwrap();
        let said = dataset.taken.to_string();
        assert!(said.contains("lesion_id of ISIC_2019_Training_Metadata.csv the groups"), "{said}");
        assert!(!dataset.notices.iter().any(told), "{:?}", dataset.notices);
        let side = |lesion: &str| {
            let of = dataset.samples.iter().filter(|sample| sample.group.as_deref() == Some(lesion));
            of.map(|sample| sample.split).collect::<Vec<_>>()
        };
        for lesion in (0..10).map(|i| format!("BCN_{i}")) {
            let [one, other] = side(&lesion)[..] else { panic!("{lesion}") };
            assert_eq!(one, other, "{lesion}");
        }
        assert_eq!(dataset.samples.iter().filter(|sample| sample.group.is_none()).count(), 4);
        // A column that no table has.
        let options = ScanOptions { group: Some("patient".to_owned()), ..ScanOptions::default() };
        let text = scan(&root, &options, None).unwrap_err().to_string();
        assert!(text.contains("data.group asks for the column `patient`"), "{text}");
    }
}

#[test]
fn what_names_the_images_of_two_tables_is_no_group() {
    for name in ["patientId", "case_id"] {
        let data = tabled("images", "labels.csv", &format!("{name},label"), 12, &|i| {
            (format!("c{i}.png"), format!("c{i},{}", ["a", "b"][i % 2]))
        });
        // As of RSNA: a row of each box.
        let boxes: String = (0..24).map(|i| format!("c{},{i}\n", i / 2)).collect();
        data.write("boxes.csv", format!("{name},width\n{boxes}"));
        let dataset = scan_at(&data.join("labels.csv")).unwrap();
        let told = dataset.notices.iter().any(|notice| matches!(notice, Notice::LooksLikeGroup { .. }));
        assert!(!told && dataset.classes == ["a", "b"], "{name}: {:?}", dataset.notices);
    }
}
