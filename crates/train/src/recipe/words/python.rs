//! A list of transforms as Albumentations, torchvision or Keras have it in Python, in the words of a recipe.
//!
//! Names and parameters of Albumentations are those of Pupila in snake case. What torchvision or Keras calls otherwise follows from their documentation
//! (torchvision 0.20 `transforms`, Keras 2 `ImageDataGenerator`).

use super::proposal;
use super::transforms::transform;
use toml::{Table, Value};

const KEY: &str = "augment.transforms";

/// What prepares a picture and varies nothing: `input` and `data.normalize` say it here.
const PREPARED: &[&str] = &[
    "Resize",
    "Normalize",
    "ToTensor",
    "ToTensorV2",
    "ToPILImage",
    "PILToTensor",
    "ToImage",
    "ToDtype",
    "ToFloat",
    "ConvertImageDtype",
    "Rescaling",
    "rescale",
    "Lambda",
];

/// A value of Python.
enum Python {
    Call(String, Vec<(Option<String>, Python)>),
    List(Vec<Python>),
    Plain(Value),
    /// A name of a module, such as `cv2.BORDER_CONSTANT`, or `None`.
    Name,
}

/// Whether a text seems to be such a list.
pub(super) fn is_python(text: &str) -> bool {
    text.contains('(') && read(text).is_some()
}

/// The list as a recipe has it, for as much of it as there is here; none where none of it is.
pub(super) fn list(text: &str) -> Option<String> {
    let read = Read::of(text)?;
    (!read.found.is_empty()).then(|| Value::Array(read.found).to_string())
}

/// What to say of such a list, with the line to type.
pub(super) fn answer(text: &str) -> Option<String> {
    let read = Read::of(text)?;
    let list = |names: &[String]| names.join(", ");
    let mut said = match read.found.is_empty() {
        true => "is Python, and none of its transforms is one here (`pupila list transforms`)".to_owned(),
        false => {
            let line = proposal::set(KEY, &Value::Array(read.found).to_string());
            format!("is Python; the same is: type {line}")
        }
    };
    if !read.prepared.is_empty() {
        said +=
            &format!(" (without {}: input.size, input.fit and data.normalize say it)", list(&read.prepared));
    }
    if !read.unknown.is_empty() {
        said += &format!(" (without {}, which there is not here)", list(&read.unknown));
    }
    Some(said)
}

/// What was found in a list.
#[derive(Default)]
struct Read {
    found: Vec<Value>,
    prepared: Vec<String>,
    unknown: Vec<String>,
}

impl Read {
    fn of(text: &str) -> Option<Read> {
        let mut all = Read::default();
        all.add(&read(text)?);
        Some(all)
    }

    fn add(&mut self, value: &Python) {
        match value {
            Python::List(items) => items.iter().for_each(|item| self.add(item)),
            Python::Call(name, arguments) => self.add_call(name, arguments),
            Python::Plain(_) | Python::Name => {}
        }
    }

    fn add_call(&mut self, full: &str, arguments: &[(Option<String>, Python)]) {
        let (module, name) = full.rsplit_once('.').unwrap_or(("", full));
        let inner = arguments.iter().find(|(key, value)| {
            key.as_deref().is_none_or(|key| key == "transforms") && matches!(value, Python::List(_))
        });
        let p = named(arguments, "p").or_else(|| named(arguments, "prob"));
        match (name, inner) {
            _ if PREPARED.contains(&name) => self.prepared.push(name.to_owned()),
            ("Compose" | "ReplayCompose" | "Sequential" | "ImageOnlyTransform", Some((_, items)))
                if p.is_none() =>
            {
                self.add(items);
            }
            ("Sequential" | "RandomApply" | "Compose", Some((_, items))) => {
                self.add_group("sequential", items, p)
            }
            ("OneOf" | "RandomChoice", Some((_, items))) => self.add_group("one_of", items, p),
            ("SomeOf", Some((_, items))) => self.add_group("some_of", items, p),
            ("ImageDataGenerator", _) => self.add_keras(arguments),
            _ => match transform(name)
                .and_then(|ours| call(ours, name, !matches!(module, "A" | "albumentations"), arguments))
            {
                Some((found, without)) => {
                    self.found.push(found);
                    self.unknown.extend(without.into_iter().map(|key| format!("{key} of {name}")));
                }
                None => self.unknown.push(name.to_owned()),
            },
        }
    }

