//! Files that are small and say that they are large, or that become large: each is refused in a sentence, within the bounds of all hostile files.

use crate::world::{TINY, World};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::fs;
use std::io::Write;

/// Bytes of nothing, more than a process may have, of which deflate makes a thousandth.
const LARGE: usize = 2200 << 20;

/// So many zeros behind a beginning, in pieces, so that the test holds none of it.
fn write_zeros(to: &mut impl Write, start: &[u8], mut zeros: usize) {
    let piece = vec![0u8; 1 << 20];
    to.write_all(start).unwrap();
    while zeros > 0 {
        let some = zeros.min(piece.len());
        to.write_all(&piece[..some]).unwrap();
        zeros -= some;
    }
}

fn zlib(start: &[u8], zeros: usize) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
    write_zeros(&mut to, start, zeros);
    to.finish().unwrap()
}

/// A PNG of one bit a pixel, or of its header alone.
fn png((width, height): (u32, u32), data: &[u8], text: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], content: &[u8]| {
        bytes.extend((content.len() as u32).to_be_bytes());
        let covered = [&kind[..], content].concat();
        bytes.extend(&covered);
        bytes.extend(crc32fast::hash(&covered).to_be_bytes());
    };
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[1, 0, 0, 0, 0]].concat());
    if !text.is_empty() {
        chunk(b"iCCP", &[b"profile\0\0", text].concat());
        chunk(b"zTXt", &[b"Comment\0\0", text].concat());
    }
    chunk(b"IDAT", data);
    chunk(b"IEND", &[]);
    bytes
}

/// A little-endian TIFF with one strip: entries of tag, type, count and value or place.
fn tiff(entries: &[(u16, u16, u32, u32)], strip: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for &(tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend(strip);
    bytes
}

/// The pictures: a name, and the bytes.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let side = 60_000u32;
    let strip_at = 8 + 2 + 8 * 12 + 4;
    let strip = zlib(&[], LARGE / 8);
    let tiff_of = |width, height, rows| {
        let length = strip.len() as u32;
        let entries = [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, 8),
            (259, 3, 1, 8),
            (262, 3, 1, 1),
            (273, 4, 1, strip_at),
            (278, 4, 1, rows),
            (279, 4, 1, length),
        ];
        tiff(&entries, &strip)
    };
    let gif = |width: u16, height: u16| {
        let mut bytes = b"GIF89a".to_vec();
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend([
            0x80, 0, 0, 0, 0, 0, 255, 255, 255, b',', 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, b';',
        ]);
        bytes
    };
    let bmp = |width: i32, height: i32, bits: u16, compression: u32| {
        let mut bytes = b"BM".to_vec();
        bytes.extend([0u8; 8]);
        bytes.extend(54u32.to_le_bytes());
        bytes.extend(40u32.to_le_bytes());
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(compression.to_le_bytes());
        bytes.extend([0u8; 20]);
        bytes.extend([0, 1, 0, 1]);
        bytes
    };
    // 16,383 by 16,383 of lossless WebP: its head says so, and little follows.
    let mut webp = b"RIFF\x1e\0\0\0WEBPVP8L\x12\0\0\0\x2f".to_vec();
    webp.extend((16_382u32 | 16_382 << 14).to_le_bytes());
    webp.extend([0x10, 0x07, 0x10, 0x11, 0x11, 0x88, 0x88, 0xfe, 0x07, 0, 0, 0, 0, 0]);
    let jpeg =
        b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xdc\xff\xdc\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\xff\xd9"
            .to_vec();
    vec![
        ("all-white.png", png((side, side), &zlib(&[], (side as usize / 8 + 1) * side as usize), &[])),
        ("head.png", png((u32::MAX >> 1, u32::MAX >> 1), &[], &[])),
        ("longer-than-it-says.png", png((8, 8), &zlib(&[], LARGE / 4), &[])),
        ("profile.png", png((8, 8), &zlib(&[0; 16], 0), &zlib(&[], LARGE / 16))),
        ("strip.tif", tiff_of(16, 16, 16)),
        ("large.tif", tiff_of(u32::MAX, u32::MAX, u32::MAX)),
        ("rows.tif", tiff_of(20_000, 20_000, 1)),
        ("canvas.gif", gif(u16::MAX, u16::MAX)),
        ("large.bmp", bmp(i32::MAX, i32::MIN + 1, 24, 0)),
        ("runs.bmp", bmp(60_000, 60_000, 8, 1)),
        ("large.webp", webp),
        ("large.jpg", jpeg),
    ]
}

