//! Hostile files and folders, made of a seed, through the program: no crash, no panic, no hang, bounded memory, and every file that is passed over
//! is listed.
//!
//! Files are those of the fuzz targets' corpora, whole and changed: bits, pieces, lengths, ends. Among them lie what is no file: pipes, devices, links
//! that go round or lead nowhere, names of any bytes. A process has two gigabytes of addresses and two minutes of the processor; that it may
//! not wait for ever is seen to by `timeout`, whose bound says nothing of speed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod bombs;
mod world;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use world::{TINY, World};

/// Draws numbers, the same in every run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Files to begin with: how their names end, and their content.
struct Sources {
    images: Vec<(&'static str, Vec<u8>)>,
    tables: Vec<(&'static str, Vec<u8>)>,
    models: Vec<(&'static str, Vec<u8>)>,
    recipes: Vec<(&'static str, Vec<u8>)>,
    photograph: Vec<u8>,
}

impl Sources {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let corpus = |target: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| -> Vec<Vec<u8>> {
            let entries = fs::read_dir(root.join("fuzz/corpus").join(target)).unwrap();
            let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths.into_iter().map(|path| change(fs::read(path).unwrap())).collect()
        };
        let named =
            |ending: &'static str, all: Vec<Vec<u8>>| all.into_iter().map(move |bytes| (ending, bytes));
        let same = |bytes: Vec<u8>| bytes;
        let kind_of = |bytes: &[u8]| match bytes {
            [0x89, b'P', ..] => "png",
            [b'G', b'I', b'F', ..] => "gif",
            [b'B', b'M', ..] => "bmp",
            [b'R', b'I', b'F', b'F', ..] => "webp",
            [b'I' | b'M', ..] => "tif",
            _ => "jpg",
        };
        let mut images: Vec<_> =
            corpus("picture", &same).into_iter().map(|bytes| (kind_of(&bytes), bytes)).collect();
        images.extend(named("jpeg", corpus("jpeg", &|bytes| [&[0xff, 0xd8], &bytes[..]].concat())));
        images.extend(named(
            "tiff",
            corpus("tiff", &|bytes| {
                let start: &[u8] =
                    if bytes.first().is_some_and(|order| order & 1 == 0) { b"II*\0" } else { b"MM\0*" };
                [start, bytes.get(1..).unwrap_or_default()].concat()
            }),
        ));
        let photograph = root.join("samples/skin/val/nevus");
        let mut photographs: Vec<PathBuf> =
            fs::read_dir(photograph).unwrap().map(|entry| entry.unwrap().path()).collect();
        photographs.sort();
        let photograph = fs::read(&photographs[0]).unwrap();
        let mut tables: Vec<_> = named("csv", corpus("table", &same)).collect();
        tables.extend(corpus("array", &same).into_iter().filter_map(|bytes| {
            let (kind, rest) = bytes.split_first()?;
            let ending = match kind % 3 {
                0 => "idx3-ubyte",
                1 => "npy",
                _ => "npz",
            };
            Some((ending, rest.to_vec()))
        }));
        tables.push((
            "zip",
            corpus("array", &same).into_iter().find(|b| b.get(1..3) == Some(b"PK")).unwrap()[1..].to_vec(),
        ));
        tables.push(("tar", tar(&[("a/1.jpg", &photograph[..]), ("b/1.jpg", &photograph[..700])])));
        let mut models: Vec<_> = named("safetensors", corpus("model", &same)).collect();
        models.extend(corpus("weights", &same).into_iter().map(|bytes| {
            (
                if bytes.starts_with(b"PK") || bytes.first() == Some(&0x80) { "pt" } else { "safetensors" },
                bytes,
            )
        }));
        let recipes = named("toml", corpus("recipe", &same)).collect();
        Sources { images, tables, models, recipes, photograph }
    }
}

/// An archive of these files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        let mut head = [0u8; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[100..108].copy_from_slice(b"0000644\0");
        head[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        head[136..148].copy_from_slice(b"00000000000\0");
        head[148..156].copy_from_slice(b"        ");
        head[156] = b'0';
        head[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = head.iter().map(|&byte| u32::from(byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(head);
        out.extend(*content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// The bytes, changed a little or much, and what was done.
fn mutated(bytes: &[u8], draws: &mut Draws) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..draws.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = draws.below(bytes.len());
        match draws.below(7) {
            0 => bytes[at] ^= 1 << draws.below(8),
            1 => bytes[at] = *draws.one_of(&[0, 0xff, 0x7f, 0x80, b'\n', b'"']),
            2 => bytes.truncate(at),
            3 => {
                let len = draws.below(64).min(bytes.len() - at);
                let piece = bytes[at..at + len].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            5 => {
                let end = (at + draws.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            // In a header, where lengths are.
            _ => {
                let at = at % bytes.len().min(64);
                bytes[at] = draws.below(256) as u8;
            }
        }
    }
    bytes
}

/// A name of any bytes but those that a name cannot have.
fn name(number: usize, ending: &str, draws: &mut Draws) -> Vec<u8> {
    let odd: Vec<u8> = match draws.below(9) {
        0 => b"a\nb".to_vec(),
        1 => b"\x1b[31mred\x1b[0m".to_vec(),
        2 => vec![0xff, 0xfe, b'x'],
        3 => vec![b'n'; 240 - ending.len()],
        4 => "-- \"quoted\" 'name', \u{202e}gnp".as_bytes().to_vec(),
        5 => b"%s%n $(id) `id` {0}".to_vec(),
        _ => b"plain".to_vec(),
    };
    [format!("{number:04}").as_bytes(), &odd[..], b".", ending.as_bytes()].concat()
}

/// So many rounds of each kind; the number of hostile files.
fn rounds(seed: u64, rounds: usize) -> usize {
    const EACH: usize = 40;
    const PICTURES: [&str; 8] = ["png", "gif", "bmp", "webp", "tif", "tiff", "jpg", "jpeg"];
    // Pipes, devices and links below, but for the folders.
    const SPECIAL: usize = 8;
    let (sources, mut draws, mut files) = (Sources::new(), Draws(seed), 0);
    for round in 0..rounds {
        let world = World::new(&format!("{seed}-{round}"));
        let what = format!("seed {seed}, round {round}");
        world.photographs(&sources.photograph, "data");
        let train = world.path("data/train/a");
        // Files in the way of the regular ones, in the way that a name of a picture ends.
        // Those of train/, with the good ones, and those of val/.
        let mut pictures = [12, 6];
        for number in 0..EACH {
            let (ending, bytes) = match draws.below(12) {
                0 => draws.one_of(&sources.tables),
                1 => draws.one_of(&sources.models),
                _ => draws.one_of(&sources.images),
            };
            let ending = if draws.below(6) == 0 { "png" } else { ending };
            let bytes = mutated(bytes, &mut draws);
            let place = usize::from(draws.below(4) == 0);
            let folder = if place == 1 { world.path("data/val/b") } else { train.clone() };
            fs::write(folder.join(OsStr::from_bytes(&name(number, ending, &mut draws))), bytes).unwrap();
            pictures[place] += usize::from(PICTURES.contains(&ending));
        }
        let outside = world.path("outside.jpg");
        fs::write(&outside, &sources.photograph[9..]).unwrap();
        world.fifo(&train.join("pipe.png"));
        for (link, to) in [
            ("zero.png", "/dev/zero"),
            ("null.jpg", "/dev/null"),
            ("random.bmp", "/dev/urandom"),
            ("self.png", "self.png"),
            ("round", "."),
            ("up", "../.."),
            ("nowhere.jpg", "/nonexistent/x.jpg"),
            ("out.jpg", "../../../outside.jpg"),
            ("piped.jpg", "pipe.png"),
        ] {
            symlink(to, train.join(link)).unwrap();
        }
        files += EACH + 11;

        let (_, said) = world.tried(&["inspect", "data", "--json"], &what);
        assert!(said.contains("\"findings\"") || said.contains("rror"), "{what}: {said}");
        let run = world.path("runs/tiny");
        let mut arguments = vec!["train", "data", "--runs", "runs", "--name", "tiny"];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        let (code, said) = world.tried(&arguments, &what);
        if code == 0 {
            // Whatever is neither trained on nor judged is named. The files of val/ and the six of train/b come twice: `up` leads to them too.
            let read = |name: &str| fs::read_to_string(run.join(name)).unwrap();
            let (summary, environment) = (read("summary.json"), read("environment.json"));
            let number = |key: &str| -> usize {
                let rest = environment.split_once(&format!("\"{key}\": ")).unwrap().1;
                rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap()].parse().unwrap()
            };
            let skipped = summary.matches("\"reason\":").count();
            let used = number("train_images") + number("val_images");
            let expected = pictures[0] + 6 + 2 * pictures[1] + SPECIAL;
            assert_eq!(used + skipped, expected, "{what}: {used} used, {skipped} told\n{summary}\n{said}");
            for special in
                ["pipe.png", "zero.png", "null.jpg", "random.bmp", "self.png", "nowhere.jpg", "piped.jpg"]
            {
                assert!(
                    summary.contains(&format!("data/train/a/{special}")),
                    "{what}: {special} is not told"
                );
            }
            world.tried(&["eval", "runs/tiny", "data", "--json"], &what);
            world.tried(&["predict", "runs/tiny", "data/train/a", "--json"], &what);
            world.tried(&["predict", "runs/tiny", "data/train/a/pipe.png", "data/train/a/zero.png"], &what);
        }
        world.tried(&["augment", "data", "--out", "grid.png"], &what);

        for kind in 0..8 {
            let (sources_of, is_model, is_recipe) = match kind {
                0..4 => (&sources.tables, false, false),
                4..6 => (&sources.models, true, false),
                _ => (&sources.recipes, false, true),
            };
            let (ending, bytes) = draws.one_of(sources_of);
            let file = format!("file{kind}.{ending}");
            fs::write(world.path(&file), mutated(bytes, &mut draws)).unwrap();
            files += 1;
            if is_model {
                fs::create_dir_all(world.path("model")).unwrap();
                fs::copy(world.path(&file), world.path("model/best.safetensors")).unwrap();
                world.tried(&["predict", "model", "outside.jpg", "--json"], &what);
                let mut arguments = vec!["train", "data", "--runs", "runs", "--init-from", &file];
                arguments.extend(TINY);
                arguments.push("data.on_bad_image=skip");
                world.tried(&arguments, &what);
            } else if is_recipe {
                let mut arguments = vec!["train", "data", "--runs", "runs", "--recipe", &file];
                arguments.extend(TINY);
                arguments.push("data.on_bad_image=skip");
                world.tried(&arguments, &what);
            } else {
                let mut arguments = vec!["train", &file, "--runs", "runs"];
                arguments.extend(TINY);
                arguments.push("data.on_bad_image=skip");
                world.tried(&["inspect", &file], &what);
                world.tried(&arguments, &what);
                if code == 0 {
                    world.tried(&["predict", "runs/tiny", &file], &what);
                }
            }
        }
    }
    files
}

#[test]
fn hostile_files_are_told_and_end_nothing() {
    assert!(rounds(1, 9) > 500);
}

/// Pipes and devices in the place of every file that a command is given.
#[test]
fn what_is_no_file_is_refused_at_once() {
    let (sources, world) = (Sources::new(), World::new("devices"));
    world.photographs(&sources.photograph, "data");
    fs::create_dir_all(world.path("piped")).unwrap();
    for name in [
        "pipe.csv",
        "pipe.npy",
        "pipe.npz",
        "pipe.zip",
        "pipe.tar",
        "pipe.safetensors",
        "pipe.pt",
        "pipe.jpg",
        "piped/labels.csv",
        "piped/best.safetensors",
        "piped/summary.json",
        "piped/recipe.toml",
    ] {
        world.fifo(&world.path(name));
    }
    symlink("/dev/zero", world.path("zero.csv")).unwrap();
    symlink("/dev/zero", world.path("zero.npy")).unwrap();
    symlink("/dev/zero", world.path("zero.jpg")).unwrap();
    symlink("/dev/zero", world.path("zero.safetensors")).unwrap();
    for file in [
        "pipe.csv",
        "pipe.npy",
        "pipe.npz",
        "pipe.zip",
        "pipe.tar",
        "pipe.jpg",
        "piped",
        "zero.csv",
        "zero.npy",
        "zero.jpg",
        "/dev/zero",
        "/dev/null",
    ] {
        let mut arguments = vec!["train", file, "--runs", "runs"];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        for arguments in [&["inspect", file][..], &arguments, &["augment", file, "--out", "grid.png"]] {
            let (code, said) = world.tried(arguments, file);
            assert_ne!(code, 0, "{arguments:?}: {said}");
        }
    }
    for file in ["pipe.safetensors", "pipe.pt", "zero.safetensors", "piped", "/dev/zero"] {
        let mut arguments = vec!["train", "data", "--runs", "runs", "--init-from", file];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        for arguments in [&["predict", file, "data/val/a/good0.jpg"][..], &["eval", file, "data"], &arguments]
        {
            let (code, said) = world.tried(arguments, file);
            assert_ne!(code, 0, "{arguments:?}: {said}");
        }
    }
    // A recipe may be a pipe, as `<(...)` of a shell is.
    for file in ["zero.csv", "/dev/null/x"] {
        let mut arguments = vec!["train", "data", "--runs", "runs", "--recipe", file];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        let (code, said) = world.tried(&arguments, file);
        assert_ne!(code, 0, "{said}");
    }
}

/// All of them: `.ci/long hostile_files`.
#[test]
#[ignore = "takes minutes"]
fn ten_thousand_hostile_files() {
    let mut files = 0;
    for seed in 2.. {
        files += rounds(seed, 10);
        println!("{files} files");
        if files >= 10_000 {
            break;
        }
    }
    println!(
        "result: {files} hostile files and links through inspect, train, eval, predict and augment: no crash, no panic, no hang, within 2 GB"
    );
}
