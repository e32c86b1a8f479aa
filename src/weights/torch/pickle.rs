//! A pickle machine that knows dictionaries, numbers, texts and tensors, and calls nothing.
//!
//! Own code, because the crates for pickles (serde-pickle, pickled) know no persistent ids, by which PyTorch refers
//! to the bytes of its tensors.
//!
//! The instructions are those of protocols 2 to 5 that Python's `pickletools` documents. A name that a pickle asks
//! Python for is compared with the few that tensors need. [`Foreign`] says what becomes of any other: either it ends
//! the reading, or it stands for an object of which the name is all that is known. Objects are kept in tables and
//! referred to by index, so nothing here recurses, and an object that contains itself does no harm. What is kept is
//! proportional to the length of the pickle.

use std::collections::HashMap;

use super::MAX_KEY;
use crate::weights::index::Dtype;

/// The most dimensions of a tensor.
const MAX_RANK: usize = 8;

/// What becomes of a name that a pickle asks Python for and tensors do not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::weights) enum Foreign {
    /// It ends the reading: a file of weights has no reason to hold one.
    Refused,
    /// It becomes an [`Object`](Value::Object), and so does what is called by it. What is put into such an object is
    /// dropped. A training checkpoint holds settings and schedules of all kinds.
    Opaque,
}

/// Why a pickle was not read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end before the pickle does.
    Truncated,
    /// It is no pickle that `torch.save` writes.
    Corrupt(String),
    /// It asks Python for this name.
    Foreign(String),
}

type Result<T, E = Stop> = std::result::Result<T, E>;

fn corrupt<T>(problem: impl Into<String>) -> Result<T> {
    Err(Stop::Corrupt(problem.into()))
}

/// An object; containers are indices into [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
    /// The bytes of an integer that has more than eight of them, little-endian.
    Long(&'a [u8]),
    /// Of no interest here: bytes, sets, and what refers to something outside that is no storage.
    Opaque,
    /// What Python would have made; index into [`Pickle::foreign`].
    Object(usize),
    Tuple {
        start: usize,
        length: usize,
    },
    List(usize),
    Dict(usize),
    Global(Global),
    /// Index into [`Pickle::storages`].
    Storage(usize),
    /// Index into [`Pickle::tensors`].
    Tensor(usize),
}

/// The names that a pickle may ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    StorageType { dtype: Dtype, width: u64 },
}

impl Global {
    fn from_name(module: &str, name: &str) -> Option<Self> {
        let storage = |dtype, width| Some(Self::StorageType { dtype, width });
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", "Size") => Some(Self::Size),
            // Files of 2019 name the type of a storage on a GPU.
            ("torch" | "torch.cuda", name) => match name {
                "FloatStorage" => storage(Dtype::F32, 4),
                "HalfStorage" => storage(Dtype::F16, 2),
                "BFloat16Storage" => storage(Dtype::BF16, 2),
                "LongStorage" => storage(Dtype::I64, 8),
                "CharStorage" => storage(Dtype::I8, 1),
                "DoubleStorage" => storage(Dtype::Other("f64"), 8),
                "IntStorage" => storage(Dtype::Other("i32"), 4),
                "ShortStorage" => storage(Dtype::Other("i16"), 2),
                "ByteStorage" => storage(Dtype::Other("u8"), 1),
                "BoolStorage" => storage(Dtype::Other("bool"), 1),
                "ComplexFloatStorage" => storage(Dtype::Other("complex64"), 8),
                "ComplexDoubleStorage" => storage(Dtype::Other("complex128"), 16),
                _ => None,
            },
            ("torch.storage", "UntypedStorage" | "TypedStorage") => storage(Dtype::Other("untyped bytes"), 1),
            _ => None,
        }
    }
}

/// The bytes that one or more tensors look into, by the key that the container knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    /// Bytes a value.
    pub(super) width: u64,
    /// How many values.
    pub(super) length: u64,
    /// The value at which a view into the storage begins; 0 for the storage itself.
    pub(super) first: u64,
}

/// A view into a storage, in values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    /// Index into [`Pickle::storages`].
    pub(super) storage: usize,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
}

