//! Files of before PyTorch 1.6, and of `_use_new_zipfile_serialization=False`: five pickles (a magic number, the version, the machine, the object, the
//! keys of its storages), then each storage, as the number of its elements and these (`torch/serialization.py`, `_legacy_save`).

use super::{Contents, contents};
use crate::error::Fault;
use crate::pickle::{Value, read as read_pickle};
use std::borrow::Cow;
use std::collections::HashMap;

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];
/// The version of the layout.
const VERSION: i64 = 1001;

/// Whether bytes begin as such a file: a pickle of the magic number.
pub(crate) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.len() > 14 && bytes[0] == 0x80 && bytes[2..4] == [0x8A, 10] && bytes[4..14] == MAGIC
}

pub(crate) fn read(bytes: &[u8]) -> Result<Contents, Fault> {
    let mut rest = bytes;
    let mut next = || {
        let pickle = read_pickle(rest)?;
        rest = &rest[pickle.len..];
        Ok::<_, Fault>(pickle)
    };
    let (_magic, version, machine, object, keys) = (next()?, next()?, next()?, next()?, next()?);
    match version.root() {
        Value::Int(VERSION) => {}
        _ => return Err(Fault::damaged("its layout is of another version than PyTorch's 1001")),
    }
    if !matches!(machine.root(), Value::Dict(_)) {
        return Err(Fault::damaged("it does not say which machine wrote it"));
    }
    let Value::List(listed) = keys.root() else {
        return Err(Fault::damaged("it does not list its storages"));
    };
    // How long an element is, is said where the object refers to the storage: an optimizer's moments lie between the weights.
    let widths: HashMap<&str, usize> =
        object.storages().map(|storage| (storage.key, storage.dtype.bytes())).collect();
    let mut storages = HashMap::new();
    for &id in listed {
        let key = keys.text(id).ok_or_else(|| Fault::damaged("the key of a storage is no text"))?;
        let Some((len, after)) = rest.split_first_chunk::<8>() else {
            // Told by the tensor that it is of.
            break;
        };
        // Where the next begins cannot be told without its type.
        let Some(width) = widths.get(key) else { break };
        let bytes = usize::try_from(u64::from_le_bytes(*len)).ok().and_then(|len| len.checked_mul(*width));
        let storage = bytes.and_then(|bytes| after.get(..bytes));
        let Some(storage) = storage else {
            storages.insert(key, after);
            break;
        };
        storages.insert(key, storage);
        rest = &after[storage.len()..];
    }
    contents(&object, |key, _| match storages.get(key) {
        Some(storage) => Ok(Cow::Borrowed(storage)),
        None => Err(Fault::damaged("its storage is not in the file, which ends before it")),
    })
}
