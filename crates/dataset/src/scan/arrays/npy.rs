//! The NumPy format: a header in Python's syntax, then the values.
//!
//! Format: NumPy, "The NPY format", versions 1.0 to 3.0 (numpy.lib.format). Pickled objects are not read: they are programs.

use super::super::labels::Label;
use crate::ArrayImages;

/// An array, `shape` values one after the other, the last dimension fastest.
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    kind: Kind,
    big_endian: bool,
    /// The bytes of the values.
    data: Vec<u8>,
}

/// What a value is, by the letter of NumPy's `dtype`, with the bytes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
    /// Text of bytes.
    Bytes(usize),
    /// Text of 32-bit code points, with the bytes of a whole value.
    Text(usize),
}

impl Kind {
    fn of(code: &str) -> Option<Kind> {
        let (letter, len) = code.split_at_checked(1)?;
        let len: usize = len.parse().ok()?;
        match (letter, len) {
            ("b", 1) => Some(Kind::Bool),
            ("i", 1 | 2 | 4 | 8) => Some(Kind::Signed(len)),
            ("u", 1 | 2 | 4 | 8) => Some(Kind::Unsigned(len)),
            ("f", 4 | 8) => Some(Kind::Float(len)),
            ("S", 1..) => Some(Kind::Bytes(len)),
            ("U", 1..) => Some(Kind::Text(len.checked_mul(4)?)),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Kind::Bool => 1,
            Kind::Signed(n) | Kind::Unsigned(n) | Kind::Float(n) | Kind::Bytes(n) | Kind::Text(n) => n,
        }
    }
}

/// Why an array holds no images.
#[derive(Debug)]
pub(super) struct NoImages {
    pub(super) reason: String,
    /// The smallest and the largest of values that are pixels by another scale.
    pub(super) range: Option<(f64, f64)>,
}

impl<T: Into<String>> From<T> for NoImages {
    fn from(reason: T) -> NoImages {
        NoImages { reason: reason.into(), range: None }
    }
}

const MAGIC: &[u8] = b"\x93NUMPY";

/// The value of a key in a header such as `{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2), }`.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let after = quoted.iter().find_map(|key| header.split_once(key.as_str()))?.1;
    Some(after.trim_start().strip_prefix(':')?.trim_start())
}

/// What stands before the values.
struct Header {
    shape: Vec<usize>,
    kind: Kind,
    big_endian: bool,
    fortran: bool,
    /// Where the values begin.
    end: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Header, String> {
        let damaged = || "it is no NumPy array, or a damaged one; save it again by numpy.save".to_owned();
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (len, start) = match rest {
            [1, _, a, b, ..] => (u32::from(u16::from_le_bytes([*a, *b])), 10),
            [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]), 12),
            _ => return Err(damaged()),
        };
        let end = (len as usize).checked_add(start).filter(|&end| end <= bytes.len()).ok_or_else(damaged)?;
        let header = std::str::from_utf8(&bytes[start..end]).map_err(|_| damaged())?;
        let descr = value(header, "descr").ok_or_else(damaged)?;
        let code = descr.strip_prefix(['\'', '"']).and_then(|text| text.split(['\'', '"']).next());
        let code = code.ok_or("its values are records of several fields, and no numbers")?;
        let (order, code) = code.split_at_checked(1).ok_or_else(damaged)?;
        let kind = Kind::of(code).ok_or_else(|| match code {
            _ if code.starts_with('O') => {
                "it holds pickled objects, which are programs and not read; labels are saved as text by labels.astype(str), and images as numbers, \
                 which of different sizes are files of their own, in a folder for each class"
                    .to_owned()
            }
            "f2" => "its values are 16-bit floating point; save them by .astype('float32'), or as bytes of 0 to 255"
                .to_owned(),
            _ => format!(
                "its values are of the type {code}, which is not read here; save them as numbers or text"
            ),
        })?;
        let fortran = value(header, "fortran_order").ok_or_else(damaged)?.starts_with("True");
        let shape = value(header, "shape").and_then(|text| text.strip_prefix('(')?.split(')').next());
        let shape = shape.ok_or_else(damaged)?.split(',').map(str::trim).filter(|side| !side.is_empty());
        let side = |side: &str| side.trim_end_matches('L').parse().map_err(|_| damaged());
        let shape = shape.map(side).collect::<Result<_, _>>()?;
        Ok(Header { shape, kind, big_endian: order == ">", fortran, end })
    }
}