/// What a pickle holds.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    pub(super) root: Value<'a>,
    pub(super) storages: Vec<Storage<'a>>,
    pub(super) tensors: Vec<Tensor>,
    /// The module and the name of what Python was asked for in vain.
    pub(super) foreign: Vec<[&'a str; 2]>,
    /// How many bytes it took.
    pub(super) length: usize,
    tuples: Vec<Value<'a>>,
    lists: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle from the start of some bytes.
    pub(super) fn read(bytes: &'a [u8], foreign: Foreign) -> Result<Self> {
        let pickle = Self {
            root: Value::None,
            storages: Vec::new(),
            tensors: Vec::new(),
            foreign: Vec::new(),
            length: 0,
            tuples: Vec::new(),
            lists: Vec::new(),
            dicts: Vec::new(),
        };
        let memo = HashMap::new();
        Machine { bytes, foreign, at: 0, stack: Vec::new(), marks: Vec::new(), memo, copied: 0, pickle }.run()
    }

    /// The items of a list or a tuple.
    pub(super) fn items(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match value {
            Value::Tuple { start, length } => self.tuples.get(start..start.checked_add(length)?),
            Value::List(index) => self.lists.get(index).map(Vec::as_slice),
            _ => None,
        }
    }

    /// The pairs of a dictionary in the order of writing; of two with the same key, the later counts.
    pub(super) fn pairs(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        match value {
            Value::Dict(index) => self.dicts.get(index).map(Vec::as_slice),
            _ => None,
        }
    }

    /// What a key of a dictionary holds.
    pub(super) fn get(&self, dictionary: Value<'a>, key: &str) -> Option<Value<'a>> {
        let mut pairs = self.pairs(dictionary)?.iter().rev();
        pairs.find(|&&(found, _)| found == Value::Str(key)).map(|&(_, value)| value)
    }

    /// The name by which Python would have made an object.
    pub(super) fn foreign_name(&self, value: Value<'a>) -> Option<String> {
        let Value::Object(index) = value else { return None };
        self.foreign.get(index).map(escaped)
    }
}

/// A name for a message.
fn escaped([module, name]: &[&str; 2]) -> String {
    format!("{module}.{name}").escape_debug().take(200).collect()
}

/// Opcodes by the names that `pickletools` gives them.
mod op {
    pub(super) const MARK: u8 = b'(';
    pub(super) const STOP: u8 = b'.';
    pub(super) const POP: u8 = b'0';
    pub(super) const POP_MARK: u8 = b'1';
    pub(super) const DUP: u8 = b'2';
    pub(super) const BINBYTES: u8 = b'B';
    pub(super) const SHORT_BINBYTES: u8 = b'C';
    pub(super) const BINFLOAT: u8 = b'G';
    pub(super) const BININT: u8 = b'J';
    pub(super) const BININT1: u8 = b'K';
    pub(super) const BININT2: u8 = b'M';
    pub(super) const NONE: u8 = b'N';
    pub(super) const BINPERSID: u8 = b'Q';
    pub(super) const REDUCE: u8 = b'R';
    pub(super) const BINSTRING: u8 = b'T';
    pub(super) const SHORT_BINSTRING: u8 = b'U';
    pub(super) const BINUNICODE: u8 = b'X';
    pub(super) const EMPTY_LIST: u8 = b']';
    pub(super) const APPEND: u8 = b'a';
    pub(super) const BUILD: u8 = b'b';
    pub(super) const GLOBAL: u8 = b'c';
    pub(super) const DICT: u8 = b'd';
    pub(super) const APPENDS: u8 = b'e';
    pub(super) const BINGET: u8 = b'h';
    pub(super) const LONG_BINGET: u8 = b'j';
    pub(super) const LIST: u8 = b'l';
    pub(super) const BINPUT: u8 = b'q';
    pub(super) const LONG_BINPUT: u8 = b'r';
    pub(super) const SETITEM: u8 = b's';
    pub(super) const TUPLE: u8 = b't';
    pub(super) const SETITEMS: u8 = b'u';
    pub(super) const EMPTY_DICT: u8 = b'}';
    pub(super) const EMPTY_TUPLE: u8 = b')';
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const NEWOBJ: u8 = 0x81;
    pub(super) const TUPLE1: u8 = 0x85;
    pub(super) const TUPLE2: u8 = 0x86;
    pub(super) const TUPLE3: u8 = 0x87;
    pub(super) const NEWTRUE: u8 = 0x88;
    pub(super) const NEWFALSE: u8 = 0x89;
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const LONG4: u8 = 0x8b;
    pub(super) const SHORT_BINUNICODE: u8 = 0x8c;
    pub(super) const BINUNICODE8: u8 = 0x8d;
    pub(super) const BINBYTES8: u8 = 0x8e;
    pub(super) const EMPTY_SET: u8 = 0x8f;
    pub(super) const ADDITEMS: u8 = 0x90;
    pub(super) const FROZENSET: u8 = 0x91;
    pub(super) const NEWOBJ_EX: u8 = 0x92;
    pub(super) const STACK_GLOBAL: u8 = 0x93;
    pub(super) const MEMOIZE: u8 = 0x94;
    pub(super) const FRAME: u8 = 0x95;
    pub(super) const BYTEARRAY8: u8 = 0x96;
}

struct Machine<'a> {
    bytes: &'a [u8],
    foreign: Foreign,
    at: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack; what lies below the last cannot be popped.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    /// How many pairs were copied out of lists, which may be named again and again.
    copied: usize,
    pickle: Pickle<'a>,
}