    fn add_group(&mut self, name: &str, items: &Python, p: Option<Value>) {
        let mut inner = Read::default();
        inner.add(items);
        self.prepared.append(&mut inner.prepared);
        self.unknown.append(&mut inner.unknown);
        if inner.found.is_empty() {
            return;
        }
        let p = p.map(|p| ("p".to_owned(), p));
        let parameters = std::iter::once(("transforms".to_owned(), Value::Array(inner.found))).chain(p);
        self.found.push(one(name, parameters.collect()));
    }

    /// The arguments of Keras's `ImageDataGenerator`, each of which is a transform that is always applied, or a flip.
    fn add_keras(&mut self, arguments: &[(Option<String>, Python)]) {
        let mut shift = Table::new();
        for (key, value) in arguments {
            let Some(key) = key.as_deref() else { continue };
            if PREPARED.contains(&key) {
                self.prepared.push(key.to_owned());
                continue;
            }
            let Some(value) = plain(value) else { continue };
            let always = |name: &str, key: &str, value: Value| {
                one(name, Table::from_iter([(key.to_owned(), value), ("p".to_owned(), Value::Float(1.0))]))
            };
            let both = number(&value).map(around);
            match (key, both) {
                ("horizontal_flip" | "vertical_flip", _) if value == Value::Boolean(true) => {
                    self.found.push(one(key, Table::new()));
                }
                ("horizontal_flip" | "vertical_flip", _) => {}
                ("rotation_range", Some(limit)) => self.found.push(always("rotate", "limit", limit)),
                ("shear_range", Some(limit)) => self.found.push(always("affine", "shear", limit)),
                ("width_shift_range", Some(limit)) => drop(shift.insert("shift_limit_x".to_owned(), limit)),
                ("height_shift_range", Some(limit)) => drop(shift.insert("shift_limit_y".to_owned(), limit)),
                ("zoom_range", Some(limit)) => drop(shift.insert("scale_limit".to_owned(), limit)),
                ("brightness_range", _) if value.is_array() => {
                    // From 0.8 to 1.2 times as bright.
                    let ends = value.as_array().into_iter().flatten().filter_map(number);
                    let limit: Vec<Value> = ends.map(|end| rounded(end - 1.0)).collect();
                    self.found.push(one(
                        "random_brightness_contrast",
                        Table::from_iter([
                            ("brightness_limit".to_owned(), Value::Array(limit)),
                            ("contrast_limit".to_owned(), around(0.0)),
                            ("p".to_owned(), Value::Float(1.0)),
                        ]),
                    ));
                }
                _ => self.unknown.push(key.to_owned()),
            }
        }
        if !shift.is_empty() {
            for key in ["shift_limit", "scale_limit", "rotate_limit"] {
                shift.entry(key).or_insert(around(0.0));
            }
            shift.insert("p".to_owned(), Value::Float(1.0));
            self.found.push(one("shift_scale_rotate", shift));
        }
    }
}

/// A transform with the arguments that it takes here, and those that it does not.
fn call(
    ours: &str,
    theirs: &str,
    is_torch: bool,
    arguments: &[(Option<String>, Python)],
) -> Option<(Value, Vec<String>)> {
    let order: &[&str] = match theirs {
        "RandomRotation" => &["limit"],
        "RandomAffine" => &["rotate"],
        "ColorJitter" => &["brightness", "contrast", "saturation", "hue"],
        "Rotate" => &["limit"],
        _ => &["p"],
    };
    // These are always applied there.
    let always =
        is_torch && matches!(theirs, "RandomRotation" | "RandomAffine" | "ColorJitter" | "GaussianBlur");
    let mut parameters = Table::new();
    if always {
        parameters.insert("p".to_owned(), Value::Float(1.0));
    }
    let mut without = Vec::new();
    for (place, (key, value)) in arguments.iter().enumerate() {
        let key = match key.as_deref() {
            Some("degrees") => {
                if theirs == "RandomAffine" {
                    "rotate"
                } else {
                    "limit"
                }
            }
            Some(key) => key,
            None => order.get(place).copied().unwrap_or("?"),
        };
        let Some(value) = plain(value) else {
            without.push(key.to_owned());
            continue;
        };
        let with = |value: Value| {
            let mut more = parameters.clone();
            more.insert(key.to_owned(), value);
            takes(&one(ours, more.clone())).then_some(more)
        };
        // One number is as much to either side; of a factor around 1.
        let sides = number(&value).map(around);
        let factors = number(&value).map(|n| Value::Array(vec![rounded(1.0 - n), rounded(1.0 + n)]));
        let is_factor = ours == "color_jitter" && matches!(key, "brightness" | "contrast" | "saturation");
        let meant = factors.filter(|_| is_factor).or_else(|| sides.filter(|_| always && key != "p"));
        match meant.and_then(with).or_else(|| with(value)) {
            Some(more) => parameters = more,
            None => without.push(key.to_owned()),
        }
    }
    let found = one(ours, parameters);
    takes(&found).then_some((found, without))
}

