//! Files of PyTorch 1.6 and later: a zip archive of `NAME/data.pkl`, and each storage as `NAME/data/KEY`.

use super::{Contents, contents};
use crate::error::Fault;
use crate::packed::Packed;
use crate::pickle::read as read_pickle;
use std::borrow::Cow;

/// The largest pickle of a state dict that is read.
const MAX_PICKLE: u64 = 64 << 20;

/// The file that has the pickle, if this archive is one of PyTorch's.
fn pickle_of(zip: &Packed<'_>) -> Option<String> {
    let at_most_one_folder = |name: &&str| name.matches('/').count() <= 1;
    zip.names().filter(at_most_one_folder).find(|name| name.ends_with("data.pkl")).map(str::to_owned)
}

/// Whether an archive is one of PyTorch's.
pub(crate) fn is_torch(zip: &Packed<'_>) -> bool {
    pickle_of(zip).is_some()
}

pub(crate) fn read(zip: &mut Packed<'_>) -> Result<Contents, Fault> {
    let name = pickle_of(zip).ok_or_else(|| Fault::damaged("it has no data.pkl"))?;
    let folder = name[..name.len() - "data.pkl".len()].to_owned();
    let order = format!("{folder}byteorder");
    if zip.names().any(|name| name == order) && zip.read(&order, 16)?.trim_ascii() != b"little" {
        return Err(Fault::Foreign(
            "it was written by a big-endian machine, whose files are not read".into(),
        ));
    }
    let bytes = zip.read(&name, MAX_PICKLE)?;
    let pickle = read_pickle(&bytes)?;
    contents(&pickle, |key, len| {
        let member = format!("{folder}data/{key}");
        zip.read(&member, len as u64).map(Cow::Owned)
    })
}