impl<'a> Machine<'a> {
    fn run(mut self) -> Result<Pickle<'a>> {
        loop {
            let [opcode] = self.array()?;
            if opcode == op::STOP {
                self.pickle.root = self.pop()?;
                self.pickle.length = self.at;
                return Ok(self.pickle);
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            op::PROTO => self.skip(1),
            op::FRAME => self.skip(8),
            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP if self.marks.last() == Some(&self.stack.len()) => self.pop_mark().map(drop),
            op::POP => self.pop().map(drop),
            // What is added to a set is of no interest either.
            op::POP_MARK | op::ADDITEMS => {
                let start = self.pop_mark()?;
                self.stack.truncate(start);
                Ok(())
            }
            op::DUP => {
                let top = self.top()?;
                self.push(top)
            }
            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::EMPTY_SET => self.push(Value::Opaque),
            op::BINFLOAT => self.array().and_then(|bytes| self.push(Value::Float(f64::from_be_bytes(bytes)))),
            op::BININT => {
                self.array().and_then(|bytes| self.push(Value::Int(i32::from_le_bytes(bytes).into())))
            }
            op::BININT1 => self.array().and_then(|[byte]| self.push(Value::Int(byte.into()))),
            op::BININT2 => {
                self.array().and_then(|bytes| self.push(Value::Int(u16::from_le_bytes(bytes).into())))
            }
            op::LONG1 => self.length::<1>().and_then(|length| self.long(length)),
            op::LONG4 => self.length::<4>().and_then(|length| self.long(length)),
            op::SHORT_BINUNICODE => self.length::<1>().and_then(|length| self.unicode(length)),
            op::BINUNICODE => self.length::<4>().and_then(|length| self.unicode(length)),
            op::BINUNICODE8 => self.length::<8>().and_then(|length| self.unicode(length)),
            op::SHORT_BINSTRING => self.length::<1>().and_then(|length| self.string(length)),
            op::BINSTRING => self.length::<4>().and_then(|length| self.string(length)),
            op::SHORT_BINBYTES => self.length::<1>().and_then(|length| self.opaque(length)),
            op::BINBYTES => self.length::<4>().and_then(|length| self.opaque(length)),
            op::BINBYTES8 | op::BYTEARRAY8 => self.length::<8>().and_then(|length| self.opaque(length)),
            op::EMPTY_TUPLE => self.tuple_of(0),
            op::TUPLE1 => self.tuple_of(1),
            op::TUPLE2 => self.tuple_of(2),
            op::TUPLE3 => self.tuple_of(3),
            op::TUPLE => {
                let start = self.pop_mark()?;
                self.tuple_of(self.stack.len().saturating_sub(start))
            }
            op::EMPTY_LIST => self.list(Vec::new()),
            op::LIST => {
                let start = self.pop_mark()?;
                let items = self.stack.drain(start..).collect();
                self.list(items)
            }
            op::APPEND => self.stack.len().checked_sub(1).map_or_else(underflow, |start| self.append(start)),
            op::APPENDS => self.pop_mark().and_then(|start| self.append(start)),
            op::EMPTY_DICT => self.dict(Vec::new()),
            op::DICT => {
                let start = self.pop_mark()?;
                self.dict(Vec::new())?;
                // The dictionary goes below its items, as it would lie for SETITEMS.
                if let Some(items) = self.stack.get_mut(start..) {
                    items.rotate_right(1);
                }
                self.set_items(start + 1)
            }
            op::SETITEM => {
                self.stack.len().checked_sub(2).map_or_else(underflow, |start| self.set_items(start))
            }
            op::SETITEMS => self.pop_mark().and_then(|start| self.set_items(start)),
            op::FROZENSET => {
                let start = self.pop_mark()?;
                self.stack.truncate(start);
                self.push(Value::Opaque)
            }
            op::BINGET => self.length::<1>().and_then(|index| self.get(index)),
            op::LONG_BINGET => self.length::<4>().and_then(|index| self.get(index)),
            op::BINPUT => self.length::<1>().and_then(|index| self.put(index)),
            op::LONG_BINPUT => self.length::<4>().and_then(|index| self.put(index)),
            op::MEMOIZE => self.put(self.memo.len()),
            op::GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)
            }
            op::STACK_GLOBAL => match (self.pop()?, self.pop()?) {
                (Value::Str(name), Value::Str(module)) => self.global(module, name),
                _ => corrupt("it names a Python object by something that is no text"),
            },
            op::REDUCE | op::NEWOBJ => self.reduce(),
            op::NEWOBJ_EX if self.foreign == Foreign::Opaque => {
                // With arguments by name, of which tensors have none.
                self.pop()?;
                self.reduce()
            }
            op::BUILD => self.build(),
            op::BINPERSID => self.persistent_id(),
            other => corrupt(format!(
                "byte {} of its pickle is {other:#04x}, which torch.save does not write",
                self.at
            )),
        }
    }

    // ------------------------------------------------------------------ bytes

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(Stop::Truncated)?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.first_chunk().copied().ok_or(Stop::Truncated)
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        self.take(length).map(drop)
    }

    /// An unsigned number of `N` bytes.
    fn length<const N: usize>(&mut self) -> Result<usize> {
        let number = self.take(N)?.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        // What does not fit is longer than any file.
        usize::try_from(number).map_err(|_| Stop::Truncated)
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or(Stop::Truncated)?;
        let line = self.take(end)?;
        self.skip(1)?;
        str::from_utf8(line).or_else(|_| corrupt("it names a Python object by something that is no text"))
    }

    // ------------------------------------------------------------------ plain values

    fn long(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        if length > 8 {
            return self.push(Value::Long(bytes));
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        for (wide, byte) in wide.iter_mut().zip(bytes) {
            *wide = *byte;
        }
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn unicode(&mut self, length: usize) -> Result<()> {
        match str::from_utf8(self.take(length)?) {
            Ok(text) => self.push(Value::Str(text)),
            // Python writes one with half of a surrogate pair, as the name of a file can be.
            Err(_) => self.other("a text in its pickle is not UTF-8"),
        }
    }

    /// A string of Python 2, which may be any bytes.
    fn string(&mut self, length: usize) -> Result<()> {
        let text = str::from_utf8(self.take(length)?);
        self.push(text.map_or(Value::Opaque, Value::Str))
    }

    fn opaque(&mut self, length: usize) -> Result<()> {
        self.skip(length)?;
        self.push(Value::Opaque)
    }

    // ------------------------------------------------------------------ stack and memo

    /// What no file of weights holds, and what a training checkpoint may hold.
    fn other(&mut self, problem: impl Into<String>) -> Result<()> {
        match self.foreign {
            Foreign::Refused => corrupt(problem),
            Foreign::Opaque => self.push(Value::Opaque),
        }
    }

    /// Whether a value is an object whose inside is of no interest.
    fn is_opaque(&self, value: Value<'a>) -> bool {
        self.foreign == Foreign::Opaque && matches!(value, Value::Opaque | Value::Object(_))
    }

    #[expect(clippy::unnecessary_wraps, reason = "a step ends in a Result")]
    fn push(&mut self, value: Value<'a>) -> Result<()> {
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return underflow();
        }
        self.stack.pop().map_or_else(underflow, Ok)
    }

    fn top(&self) -> Result<Value<'a>> {
        self.stack.last().copied().map_or_else(underflow, Ok)
    }

    /// Where the items above the last mark begin.
    fn pop_mark(&mut self) -> Result<usize> {
        self.marks.pop().filter(|&mark| mark <= self.stack.len()).map_or_else(underflow, Ok)
    }

    fn get(&mut self, index: usize) -> Result<()> {
        let value = u32::try_from(index).ok().and_then(|index| self.memo.get(&index).copied());
        value.map_or_else(|| corrupt("it refers to an object that is not there"), |value| self.push(value))
    }

    fn put(&mut self, index: usize) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(u32::try_from(index).map_err(|_| Stop::Truncated)?, top);
        Ok(())
    }

    // ------------------------------------------------------------------ containers

    fn tuple_of(&mut self, length: usize) -> Result<()> {
        let Some(from) = self.stack.len().checked_sub(length) else { return underflow() };
        if self.marks.last().is_some_and(|&mark| mark > from) {
            return underflow();
        }
        let start = self.pickle.tuples.len();
        self.pickle.tuples.extend(self.stack.drain(from..));
        self.push(Value::Tuple { start, length })
    }

    fn list(&mut self, items: Vec<Value<'a>>) -> Result<()> {
        self.pickle.lists.push(items);
        self.push(Value::List(self.pickle.lists.len() - 1))
    }

    fn dict(&mut self, pairs: Vec<(Value<'a>, Value<'a>)>) -> Result<()> {
        self.pickle.dicts.push(pairs);
        self.push(Value::Dict(self.pickle.dicts.len() - 1))
    }

    /// The container below the items that begin at `start`.
    fn below(&self, start: usize) -> Value<'a> {
        let below = start.checked_sub(1).and_then(|below| self.stack.get(below));
        below.copied().unwrap_or(Value::None)
    }

    /// Moves what is above `start` into the list below it.
    fn append(&mut self, start: usize) -> Result<()> {
        match self.below(start) {
            Value::List(index) => {
                if let Some(list) = self.pickle.lists.get_mut(index) {
                    list.extend(self.stack.drain(start..));
                }
            }
            below if self.is_opaque(below) => self.stack.truncate(start),
            _ => return corrupt("it appends to what is no list"),
        }
        Ok(())
    }

    /// Moves the pairs above `start` into the dictionary below it.
    fn set_items(&mut self, start: usize) -> Result<()> {
        let below = self.below(start);
        let (pairs, []) = self.stack.get(start..).unwrap_or_default().as_chunks::<2>() else {
            return corrupt("a dictionary in it has a key without a value");
        };
        match below {
            Value::Dict(index) => {
                if let Some(dict) = self.pickle.dicts.get_mut(index) {
                    dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
                }
            }
            below if self.is_opaque(below) => {}
            _ => return corrupt("it sets items of what is no dictionary"),
        }
        self.stack.truncate(start);
        Ok(())
    }

    // ------------------------------------------------------------------ objects

    fn global(&mut self, module: &'a str, name: &'a str) -> Result<()> {
        match (Global::from_name(module, name), self.foreign) {
            (Some(global), _) => self.push(Value::Global(global)),
            (None, Foreign::Refused) => Err(Stop::Foreign(escaped(&[module, name]))),
            (None, Foreign::Opaque) => {
                self.pickle.foreign.push([module, name]);
                self.push(Value::Object(self.pickle.foreign.len() - 1))
            }
        }
    }

    /// A call. Of one that Python would have to make, nothing is known but what was called.
    fn reduce(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        let callable = match self.pop()? {
            Value::Global(callable) => callable,
            called if self.is_opaque(called) => return self.push(called),
            _ => return corrupt("it calls what is no function"),
        };
        let Some(arguments) = self.pickle.items(arguments) else {
            return self.other("it calls a function without a tuple of arguments");
        };
        match (callable, arguments) {
            (Global::OrderedDict, []) => self.dict(Vec::new()),
            // As Python 2 writes it: a list of [key, value].
            (Global::OrderedDict, &[pairs]) => self.ordered_dict(pairs),
            (Global::Size, &[dimensions]) => self.push(dimensions),
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), ..]) => self.push(tensor),
            (
                Global::RebuildTensor,
                &[Value::Storage(storage), Value::Int(offset), shape, strides, _, _]
                | &[Value::Storage(storage), Value::Int(offset), shape, strides, _, _, _],
            ) => {
                let (shape, strides) = (self.dimensions(shape)?, self.dimensions(strides)?);
                let Ok(offset) = u64::try_from(offset) else {
                    return corrupt("a tensor begins before its storage");
                };
                if shape.len() != strides.len() {
                    return corrupt("a tensor has a shape and strides of different lengths");
                }
                self.pickle.tensors.push(Tensor { storage, offset, shape, strides });
                self.push(Value::Tensor(self.pickle.tensors.len() - 1))
            }
            (callable, _) => {
                self.other(format!("it calls {callable:?} with arguments that torch.save does not write"))
            }
        }
    }

    fn dimensions(&self, value: Value<'a>) -> Result<Vec<u64>> {
        let lengths = self.pickle.items(value).filter(|lengths| lengths.len() <= MAX_RANK);
        let lengths = lengths.and_then(|lengths| {
            let mut lengths = lengths.iter().map(|&length| match length {
                Value::Int(length) => u64::try_from(length).ok(),
                _ => None,
            });
            lengths.by_ref().collect()
        });
        lengths.map_or_else(|| corrupt("a tensor has an impossible shape or strides"), Ok)
    }

    fn ordered_dict(&mut self, pairs: Value<'a>) -> Result<()> {
        let Some(items) = self.pickle.items(pairs) else {
            return self.other("a dictionary in it is made of no list");
        };
        self.copied += items.len();
        if self.copied > self.bytes.len() {
            return corrupt("it makes dictionaries of the same list again and again");
        }
        let pairs = items.iter().map(|&item| match self.pickle.items(item) {
            Some(&[key, value]) => Ok((key, value)),
            _ => corrupt("a dictionary in it has an item that is no pair"),
        });
        let pairs = pairs.collect::<Result<_>>()?;
        self.dict(pairs)
    }

    /// PyTorch gives a state dict an attribute `_metadata`, of which nothing is needed.
    fn build(&mut self) -> Result<()> {
        self.pop()?;
        match self.top()? {
            Value::Dict(_) => Ok(()),
            other if self.is_opaque(other) => Ok(()),
            _ => corrupt("it changes an object that is no dictionary"),
        }
    }

    /// `('storage', type, key, device, length)`, in the legacy format with a sixth: None or `(key, first, length)` of
    /// a view.
    fn persistent_id(&mut self) -> Result<()> {
        let id = self.pop()?;
        let parts = self.pickle.items(id).unwrap_or_default();
        let (kind, key, length, view) = match parts {
            &[Value::Str("storage"), Value::Global(kind), Value::Str(key), _, Value::Int(length)] => {
                (kind, key, length, Value::None)
            }
            &[Value::Str("storage"), Value::Global(kind), Value::Str(key), _, Value::Int(length), view] => {
                (kind, key, length, view)
            }
            [Value::Str("module"), ..] if self.foreign == Foreign::Refused => {
                return Err(Stop::Foreign("a whole module with its source".to_owned()));
            }
            // A module, or a storage of a type that no weights have.
            _ => return self.other("it refers to something outside that is no storage"),
        };
        let (Global::StorageType { dtype, width }, Ok(length)) = (kind, u64::try_from(length)) else {
            return corrupt(format!("the storage {key:?} has no type or no length"));
        };
        if key.len() > MAX_KEY {
            return corrupt("a storage has a key that torch.save does not write");
        }
        let first = match (view, self.pickle.items(view)) {
            (Value::None, _) => 0,
            (_, Some(&[_, Value::Int(first), _])) if first >= 0 => first.unsigned_abs(),
            _ => return corrupt(format!("the view into the storage {key:?} cannot be read")),
        };
        self.pickle.storages.push(Storage { key, dtype, width, length, first });
        self.push(Value::Storage(self.pickle.storages.len() - 1))
    }
}

fn underflow<T>() -> Result<T> {
    corrupt("its pickle takes an object from an empty stack")
}
