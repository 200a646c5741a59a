//! PyTorch's `.pt` and `.pth` files: a pickle of a state dict, perhaps inside of a checkpoint, and the storages that its tensors are views of.

mod legacy;
mod zipped;

pub(crate) use legacy::{is_legacy, read as read_legacy};
pub(crate) use zipped::{is_torch, read as read_zip};

use crate::dtype::Dtype;
use crate::error::Fault;
use crate::names::WRAPPERS;
use crate::pickle::{Pickle, StoredTensor, Value};
use pupila_network::Tensor;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a file of tensors holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) tensors: BTreeMap<String, Tensor>,
    /// Tensors that are no weights, with the type of their elements.
    pub(crate) whole: Vec<(String, Dtype)>,
    /// The types of the others that are not f32.
    pub(crate) converted: Vec<Dtype>,
    /// The entry of a checkpoint that they are from.
    pub(crate) entry: Option<String>,
}

impl Contents {
    /// Notes a type that is converted.
    pub(crate) fn note(&mut self, dtype: Dtype) {
        if dtype != Dtype::F32 && !self.converted.contains(&dtype) {
            self.converted.push(dtype);
        }
    }
}

/// The tensors of a pickle, their storages' bytes asked for by key.
fn contents<'s>(
    pickle: &Pickle<'_>,
    mut bytes_of: impl FnMut(&str, usize) -> Result<Cow<'s, [u8]>, Fault>,
) -> Result<Contents, Fault> {
    let (stored, entry) = state_dict(pickle)?;
    let mut contents = Contents { entry: entry.map(str::to_owned), ..Contents::default() };
    let mut storages = BTreeMap::<&str, Cow<'s, [u8]>>::new();
    // Many views of one storage must not add up to more than any memory.
    let (mut viewed, mut held) = (0usize, 0usize);
    for (name, tensor) in stored {
        let StoredTensor { storage, view } = tensor;
        if let Dtype::Whole(..) = storage.dtype {
            contents.whole.push((name.to_owned(), storage.dtype));
            continue;
        }
        let wrong = |problem: String| Fault::tensor(name, problem);
        let width = storage.dtype.bytes();
        let len = storage
            .len
            .checked_mul(width)
            .ok_or_else(|| wrong(format!("has a storage of {} elements", storage.len)))?;
        if !storages.contains_key(storage.key) {
            let bytes = bytes_of(storage.key, len).map_err(|fault| wrong(fault.to_string()))?;
            held += bytes.len();
            storages.insert(storage.key, bytes);
        }
        let bytes = storages.get(storage.key).map(|bytes| &bytes[..]).unwrap_or_default();
        if bytes.len() != len {
            return Err(wrong(format!(
                "has a storage of {len} bytes, of which the file holds {}",
                bytes.len()
            )));
        }
        let bytes = match storage.part {
            None => Some(bytes),
            Some((offset, part)) => offset
                .checked_mul(width)
                .zip(part.checked_mul(width))
                .and_then(|(start, len)| bytes.get(start..start.checked_add(len)?)),
        };
        let bytes = bytes.ok_or_else(|| wrong("is of a part that its storage does not have".into()))?;
        view.check(name, bytes)?;
        viewed = view.len().and_then(|len| viewed.checked_add(len.checked_mul(width)?)).unwrap_or(usize::MAX);
        if viewed / 4 > held {
            return Err(wrong(
                "and those before it are several times as large as what the file holds".into(),
            ));
        }
        contents.note(storage.dtype);
        contents.tensors.insert(name.to_owned(), view.read(name, bytes)?);
    }
    Ok(contents)
}

/// Stored tensors by name.
type Stored<'p> = Vec<(&'p str, &'p StoredTensor<'p>)>;

/// The state dict of a pickle, and the entry of a checkpoint that it was found in.
fn state_dict<'p>(pickle: &'p Pickle<'p>) -> Result<(Stored<'p>, Option<&'p str>), Fault> {
    let tensors = |value: &'p Value<'p>| -> Stored<'p> {
        let Value::Dict(items) = value else { return Vec::new() };
        let mut places = BTreeMap::new();
        let mut values: Vec<(&str, &Value<'_>)> = Vec::new();
        for &(key, value) in items {
            let Some(name) = pickle.text(key) else { continue };
            // A name that comes again replaces what it had, in its place, as in Python.
            match places.get(name) {
                Some(&place) => values[place] = (name, pickle.get(value)),
                None => {
                    places.insert(name, values.len());
                    values.push((name, pickle.get(value)));
                }
            }
        }
        let tensor = |(name, value): (&'p str, &'p Value<'p>)| match value {
            Value::Tensor(tensor) => Some((name, &**tensor)),
            _ => None,
        };
        values.into_iter().filter_map(tensor).collect()
    };
    let root = pickle.root();
    let Value::Dict(items) = root else {
        return Err(Fault::NoTensors("it holds no state dict, but a value of another kind".into()));
    };
    let own = tensors(root);
    if !own.is_empty() {
        return Ok((own, None));
    }
    for wrapper in WRAPPERS {
        let entry = items.iter().rev().find(|&&(key, _)| pickle.text(key) == Some(wrapper));
        let inner = entry.map(|&(_, value)| tensors(pickle.get(value))).unwrap_or_default();
        if !inner.is_empty() {
            return Ok((inner, Some(wrapper)));
        }
    }
    let keys: Vec<&str> = items.iter().filter_map(|&(key, _)| pickle.text(key)).take(12).collect();
    Err(Fault::NoTensors(match keys[..] {
        [] => "it holds no tensor".into(),
        _ => format!(
            "it holds no state dict; its entries are {}, and tensors are looked for in {}",
            keys.join(", "),
            WRAPPERS.join(", ")
        ),
    }))
}