#[test]
fn pictures_that_become_large_are_told_and_passed_over() {
    let world = World::new("bombs");
    world.photographs(&crate::Sources::new().photograph, "data");
    let bombs = pictures();
    for (name, bytes) in &bombs {
        assert!(bytes.len() < 4 << 20, "{name}: {} bytes", bytes.len());
        fs::write(world.path("data/train/a").join(name), bytes).unwrap();
    }
    // The longest name that a file can have, as a picture's and as a class's.
    let long = "n".repeat(251);
    for (split, number) in [("train", 6), ("val", 3)] {
        let class = world.path("data").join(split).join("c".repeat(255));
        fs::create_dir_all(&class).unwrap();
        for at in 0..number {
            let name = format!("{at}{}.jpg", &long[1..]);
            let bytes = fs::read(world.path(&format!("data/{split}/b/good{at}.jpg"))).unwrap();
            fs::write(class.join(name), [&bytes[..], b"c"].concat()).unwrap();
        }
    }
    let (code, said) = world.tried(&["inspect", "data", "--json"], "bombs");
    assert_eq!(code, 0, "{said}");
    let mut arguments = vec!["train", "data", "--runs", "runs", "--name", "tiny"];
    arguments.extend(TINY);
    arguments.push("data.on_bad_image=skip");
    let (code, said) = world.tried(&arguments, "bombs");
    assert_eq!(code, 0, "{said}");
    // Two are pictures of a few pixels with something large beside them, and may be read.
    let summary = fs::read_to_string(world.path("runs/tiny/summary.json")).unwrap();
    for (name, _) in
        bombs.iter().filter(|(name, _)| !["longer-than-it-says.png", "profile.png"].contains(name))
    {
        assert!(summary.contains(&format!("data/train/a/{name}")), "{name} is not told: {summary}");
    }
    for (name, _) in &bombs {
        let path = format!("data/train/a/{name}");
        world.tried(&["predict", "runs/tiny", &path, "--json"], name);
        world.tried(&["augment", &path, "--out", "grid.png"], name);
    }
    let (code, said) = world.tried(&["eval", "runs/tiny", "data", "--json"], "bombs");
    assert_eq!(code, 0, "{said}");
}

/// A zip of these members, all deflated.
fn zip_of(members: &[(&str, &[u8], usize)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, start, zeros) in members {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .compression_level(Some(1));
        zip.start_file(*name, options).unwrap();
        write_zeros(&mut zip, start, *zeros);
    }
    zip.finish().unwrap().into_inner()
}

/// A zip whose directory names one member under many names: what lies once becomes large.
fn overlapping(name: &str, content: &[u8], times: u32) -> Vec<u8> {
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
    deflated.write_all(content).unwrap();
    let deflated = deflated.finish().unwrap();
    let head = |name: &str| {
        let mut head = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        head.extend(crc32fast::hash(content).to_le_bytes());
        head.extend((deflated.len() as u32).to_le_bytes());
        head.extend((content.len() as u32).to_le_bytes());
        head.extend((name.len() as u16).to_le_bytes());
        head.extend([0; 2]);
        head
    };
    let first = name.replace("{}", "000000");
    let mut bytes = [b"PK\x03\x04", &head(&first)[..], first.as_bytes(), &deflated].concat();
    let start = bytes.len();
    for time in 0..times {
        let name = name.replace("{}", &format!("{time:06}"));
        bytes.extend([b"PK\x01\x02\x14\0", &head(&name)[..], &[0; 14], name.as_bytes()].concat());
    }
    let length = bytes.len() - start;
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend((times as u16).to_le_bytes());
    bytes.extend((times as u16).to_le_bytes());
    bytes.extend((length as u32).to_le_bytes());
    bytes.extend((start as u32).to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

fn npy(shape: &str) -> Vec<u8> {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape}), }}");
    header.extend(std::iter::repeat_n(' ', 63 - (10 + header.len()) % 64));
    header.push('\n');
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat()
}

/// Data in one file: a name, and the bytes.
fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let gz = |start: &[u8], zeros| {
        let mut to = GzEncoder::new(Vec::new(), Compression::fast());
        write_zeros(&mut to, start, zeros);
        to.finish().unwrap()
    };
    let idx = |count: u32| {
        [&[0, 0, 8, 3][..], &count.to_be_bytes(), &28u32.to_be_bytes(), &28u32.to_be_bytes()].concat()
    };
    let mut nested = zip_of(&[("a/1.jpg", b"\xff\xd8\xff", 100)]);
    for _ in 0..30 {
        nested = zip_of(&[("in.zip", &nested, 0)]);
    }
    let images = npy("100000000, 32, 32, 3");
    let labels = [&npy("100000000,")[..], &[0; 64]].concat();
    let tiny = png((8, 8), &zlib(&[0; 16], 0), &[]);
    vec![
        ("one.zip", zip_of(&[("a/1.jpg", b"\xff\xd8\xff", LARGE), ("b/1.jpg", b"\xff\xd8\xff", 9)])),
        ("nested.zip", nested),
        ("overlapping.zip", overlapping("a/{}.png", &[&tiny[..], &vec![0; 16 << 20]].concat(), 60_000)),
        ("tar.tar.gz", gz(&crate::tar(&[("a/1.jpg", b"\xff\xd8\xff")]), LARGE)),
        ("train-images-idx3-ubyte.gz", gz(&idx(u32::MAX), LARGE)),
        ("zeros.npz", zip_of(&[("x_train.npy", &images, LARGE), ("y_train.npy", &labels, 1 << 20)])),
    ]
}