impl Array {
    /// Whether it holds one text for each image, by the first bytes of its file.
    pub(super) fn is_texts(start: &[u8]) -> bool {
        Header::parse(start).is_ok_and(|header| {
            header.shape.len() == 1 && matches!(header.kind, Kind::Text(_) | Kind::Bytes(_))
        })
    }

    /// The shape of an array by the first bytes of its file.
    pub(super) fn shape_of(start: &[u8]) -> Result<Vec<usize>, String> {
        Ok(Header::parse(start)?.shape)
    }

    /// The places that whole numbers count, from 0.
    pub(super) fn places(&self) -> Result<Vec<i64>, String> {
        let ([_] | [_, 1] | [1, _]) = &self.shape[..] else {
            return Err(format!("the numbers of images are in one row, and its shape is {:?}", self.shape));
        };
        if matches!(self.kind, Kind::Bytes(_) | Kind::Text(_)) {
            return Err("it holds text, and no numbers of images".to_owned());
        }
        let whole = |value: f64| match value.fract() == 0.0 && value.abs() < 9e15 {
            true => Ok(value as i64),
            false => Err(format!("{value} is no number of an image")),
        };
        self.numbers().map(whole).collect()
    }

    /// An array of the bytes of a file.
    pub(super) fn parse(mut bytes: Vec<u8>) -> Result<Array, String> {
        let Header { shape, kind, big_endian, fortran, end } = Header::parse(&bytes)?;
        let expected = shape.iter().try_fold(kind.bytes(), |bytes, &side| bytes.checked_mul(side));
        bytes.drain(..end);
        if expected != Some(bytes.len()) {
            let got = bytes.len();
            return Err(format!(
                "it has {got} bytes of values, which is not what its shape {shape:?} takes; it is cut or damaged"
            ));
        }
        let data = if fortran && shape.len() > 1 { row_major(&bytes, &shape, kind.bytes()) } else { bytes };
        Ok(Array { shape, kind, big_endian, data })
    }

    /// The values as numbers; nothing of texts.
    fn numbers(&self) -> impl Iterator<Item = f64> {
        let big = self.big_endian;
        let numeric = !matches!(self.kind, Kind::Bytes(_) | Kind::Text(_));
        let values = self.data.chunks_exact(self.kind.bytes()).filter(move |_| numeric);
        let kind = self.kind;
        values.map(move |value| {
            let mut raw = [0; 8];
            for (at, byte) in raw.iter_mut().zip(value) {
                *at = *byte;
            }
            if big {
                raw[..value.len()].reverse();
            }
            let bits = u64::from_le_bytes(raw);
            match kind {
                Kind::Float(4) => f32::from_bits(bits as u32).into(),
                Kind::Float(_) => f64::from_bits(bits),
                // Shifted up and back, for the sign.
                Kind::Signed(n) => ((bits << (64 - 8 * n)) as i64 >> (64 - 8 * n)) as f64,
                _ => bits as f64,
            }
        })
    }

