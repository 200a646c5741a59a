//! Pickles of state dicts, read as data.
//!
//! The format is that of Python's `pickletools` (protocols 0 to 5). A pickle is a program for a stack machine; two of its words, GLOBAL and REDUCE, name and
//! call any function. Here the functions that may be named are a closed list ([`Known`]), none of them is a function of this program but a
//! note of what the pickle means, and any other name ends the reading.

mod machine;
mod words;

pub(crate) use machine::{Pickle, read};

use crate::dtype::Dtype;
use crate::tensors::View;

/// A value's place in [`Pickle`]. Values refer to one another by place, so that neither a circle nor a deep nest can exhaust anything.
pub(crate) type Id = usize;

/// A value of a pickle.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    None,
    Bool,
    Int(i64),
    /// A whole number of more than 8 bytes.
    Long,
    Float,
    Text(&'a str),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Known),
    Storage(Storage<'a>),
    Tensor(Box<StoredTensor<'a>>),
    /// An object that is no tensor and does nothing.
    Inert,
}

/// A storage: elements that lie elsewhere in the file.
#[derive(Debug, Clone)]
pub(crate) struct Storage<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) key: &'a str,
    /// Elements of the storage in the file.
    pub(crate) len: usize,
    /// Where this storage begins in it, and how many elements it has, where it is a part.
    pub(crate) part: Option<(usize, usize)>,
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone)]
pub(crate) struct StoredTensor<'a> {
    pub(crate) storage: Storage<'a>,
    pub(crate) view: View,
}

/// What a state dict's pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter` and its sister with a state.
    RebuildParameter,
    Storage(Dtype),
    Size,
    /// What checkpoints hold beside tensors: options, a score. Its contents do not matter.
    Inert,
}

impl Known {
    fn find(module: &str, name: &str) -> Option<Known> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Known::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Known::RebuildTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Known::RebuildParameter
            }
            ("torch", "Size") => Known::Size,
            ("torch" | "torch.cuda", storage) => Known::Storage(match storage {
                "DoubleStorage" => Dtype::F64,
                "FloatStorage" => Dtype::F32,
                "HalfStorage" => Dtype::F16,
                "BFloat16Storage" => Dtype::BF16,
                "LongStorage" => Dtype::Whole("int64", 8),
                "IntStorage" => Dtype::Whole("int32", 4),
                "ShortStorage" => Dtype::Whole("int16", 2),
                "CharStorage" => Dtype::Whole("int8", 1),
                "ByteStorage" => Dtype::Whole("uint8", 1),
                "BoolStorage" => Dtype::Whole("bool", 1),
                _ => return None,
            }),
            ("argparse", "Namespace")
            | ("_codecs", "encode")
            | ("numpy", "dtype")
            | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Known::Inert,
            _ => return None,
        })
    }
}