#[test]
fn archives_and_arrays_that_become_large_are_refused() {
    let world = World::new("archives");
    world.photographs(&crate::Sources::new().photograph, "data");
    for (name, bytes) in archives() {
        assert!(bytes.len() < 20 << 20, "{name}: {} bytes", bytes.len());
        fs::write(world.path(name), bytes).unwrap();
        let mut arguments = vec!["train", name, "--runs", "runs"];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        for arguments in [&["inspect", name][..], &arguments, &["augment", name, "--out", "grid.png"]] {
            let (code, said) = world.tried(arguments, name);
            assert_ne!(code, 0, "{arguments:?}: {said}");
        }
    }
    // By itself an array is refused for having no labels, so it has some here.
    for (folder, images) in [
        ("claims", npy("4294967295, 4294967295, 4294967295")),
        ("overflow", npy("18446744073709551615, 2, 2")),
        ("many", npy("4000000000, 32, 32, 3")),
    ] {
        fs::create_dir_all(world.path(folder)).unwrap();
        fs::write(world.path(folder).join("x_train.npy"), images).unwrap();
        fs::write(world.path(folder).join("y_train.npy"), [&npy("3,")[..], &[0, 1, 1]].concat()).unwrap();
        let mut arguments = vec!["train", folder, "--runs", "runs"];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        for arguments in [&["inspect", folder][..], &arguments] {
            let (code, said) = world.tried(arguments, folder);
            assert_ne!(code, 0, "{arguments:?}: {said}");
            assert!(said.contains("x_train"), "{arguments:?}: {said}");
        }
    }
}

/// Brackets in brackets, and headers that say more than there is: read without a stack that grows with them.
#[test]
fn what_is_nested_deeply_is_refused() {
    let world = World::new("nested");
    world.photographs(&crate::Sources::new().photograph, "data");
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(200_000), close.repeat(200_000));
    let header = |text: &str, says: u64| [&says.to_le_bytes()[..], text.as_bytes()].concat();
    let lists = deep("[", "]");
    let maps = deep("{\"a\":", "}");
    let model = |text: &str| header(text, text.len() as u64);
    fs::create_dir_all(world.path("run")).unwrap();
    for (name, bytes) in [
        ("lists.toml", format!("model.hidden = {lists}").into_bytes()),
        ("tables.toml", format!("a = {}", deep("{a=", "}")).into_bytes()),
        ("keys.toml", format!("{}b = 1", "a.".repeat(200_000)).into_bytes()),
        ("lists.safetensors", model(&format!("{{\"__metadata__\":{lists}}}"))),
        ("maps.safetensors", model(&maps)),
        ("says.safetensors", header("{}", u64::MAX)),
        ("half.safetensors", header("{}", u64::MAX / 2)),
        ("lists.json", lists.clone().into_bytes()),
    ] {
        fs::write(world.path(name), bytes).unwrap();
    }
    for name in ["lists.toml", "tables.toml", "keys.toml", "lists.json"] {
        let mut arguments = vec!["train", "data", "--runs", "runs", "--recipe", name];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        let space = ["search", "data", "--space", name, "--trials", "1", "--runs", "runs"];
        for arguments in [&arguments[..], &space] {
            let (code, said) = world.tried(arguments, name);
            assert_ne!(code, 0, "{arguments:?}: {said}");
        }
    }
    for name in ["lists.safetensors", "maps.safetensors", "says.safetensors", "half.safetensors"] {
        let (code, said) = world.tried(&["predict", name, "data/val/a/good0.jpg"], name);
        assert_ne!(code, 0, "{said}");
        fs::copy(world.path(name), world.path("run/best.safetensors")).unwrap();
        let (code, said) = world.tried(&["predict", "run", "data/val/a/good0.jpg"], name);
        assert_ne!(code, 0, "{said}");
        let mut arguments = vec!["train", "data", "--runs", "runs", "--init-from", name];
        arguments.extend(TINY);
        arguments.push("data.on_bad_image=skip");
        let (code, said) = world.tried(&arguments, name);
        assert_ne!(code, 0, "{said}");
    }
    // Files of a run that are nested as deeply, beside a model that is whole.
    let mut arguments = vec!["train", "data", "--runs", "runs", "--name", "good"];
    arguments.extend(TINY);
    arguments.push("data.on_bad_image=skip");
    let (code, said) = world.tried(&arguments, "good");
    assert_eq!(code, 0, "{said}");
    for name in ["metrics.jsonl", "environment.json", "summary.json", "recipe.toml"] {
        let content = if name == "recipe.toml" { format!("a = {lists}") } else { maps.clone() };
        fs::write(world.path("runs/good").join(name), content).unwrap();
        for arguments in [
            &["runs", "runs"][..],
            &["compare", "runs/good", "runs/good"],
            &["resume", "runs/good"],
            &["verify", "runs/good"],
            &["eval", "runs/good", "data"],
            &["predict", "runs/good", "data/val/a/good0.jpg"],
        ] {
            world.tried(arguments, name);
        }
    }
}
