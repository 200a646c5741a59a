//! The stack machine.

use super::words::Words;
use super::{Id, Known, Storage, StoredTensor, Value};
use crate::error::Fault;
use crate::tensors::View;
use std::collections::HashMap;

/// More words than the pickle of any network has: a thousand tensors take 50,000.
const MAX_WORDS: usize = 8_000_000;

/// A pickle that was read: all its values, and which is the whole.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    /// Bytes of it.
    pub(crate) len: usize,
}

impl<'a> Pickle<'a> {
    pub(crate) fn root(&self) -> &Value<'a> {
        &self.values[self.root]
    }

    pub(crate) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// Every storage that it refers to.
    pub(crate) fn storages(&self) -> impl Iterator<Item = &Storage<'a>> {
        self.values
            .iter()
            .filter_map(|value| if let Value::Storage(storage) = value { Some(storage) } else { None })
    }

    pub(crate) fn text(&self, id: Id) -> Option<&'a str> {
        if let Value::Text(text) = self.values[id] { Some(text) } else { None }
    }
}

/// Reads the pickle at the start of some bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<Pickle<'_>, Fault> {
    let mut machine = Machine {
        words: Words::new(bytes),
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MAX_WORDS {
        if let Some(root) = machine.word()? {
            return Ok(Pickle { values: machine.values, root, len: machine.words.at() });
        }
    }
    Err(Fault::damaged(format!("its pickle has more than {MAX_WORDS} words")))
}