    /// The texts of an array of texts, without the zeros that fill them up.
    fn texts(&self) -> Option<Vec<String>> {
        let values = self.data.chunks_exact(self.kind.bytes());
        match self.kind {
            Kind::Bytes(_) => {
                let text = |value: &[u8]| String::from_utf8(value.to_vec()).ok();
                values.map(text).collect::<Option<Vec<String>>>().map(trimmed)
            }
            Kind::Text(_) => {
                let big = self.big_endian;
                let point = |unit: &[u8; 4]| {
                    char::from_u32(if big { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) })
                };
                let text =
                    |value: &[u8]| value.as_chunks::<4>().0.iter().map(point).collect::<Option<String>>();
                values.map(text).collect::<Option<Vec<String>>>().map(trimmed)
            }
            _ => None,
        }
    }

    /// The group of each image: a text or a number, none where that is empty or not a number.
    pub(super) fn groups(&self) -> Result<Vec<Option<String>>, String> {
        let (&[_] | &[_, 1]) = &self.shape[..] else {
            return Err(format!("groups are one for each image, and its shape is {:?}", self.shape));
        };
        if let Some(texts) = self.texts() {
            let named = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            return Ok(texts.into_iter().map(named).collect());
        }
        Ok(self.numbers().map(|value| (!value.is_nan()).then(|| value.to_string())).collect())
    }

    /// One label for each entry of the first dimension: numbers, texts, or rows of which one is 1.
    pub(super) fn labels(&self) -> Result<Vec<Label>, String> {
        let classes = match self.shape[..] {
            [_] | [_, 1] => 1,
            [_, classes] => classes,
            _ => return Err(format!("labels are one for each image, and its shape is {:?}", self.shape)),
        };
        if classes > 1 {
            return self.one_hot(classes);
        }
        if let Some(texts) = self.texts() {
            // Empty ones are told with all of their kind, where nothing gives them a name.
            let named = |text: String| Ok(Label::Name(text.trim().to_owned()));
            return texts.into_iter().map(named).collect();
        }
        let number = |(at, value): (usize, f64)| {
            // 2^53: above, not every whole number is one of these.
            let whole = value.fract() == 0.0 && value.abs() < 9.007_199_254_740_992e15;
            match whole {
                true => Ok(Label::Number(value as i64)),
                false => Err(format!(
                    "the label of image {at} is {value}, and a class is a whole number or a name"
                )),
            }
        };
        self.numbers().enumerate().map(number).collect()
    }

    fn one_hot(&self, classes: usize) -> Result<Vec<Label>, String> {
        let values: Vec<f64> = self.numbers().collect();
        let row = |(at, row): (usize, &[f64])| {
            let ones = row.iter().filter(|&&value| value == 1.0).count();
            let others = row.iter().filter(|&&value| value != 0.0 && value != 1.0).count();
            match row.iter().position(|&value| value == 1.0) {
                Some(class) if ones == 1 && others == 0 => Ok(Label::Number(class as i64)),
                _ => Err(format!(
                    "row {at} of its {classes} columns is not one 1 among zeros: an image here has one class"
                )),
            }
        };
        values.chunks_exact(classes).enumerate().map(row).collect()
    }

    /// The images of an array `[N, H, W]`, `[N, H, W, C]`, `[N, C, H, W]` or, square and gray, `[N, H * W]`; and how its
    /// values were made bytes, where they are others.
    pub(super) fn images(self) -> Result<(usize, ArrayImages, Option<String>), NoImages> {
        let is_color = |channels: usize| matches!(channels, 1 | 3);
        let (count, height, width, channels, first) = match self.shape[..] {
            [_, _, 1 | 3] => {
                return Err(format!(
                    "its shape is {:?}, which may be one image in color or several in gray: save one as [1, height, width, 3], \
                     several as [N, height, width, 1]",
                    self.shape
                )
                .into());
            }
            [n, h, w] => (n, h, w, 1, false),
            [n, h, w, c] if is_color(c) => (n, h, w, c, false),
            [n, c, h, w] if is_color(c) => (n, h, w, c, true),
            [n, len] if len.isqrt().pow(2) == len => (n, len.isqrt(), len.isqrt(), 1, false),
            [_, len] if len % 3 == 0 && (len / 3).isqrt().pow(2) == len / 3 => {
                let side = (len / 3).isqrt();
                return Err(format!(
                    "its shape is {:?}, flat images in color of {side}x{side}, of which the order cannot be told: save it by .reshape(-1, {side}, {side}, 3) \
                     where the three colors of a pixel stand side by side, or by .reshape(-1, 3, {side}, {side}) where all red values come first",
                    self.shape
                )
                .into());
            }
            _ => {
                return Err(format!(
                    "its shape is {:?}; images are [N, height, width], or with 1 or 3 channels last or second",
                    self.shape
                )
                .into());
            }
        };
        let side = |side: usize| u32::try_from(side).ok().filter(|&side| side > 0);
        let (Some(width), Some(height)) = (side(width), side(height)) else {
            return Err(format!("its shape is {:?}: an image has at least one pixel", self.shape).into());
        };
        if count == 0 {
            return Err("it holds no image".into());
        }
        let (mut pixels, said) = self.bytes()?;
        if first && channels > 1 {
            let plane = width as usize * height as usize;
            let last = |image: &[u8]| -> Vec<u8> {
                (0..plane)
                    .flat_map(|at| (0..channels).map(move |c| c * plane + at))
                    .map(|at| image[at])
                    .collect()
            };
            pixels = pixels.chunks_exact(plane * channels).flat_map(last).collect();
        }
        Ok((count, ArrayImages { width, height, channels: channels as u8, pixels }, said))
    }

    /// The values as bytes of 0 to 255, where that is what they can mean.
    fn bytes(self) -> Result<(Vec<u8>, Option<String>), NoImages> {
        /// Above 1 by no more than interpolation leaves.
        const ABOUT_ONE: f64 = 1.001;
        /// Below, values that are no whole numbers may be of any scale.
        const SURE: f64 = 16.0;
        match self.kind {
            Kind::Bytes(_) | Kind::Text(_) => return Err("its values are text, and no pixels".into()),
            Kind::Unsigned(1) => return Ok((self.data, None)),
            Kind::Bool => return Ok((self.data.iter().map(|&value| value * 255).collect(), None)),
            _ => {}
        }
        let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for value in self.numbers() {
            if !value.is_finite() {
                return Err(format!(
                    "it holds {value}, which is no pixel: numpy.nan_to_num(ARRAY) makes numbers of it"
                )
                .into());
            }
            (low, high, whole) = (low.min(value), high.max(value), whole && value.fract() == 0.0);
        }
        let float = matches!(self.kind, Kind::Float(_));
        if low < 0.0 || high > 255.0 || (!whole && high > ABOUT_ONE && high < SURE) {
            let reason = format!(
                "its values go from {low} to {high}, and pixels from 0 to 255, or from 0 to 1; input.white applies to files alone: save it \
                 as it was before it was normalised, or scaled"
            );
            return Err(NoImages { reason, range: Some((low, high)) });
        }
        if float && high <= ABOUT_ONE {
            let bytes = self.numbers().map(|value| (value * 255.0).round().min(255.0) as u8).collect();
            return Ok((bytes, Some("values from 0 to 1 taken as black to white".to_owned())));
        }
        Ok((self.numbers().map(|value| value.round() as u8).collect(), None))
    }
}