/// Whether the parser of recipes takes a transform.
fn takes(transform: &Value) -> bool {
    proposal::is_right(&[format!("{KEY}={}", Value::Array(vec![transform.clone()]))])
}

fn one(name: &str, parameters: Table) -> Value {
    Value::Table(Table::from_iter([(name.to_owned(), Value::Table(parameters))]))
}

fn named(arguments: &[(Option<String>, Python)], key: &str) -> Option<Value> {
    arguments.iter().find(|(of, _)| of.as_deref() == Some(key)).and_then(|(_, value)| plain(value))
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}

/// As far to one side as to the other.
fn around(n: f64) -> Value {
    Value::Array(vec![rounded(-n.abs()), rounded(n.abs())])
}

/// Without what binary fractions leave of a difference, such as 0.19999999999999996.
fn rounded(n: f64) -> Value {
    // No zero with a sign.
    Value::Float((n * 1e9).round() / 1e9 + 0.0)
}

/// Numbers, texts, and lists of them.
fn plain(value: &Python) -> Option<Value> {
    match value {
        Python::Plain(value) => Some(value.clone()),
        Python::List(items) => items.iter().map(plain).collect::<Option<_>>().map(Value::Array),
        Python::Call(..) | Python::Name => None,
    }
}

/// The text as Python; `None` where it is none, or more than one value.
fn read(text: &str) -> Option<Python> {
    const LONGEST: usize = 1 << 16;
    if text.len() > LONGEST {
        return None;
    }
    // `transform = A.Compose([...])`
    let text = match text.split_once('=') {
        Some((name, rest)) if !name.contains(['(', '[', '{']) => rest,
        _ => text,
    };
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.skip();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let Some(comment) = self.rest.strip_prefix('#') else { return };
            self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn eat(&mut self, sign: char) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, is: impl Fn(char) -> bool) -> &str {
        self.skip();
        let (taken, rest) = self.rest.split_at(self.rest.find(|c| !is(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// The items up to a closing sign.
    fn items<T>(&mut self, close: char, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        const DEEPEST: usize = 32;
        self.depth += 1;
        let mut all = Vec::new();
        while self.depth <= DEEPEST && !self.eat(close) {
            all.push(item(self)?);
            if !self.eat(',') {
                return self.eat(close).then(|| self.closed(all));
            }
        }
        (self.depth <= DEEPEST).then(|| self.closed(all))
    }

    fn closed<T>(&mut self, all: T) -> T {
        self.depth -= 1;
        all
    }

    fn value(&mut self) -> Option<Python> {
        for (open, close) in [('[', ']'), ('(', ')')] {
            if self.eat(open) {
                return self.items(close, Self::value).map(Python::List);
            }
        }
        for quote in ['"', '\''] {
            if self.eat(quote) {
                let (text, rest) = self.rest.split_once(quote)?;
                let text = Value::String(text.to_owned());
                self.rest = rest;
                return Some(Python::Plain(text));
            }
        }
        let is_sign = |c: char| c.is_alphanumeric() || "_.+-/*".contains(c);
        let word = self.take(is_sign).to_owned();
        if word.is_empty() {
            return None;
        }
        if let Ok(whole) = word.parse() {
            return Some(Python::Plain(Value::Integer(whole)));
        }
        if let Ok(number) = word.parse::<f64>() {
            return Some(Python::Plain(Value::Float(number)).filter_finite());
        }
        if self.eat('(') {
            let arguments = self.items(')', |reader| {
                let before = reader.rest;
                let key = reader.take(|c| c.is_alphanumeric() || c == '_').to_owned();
                if !key.is_empty() && reader.eat('=') {
                    return Some((Some(key), reader.value()?));
                }
                reader.rest = before;
                Some((None, reader.value()?))
            })?;
            return Some(Python::Call(word, arguments));
        }
        Some(match &*word {
            "True" => Python::Plain(Value::Boolean(true)),
            "False" => Python::Plain(Value::Boolean(false)),
            _ => Python::Name,
        })
    }
}

impl Python {
    fn filter_finite(self) -> Python {
        match self {
            Python::Plain(Value::Float(number)) if !number.is_finite() => Python::Name,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proposal::testing::{lines_of, takes};
    use super::*;

    #[test]
    fn a_pasted_list_is_answered_with_its_own_transforms_in_a_line_that_parses() {
        for (pasted, list) in [
            (
                "A.Compose([A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast()])",
                "[{ horizontal_flip = { p = 0.5 } }, { random_brightness_contrast = {} }]",
            ),
            (
                "transform = A.Compose([\n  A.Rotate(limit=30, border_mode=cv2.BORDER_CONSTANT, p=0.3), # turns\n  A.Normalize(), ToTensorV2(),\n])",
                "[{ rotate = { limit = 30, p = 0.3 } }]",
            ),
            (
                "A.Compose([A.OneOf([A.MotionBlur(p=0.2), A.MedianBlur(blur_limit=3)], p=0.2)])",
                "[{ one_of = { transforms = [{ motion_blur = { p = 0.2 } }, { median_blur = { blur_limit = 3 } }], p = 0.2 } }]",
            ),
            ("RandomHorizontalFlip(0.5)", "[{ horizontal_flip = { p = 0.5 } }]"),
            (
                "[RandomHorizontalFlip(p=0.3), RandomVerticalFlip()]",
                "[{ horizontal_flip = { p = 0.3 } }, { vertical_flip = {} }]",
            ),
            (
                "transforms.Compose([transforms.Resize((224, 224)), transforms.RandomRotation(10), transforms.ToTensor()])",
                "[{ rotate = { limit = [-10.0, 10.0], p = 1.0 } }]",
            ),
            (
                "T.Compose([T.ColorJitter(0.2, 0.1), T.RandomApply([T.RandomGrayscale(p=1.0)], p=0.3)])",
                "[{ color_jitter = { brightness = [0.8, 1.2], contrast = [0.9, 1.1], p = 1.0 } }, { sequential = { p = 0.3, transforms = [{ to_gray = { p = 1.0 } }] } }]",
            ),
            (
                "ImageDataGenerator(rescale=1./255, rotation_range=20, zoom_range=0.1, horizontal_flip=True, vertical_flip=False)",
                "[{ rotate = { limit = [-20.0, 20.0], p = 1.0 } }, { horizontal_flip = {} }, { shift_scale_rotate = { p = 1.0, rotate_limit = [0.0, 0.0], \
                 scale_limit = [-0.1, 0.1], shift_limit = [0.0, 0.0] } }]",
            ),
            (
                "ImageDataGenerator(brightness_range=(0.8, 1.2))",
                "[{ random_brightness_contrast = { brightness_limit = [-0.2, 0.2], contrast_limit = [0.0, 0.0], p = 1.0 } }]",
            ),
        ] {
            let told = answer(pasted).unwrap_or_else(|| panic!("{pasted}"));
            let lines = lines_of(&told);
            let [line] = &lines[..] else { panic!("{told}") };
            assert!(takes(line), "{told}");
            let parsed = |text: &str| toml::from_str::<Table>(&format!("v = {text}")).unwrap();
            let typed = line[0].strip_prefix("augment.transforms=").unwrap();
            assert_eq!(parsed(typed), parsed(list), "{told}");
        }
    }

    #[test]
    fn what_is_left_out_is_named() {
        let told = answer(
            "A.Compose([A.HorizontalFlip(), A.RandomFog(), A.Rotate(limit=9, wobble=3), A.Resize(8, 8)])",
        )
        .unwrap();
        assert!(
            told.contains("(without Resize: input.size")
                && told.contains("(without RandomFog, wobble of Rotate, which"),
            "{told}"
        );
        assert!(answer("Fog(1)").unwrap().contains("none of its transforms"));
        for text in [
            "horizontal_flip,rotate",
            "A.Compose([A.HorizontalFlip()",
            "[{ rotate = {} }]",
            "f(",
            "a(b)c",
            &"(".repeat(100),
        ] {
            assert!(!is_python(text), "{text}");
        }
    }
}