struct Machine<'a> {
    words: Words<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    /// Does one word; at the end, what the pickle is.
    fn word(&mut self) -> Result<Option<Id>, Fault> {
        let at = self.words.at();
        let word = self.words.byte()?;
        match word {
            // PROTO, FRAME: nothing to do.
            0x80 => drop(self.words.take(1)?),
            0x95 => drop(self.words.take(8)?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.popped_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool),
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => {
                let number = self.words.number(4)? as u32;
                self.push(Value::Int(i64::from(number as i32)));
            }
            b'I' | b'L' => {
                let line = self.words.line()?;
                let value = line.trim_end_matches('L').parse().map(Value::Int);
                self.push(value.map_err(|_| {
                    Fault::damaged(format!("{line:?} is no number, at byte {at} of its pickle"))
                })?);
            }
            0x8A => self.long(1)?,
            0x8B => self.long(4)?,
            b'G' => {
                self.words.take(8)?;
                self.push(Value::Float);
            }
            b'F' => {
                self.words.line()?;
                self.push(Value::Float);
            }
            b'X' => self.text(4)?,
            0x8C => self.text(1)?,
            0x8D => self.text(8)?,
            b'V' => {
                let line = self.words.line()?;
                self.push(Value::Text(line));
            }
            // Strings of Python 2: text where they are UTF-8.
            b'U' => self.old_string(1)?,
            b'T' => self.old_string(4)?,
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8E => self.bytes(8)?,
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' => {
                let items = self.popped_to_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x84..word {
                    items.insert(0, self.pop()?);
                }
                self.push(Value::Tuple(items));
            }
            b']' | 0x8F => self.push(Value::List(Vec::new())),
            b'l' => {
                let items = self.popped_to_mark()?;
                self.push(Value::List(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.popped_to_mark()?;
                self.extend_list(items)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' => {
                let items = self.popped_to_mark()?;
                self.push(Value::Dict(Vec::new()));
                self.extend_dict(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(&[key, value])?;
            }
            b'u' => {
                let items = self.popped_to_mark()?;
                self.extend_dict(&items)?;
            }
            b'g' | b'p' => {
                let line = self.words.line()?;
                let key =
                    line.parse().map_err(|_| Fault::damaged(format!("{line:?} is no place in the memo")))?;
                if word == b'g' { self.recall(key)? } else { self.remember(key)? }
            }
            b'h' => self.get(1)?,
            b'j' => self.get(4)?,
            b'q' => self.put(1)?,
            b'r' => self.put(4)?,
            0x94 => self.remember(self.memo.len() as u64)?,
            b'c' => {
                let (module, name) = (self.words.line()?, self.words.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.values[module], &self.values[name]) {
                    (&Value::Text(module), &Value::Text(name)) => self.global(module, name)?,
                    _ => return Err(Fault::damaged("a name that is no text")),
                }
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let result = self.reduce(callee, arguments)?;
                self.stack.push(result);
            }
            b'b' => {
                // The state of a dictionary is its attributes, such as `_metadata`; that of anything else does not matter either.
                self.pop()?;
                self.top()?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Value::Storage(storage));
            }
            other => {
                return Err(Fault::damaged(format!(
                    "byte {at} of its pickle, 0x{other:02x}, is no word of a state dict's"
                )));
            }
        }
        Ok(None)
    }

    fn push(&mut self, value: Value<'a>) {
        self.values.push(value);
        self.stack.push(self.values.len() - 1);
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(Fault::damaged(format!(
                "its pickle takes from an empty stack, at byte {}",
                self.words.at()
            )));
        }
        self.stack.pop().ok_or_else(|| Fault::damaged("its pickle takes from an empty stack"))
    }

    fn top(&mut self) -> Result<Id, Fault> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    fn popped_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark =
            self.marks.pop().ok_or_else(|| Fault::damaged("its pickle has no mark where one is needed"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn int(&mut self, bytes: usize) -> Result<(), Fault> {
        let number = self.words.number(bytes)?;
        self.push(Value::Int(number as i64));
        Ok(())
    }

    /// Two's complement of any length.
    fn long(&mut self, bytes: usize) -> Result<(), Fault> {
        let digits = self.words.counted(bytes)?;
        let fill = if digits.last().is_some_and(|&byte| byte >= 0x80) { 0xFF } else { 0 };
        let mut number = [fill; 8];
        self.push(match number.get_mut(..digits.len()) {
            Some(low) => {
                low.copy_from_slice(digits);
                Value::Int(i64::from_le_bytes(number))
            }
            None => Value::Long,
        });
        Ok(())
    }

    fn text(&mut self, bytes: usize) -> Result<(), Fault> {
        let text = self.words.text(bytes)?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn old_string(&mut self, bytes: usize) -> Result<(), Fault> {
        let string = self.words.counted(bytes)?;
        self.push(std::str::from_utf8(string).map_or(Value::Bytes, Value::Text));
        Ok(())
    }

    fn bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.words.counted(bytes)?;
        self.push(Value::Bytes);
        Ok(())
    }

    fn get(&mut self, bytes: usize) -> Result<(), Fault> {
        let key = self.words.number(bytes)?;
        self.recall(key)
    }

    fn put(&mut self, bytes: usize) -> Result<(), Fault> {
        let key = self.words.number(bytes)?;
        self.remember(key)
    }

    fn recall(&mut self, key: u64) -> Result<(), Fault> {
        let id = self.memo.get(&key).copied();
        self.stack.push(
            id.ok_or_else(|| Fault::damaged(format!("its pickle recalls {key}, which it never kept")))?,
        );
        Ok(())
    }

    fn remember(&mut self, key: u64) -> Result<(), Fault> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(list) => list.extend(items),
            Value::Inert => {}
            _ => return Err(Fault::damaged("its pickle appends to what is no list")),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Id]) -> Result<(), Fault> {
        let dict = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.values[dict] {
            Value::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)))
            }
            Value::Inert if rest.is_empty() => {}
            _ => return Err(Fault::damaged("its pickle sets items of what is no dictionary")),
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let known = Known::find(module, name).ok_or_else(|| Fault::Refused(format!("{module}.{name}")))?;
        self.push(Value::Global(known));
        Ok(())
    }

    /// What a call would give.
    fn reduce(&mut self, callee: Id, arguments: Id) -> Result<Id, Fault> {
        let (Value::Global(known), Value::Tuple(arguments)) = (&self.values[callee], &self.values[arguments])
        else {
            return Err(Fault::damaged("its pickle calls what is no function"));
        };
        let (known, arguments) = (*known, arguments.clone());
        let value = match known {
            Known::OrderedDict => Value::Dict(self.pairs(&arguments)?),
            Known::RebuildTensor => Value::Tensor(Box::new(self.tensor(&arguments)?)),
            Known::RebuildParameter => match arguments.first() {
                Some(&tensor) if matches!(self.values[tensor], Value::Tensor(_)) => return Ok(tensor),
                _ => return Err(Fault::damaged("a parameter without a tensor")),
            },
            Known::Size => Value::Tuple(match arguments.first().map(|&id| &self.values[id]) {
                Some(Value::Tuple(sides) | Value::List(sides)) => sides.clone(),
                _ => Vec::new(),
            }),
            Known::Inert => Value::Inert,
            Known::Storage(_) => return Err(Fault::damaged("a storage that lies in its pickle")),
        };
        self.values.push(value);
        Ok(self.values.len() - 1)
    }

    /// The pairs of `OrderedDict([(key, value), ...])`; none of `OrderedDict()`.
    fn pairs(&self, arguments: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
        let wrong = || Fault::damaged("a dictionary of what are no pairs");
        let Some(&list) = arguments.first() else { return Ok(Vec::new()) };
        let (Value::List(items) | Value::Tuple(items)) = &self.values[list] else { return Err(wrong()) };
        let pair = |&item: &Id| match &self.values[item] {
            Value::List(pair) | Value::Tuple(pair) => {
                <[Id; 2]>::try_from(&pair[..]).ok().map(|[key, value]| (key, value))
            }
            _ => None,
        };
        items.iter().map(|item| pair(item).ok_or_else(wrong)).collect()
    }

    /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`.
    fn tensor(&self, arguments: &[Id]) -> Result<StoredTensor<'a>, Fault> {
        let wrong = || Fault::damaged("a tensor whose storage, offset, size or stride is none");
        let &[storage, offset, size, stride, ..] = arguments else { return Err(wrong()) };
        let Value::Storage(storage) = &self.values[storage] else { return Err(wrong()) };
        let number = |id: Id| match self.values[id] {
            Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        };
        let numbers = |id: Id| match &self.values[id] {
            Value::Tuple(items) | Value::List(items) => {
                items.iter().map(|&item| number(item)).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let view = View {
            dtype: storage.dtype,
            offset: number(offset).ok_or_else(wrong)?,
            shape: numbers(size).ok_or_else(wrong)?,
            strides: numbers(stride).ok_or_else(wrong)?,
        };
        Ok(StoredTensor { storage: storage.clone(), view })
    }

    /// `("storage", type, key, location, elements)`; in the oldest files with `None` or `(key, offset, elements)` of a part behind it.
    fn storage(&self, id: Id) -> Result<Storage<'a>, Fault> {
        let wrong = || Fault::damaged("it refers to what is no storage");
        let Value::Tuple(items) = &self.values[id] else { return Err(wrong()) };
        let &[kind, of, key, _, len, ref rest @ ..] = &items[..] else { return Err(wrong()) };
        let size = |id: Id| match self.values[id] {
            Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        };
        match (&self.values[kind], &self.values[of], &self.values[key], size(len)) {
            (
                &Value::Text("storage"),
                &Value::Global(Known::Storage(dtype)),
                &Value::Text(key),
                Some(len),
            ) => {
                let part = match rest.first().map(|&part| &self.values[part]) {
                    Some(Value::Tuple(part)) => match part[..] {
                        [_, offset, len] => size(offset).zip(size(len)).map(Some).ok_or_else(wrong)?,
                        _ => return Err(wrong()),
                    },
                    _ => None,
                };
                Ok(Storage { dtype, key, len, part })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_pickle_is_refused_by_the_name_of_what_it_would_call() {
        for (pickle, named) in [
            (&b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R."[..], "os.system"),
            (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.", "posix.system"),
            (b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", "builtins.eval"),
            (b"\x80\x02ctorch\nload\nX\x01\x00\x00\x001\x85R.", "torch.load"),
            (
                b"\x80\x02ctorch._utils\n_rebuild_device_tensor_from_numpy\n)R.",
                "torch._utils._rebuild_device_tensor_from_numpy",
            ),
        ] {
            let error = read(pickle).unwrap_err();
            assert!(matches!(&error, Fault::Refused(name) if name == named), "{error}");
        }
        // Words that a state dict has no use for.
        for word in *b"io\x82\x83\x84\x92P" {
            assert!(
                read(&[0x80, 2, word, b'.'])
                    .unwrap_err()
                    .to_string()
                    .contains("is no word of a state dict's"),
                "{word:02x}"
            );
        }
    }

    #[test]
    fn a_deep_nest_a_circle_and_endless_copies_exhaust_nothing() {
        let mut deep = vec![b')'];
        deep.extend(vec![0x85; 3_000_000]);
        deep.push(b'.');
        assert!(matches!(read(&deep).unwrap().root(), Value::Tuple(_)));
        // A list that holds itself.
        assert!(matches!(read(b"]q\x00h\x00a.").unwrap().root(), Value::List(items) if items.len() == 1));
        // Each tuple holds the one before it twice.
        let mut bomb = vec![b')'];
        bomb.extend(b"2\x86".repeat(100_000));
        bomb.push(b'.');
        assert!(read(&bomb).is_ok());
        let text = b"\x80\x02X\xff\xff\xff\xffabc.";
        assert!(read(text).unwrap_err().to_string().contains("ends within its pickle"));
    }

    #[test]
    fn numbers_are_those_that_python_wrote() {
        let int = |bytes: &[u8]| match read(bytes).unwrap().root() {
            Value::Int(number) => *number,
            other => panic!("{other:?}"),
        };
        assert_eq!(int(b"K\xff."), 255);
        assert_eq!(int(b"M\x01\x02."), 513);
        assert_eq!(int(b"J\xfe\xff\xff\xff."), -2);
        assert_eq!(int(b"\x8a\x01\x80."), -128);
        assert_eq!(int(b"\x8a\x02\x80\x00."), 128);
        assert_eq!(int(b"\x8a\x00."), 0);
        assert_eq!(int(b"I-7\n."), -7);
        assert_eq!(int(b"L12L\n."), 12);
        let long = read(b"\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.").unwrap();
        assert!(matches!(long.root(), Value::Long));
    }
}