fn trimmed(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().map(|text| text.trim_end_matches('\0').to_owned()).collect()
}

/// Values whose first dimension is fastest, with the last one fastest.
fn row_major(bytes: &[u8], shape: &[usize], len: usize) -> Vec<u8> {
    let mut strides = vec![len; shape.len()];
    for at in 1..shape.len() {
        strides[at] = strides[at - 1] * shape[at - 1];
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = vec![0; shape.len()];
    while out.len() < bytes.len() {
        let from: usize = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
        out.extend_from_slice(&bytes[from..from + len]);
        for at in (0..shape.len()).rev() {
            index[at] += 1;
            if index[at] < shape[at] {
                break;
            }
            index[at] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let len = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &len, header.as_bytes(), data].concat()
    }

    fn images(
        descr: &str,
        shape: &str,
        data: &[u8],
    ) -> Result<(usize, ArrayImages, Option<String>), NoImages> {
        Array::parse(npy(descr, false, shape, data))?.images()
    }

    #[test]
    fn shapes_are_taken_where_they_can_mean_one_thing() {
        let gray = images("|u1", "(2, 2, 2)", &[9, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!((gray.0, gray.1.width, gray.1.height, gray.1.channels), (2, 2, 2, 1));
        let last = images("|u1", "(1, 1, 2, 3)", &[9, 2, 3, 4, 5, 6]).unwrap().1;
        let second = images("|u1", "(1, 3, 1, 2)", &[9, 4, 2, 5, 3, 6]).unwrap().1;
        assert_eq!((last.channels, last.pixels.clone()), (3, vec![9, 2, 3, 4, 5, 6]));
        assert_eq!(last, second);
        let flat = images("|u1", "(2, 4)", &[9; 8]).unwrap();
        assert_eq!((flat.0, flat.1.width, flat.1.height), (2, 2, 2));
        // The last two may be an image in color, or several in gray.
        for shape in
            ["(8,)", "(2, 1, 2, 2, 1)", "(1, 8)", "(0, 2, 4)", "(1, 2, 2, 2)", "(8, 0, 2)", "(8, 1, 1)"]
        {
            let len = if shape.contains('0') { 0 } else { 8 };
            assert!(images("|u1", shape, &[9; 8][..len]).is_err(), "{shape}");
        }
    }

    #[test]
    fn values_are_bytes_whatever_their_type() {
        let ints: Vec<u8> = [0i64, 128, 255].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(images("<i8", "(1, 1, 3, 1)", &ints).unwrap().1.pixels, [0, 128, 255]);
        let big: Vec<u8> = [0u16, 128, 255].iter().flat_map(|v| v.to_be_bytes()).collect();
        assert_eq!(images(">u2", "(1, 1, 3, 1)", &big).unwrap().1.pixels, [0, 128, 255]);
        let unit: Vec<u8> = [0.0f32, 0.5, 1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let (_, image, said) = images("<f4", "(1, 1, 3, 1)", &unit).unwrap();
        assert!(image.pixels == [0, 128, 255] && said.is_some_and(|said| said.contains("0 to 1")));
        let over: Vec<u8> = [0.0f32, 0.5, 1.000_001].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(images("<f4", "(1, 1, 3, 1)", &over).unwrap().1.pixels, [0, 128, 255]);
        // Whole numbers are what they are.
        assert_eq!(images("|u1", "(1, 1, 3, 1)", &[0, 1, 1]).unwrap().1.pixels, [0, 1, 1]);
        assert_eq!(images("|b1", "(1, 1, 3, 1)", &[0, 1, 1]).unwrap().1.pixels, [0, 255, 255]);
        for bad in [[-0.5f32, 0.5, 1.0], [0.0, 256.0, 1.0], [0.0, f32::NAN, 1.0], [0.0, 0.5, 1.9]] {
            let bytes: Vec<u8> = bad.iter().flat_map(|v| v.to_le_bytes()).collect();
            assert!(images("<f4", "(1, 1, 3, 1)", &bytes).is_err(), "{bad:?}");
        }
        for (descr, said) in [("|O", "pickled"), ("<f2", "float32"), ("<c8", "c8"), ("<U1", "text")] {
            let len = Kind::of(&descr[1..]).map_or(3, |kind| kind.bytes() * 3);
            let error = images(descr, "(1, 1, 3, 1)", &vec![0; len]).unwrap_err().reason;
            assert!(error.contains(said), "{descr}: {error}");
        }
    }

    #[test]
    fn columns_first_is_turned() {
        // [[1, 2, 3], [4, 5, 6]] with its first dimension fastest.
        let array = Array::parse(npy("|u1", true, "(2, 3)", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.data, [1, 2, 3, 4, 5, 6]);
        // [2, 3, 4] of 16 bits, each value its place in the last-fastest order.
        let place = |i: usize, j: usize, k: usize| ((i * 3 + j) * 4 + k) as u16;
        let all = (0..4).flat_map(|k| (0..3).flat_map(move |j| (0..2).map(move |i| place(i, j, k))));
        let bytes: Vec<u8> = all.flat_map(u16::to_le_bytes).collect();
        let array = Array::parse(npy("<u2", true, "(2, 3, 4)", &bytes)).unwrap();
        assert!(array.numbers().eq((0..24).map(f64::from)));
    }

    #[test]
    fn labels_are_numbers_names_or_one_hot() {
        let labels =
            |descr: &str, shape: &str, data: &[u8]| Array::parse(npy(descr, false, shape, data))?.labels();
        let numbers = |values: &[i64]| values.iter().map(|&v| Label::Number(v)).collect::<Vec<_>>();
        assert_eq!(labels("|i1", "(2,)", &[0xFF, 7]).unwrap(), numbers(&[-1, 7]));
        assert_eq!(labels("|u1", "(2, 1)", &[0xFF, 7]).unwrap(), numbers(&[255, 7]));
        assert_eq!(labels("|u1", "(2, 3)", &[0, 0, 1, 1, 0, 0]).unwrap(), numbers(&[2, 0]));
        let text: Vec<u8> = "ab\0ñ\0\0".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(
            labels("<U3", "(2,)", &text).unwrap(),
            [Label::Name("ab".into()), Label::Name("ñ".into())]
        );
        assert_eq!(
            labels("|S2", "(2,)", b"a\0bc").unwrap(),
            [Label::Name("a".into()), Label::Name("bc".into())]
        );
        let half = 0.5f64.to_le_bytes();
        for (descr, shape, data) in
            [("|u1", "(1, 3)", &[1, 1, 0][..]), ("<f8", "(1,)", &half), ("|u1", "(1, 1, 1)", &[1])]
        {
            assert!(labels(descr, shape, data).is_err(), "{descr} {shape}");
        }
    }

    #[test]
    fn damaged_files_are_errors() {
        let whole = npy("|u1", false, "(2, 3)", &[1, 2, 3, 4, 5, 6]);
        for cut in 0..whole.len() {
            assert!(Array::parse(whole[..cut].to_vec()).is_err(), "{cut}");
        }
        for (shape, descr) in
            [("(18446744073709551615, 2)", "|u1"), ("(-1,)", "|u1"), ("(2, x)", "|u1"), ("(6,)", "|")]
        {
            assert!(Array::parse(npy(descr, false, shape, &[0; 6])).is_err(), "{shape} {descr}");
        }
    }
}
