//! Named functions with their spaces, and a study of one. `parity/search/functions.py` has the same functions for Optuna.
//!
//! The functions have their lowest value, 0, away from the middle of their ranges, because the prior of TPE stands there.

use pupila_search::{Assignment, Choice, Direction, Request, Space, State, Trial, sampler};
use std::f64::consts::{E, PI};
use std::path::Path;

/// A function with its space.
pub struct Function {
    /// Its name, with the number of dimensions.
    pub name: String,
    /// Where it is defined.
    pub space: Space,
    /// Its value.
    pub value: Formula,
}

/// A function's value.
pub type Formula = fn(&Values<'_>) -> f64;

/// What a function is asked at.
pub struct Values<'a> {
    pub space: &'a Space,
    pub chosen: &'a Assignment,
}

impl Values<'_> {
    fn get(&self, key: &str) -> Option<Choice> {
        let value = *self.chosen.get(key)?;
        Some(self.space.parameter(key)?.distribution.external(value))
    }

    fn number(&self, key: &str) -> f64 {
        match self.get(key) {
            Some(Choice::Float(x)) => x,
            Some(Choice::Int(n)) => n as f64,
            other => panic!("{key} is {other:?}"),
        }
    }

    /// x0, x1, ...
    fn point(&self) -> Vec<f64> {
        (0..self.space.parameters().len()).map(|i| self.number(&format!("x{i}"))).collect()
    }
}

fn sphere(values: &Values<'_>) -> f64 {
    values.point().iter().map(|x| x * x).sum()
}

fn rosenbrock(values: &Values<'_>) -> f64 {
    values.point().windows(2).map(|x| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2)).sum()
}

fn rastrigin(values: &Values<'_>) -> f64 {
    values.point().iter().map(|x| 10.0 + x * x - 10.0 * (2.0 * PI * x).cos()).sum()
}

fn ackley(values: &Values<'_>) -> f64 {
    let point = values.point();
    let mean = |of: &dyn Fn(f64) -> f64| point.iter().map(|&x| of(x)).sum::<f64>() / point.len() as f64;
    20.0 + E - 20.0 * (-0.2 * mean(&|x| x * x).sqrt()).exp() - mean(&|x| (2.0 * PI * x).cos()).exp()
}

fn levy(values: &Values<'_>) -> f64 {
    let w: Vec<f64> = values.point().iter().map(|x| 1.0 + (x - 1.0) / 4.0).collect();
    let last = w[w.len() - 1];
    let middle = w[..w.len() - 1].iter();
    (PI * w[0]).sin().powi(2)
        + middle.map(|w| (w - 1.0).powi(2) * (1.0 + 10.0 * (PI * w + 1.0).sin().powi(2))).sum::<f64>()
        + (last - 1.0).powi(2) * (1.0 + (2.0 * PI * last).sin().powi(2))
}

fn styblinski_tang(values: &Values<'_>) -> f64 {
    values.point().iter().map(|x| 0.5 * (x.powi(4) - 16.0 * x * x + 5.0 * x) + 39.166_165_703_771_42).sum()
}

/// Every kind of range, without conditions.
fn mixed(values: &Values<'_>) -> f64 {
    let of = |key: &str| values.number(key);
    let cost = |key: &str| match values.get(key) {
        Some(Choice::Text(text)) => match text.as_str() {
            "relu" | "batch" => 0.0,
            "gelu" | "layer" => 0.1,
            "silu" => 0.2,
            _ => 0.3,
        },
        other => panic!("{key} is {other:?}"),
    };
    let (layers, dropout) = ((of("layers") - 4.0).abs(), (of("dropout") - 0.2).abs());
    (of("lr").log10() + 2.0).powi(2) / 4.0
        + 2.0 * (of("momentum") - 0.8).powi(2)
        + layers.powi(2) / 20.0
        + (of("width").log2() - 7.0).powi(2) / 10.0
        + cost("activation")
        + cost("norm")
        + (of("decay").log10() + 4.0).powi(2) / 10.0
        + dropout.powi(2)
        + 0.2 * layers * dropout
}

const MIXED: &str = r#"
[space]
lr = { float = [1e-5, 1.0], log = true }
momentum = { float = [0, 0.95], step = 0.05 }
layers = { int = [1, 10] }
width = { int = [8, 1024], log = true }
activation = { categorical = ["relu", "gelu", "silu", "tanh"] }
norm = { categorical = ["none", "batch", "layer"] }
decay = { float = [1e-6, 1e-1], log = true }
dropout = { float = [0, 0.9] }
"#;

/// What a search over two kinds of networks is like: 4 to 5 of 7 parameters are active.
fn conditional(values: &Values<'_>) -> f64 {
    let lr = (values.number("lr").log10() + 2.5).powi(2) / 4.0;
    if values.get("model") == Some(Choice::Text("mlp".into())) {
        let layers = values.number("layers");
        let width = (values.number("width").log2() - 6.0).powi(2) / 10.0;
        let dropout = if layers >= 4.0 { (values.number("dropout") - 0.3).abs() } else { 0.0 };
        return lr + 0.2 + (layers - 4.0).powi(2) / 10.0 + width + dropout;
    }
    let channels = match values.number("channels") {
        16.0 => 0.4,
        32.0 => 0.0,
        _ => 0.2,
    };
    let kernel = match values.number("kernel") {
        3.0 => 0.1,
        5.0 => 0.0,
        _ => 0.3,
    };
    lr + channels + kernel
}

const CONDITIONAL: &str = r#"
[space]
model = { categorical = ["mlp", "cnn"] }
lr = { float = [1e-6, 1.0], log = true }
layers = { int = [1, 8], when = { model = "mlp" } }
width = { int = [8, 1024], log = true, when = { model = "mlp" } }
dropout = { float = [0, 0.9], step = 0.1, when = { layers = [4, 5, 6, 7, 8] } }
channels = { categorical = [16, 32, 64], when = { model = "cnn" } }
kernel = { categorical = [3, 5, 7], when = { model = "cnn" } }
"#;

fn space(text: &str) -> Space {
    Space::parse(Path::new("quality.toml"), text).unwrap()
}

/// Parameters x0, x1, ... with the same range.
fn cube(dimensions: usize, low: f64, high: f64) -> Space {
    let line = |i| format!("x{i} = {{ float = [{low:?}, {high:?}] }}\n");
    space(&format!("[space]\n{}", (0..dimensions).map(line).collect::<String>()))
}

/// All of them.
pub fn functions() -> Vec<Function> {
    let named: [(&str, f64, f64, Formula); 4] = [
        ("sphere", -3.0, 7.0, sphere),
        ("rosenbrock", -5.0, 10.0, rosenbrock),
        ("rastrigin", -3.0, 7.0, rastrigin),
        ("ackley", -20.0, 45.0, ackley),
    ];
    let mut functions = Vec::new();
    for (name, low, high, value) in named {
        for dimensions in [2, 5, 10] {
            let space = cube(dimensions, low, high);
            functions.push(Function { name: format!("{name}-{dimensions}"), space, value });
        }
    }
    functions.push(Function { name: "conditional".into(), space: space(CONDITIONAL), value: conditional });
    // No setting of the sampler was chosen by these.
    functions.push(Function { name: "levy-5".into(), space: cube(5, -10.0, 10.0), value: levy });
    functions.push(Function {
        name: "styblinski_tang-5".into(),
        space: cube(5, -5.0, 5.0),
        value: styblinski_tang,
    });
    functions.push(Function { name: "mixed".into(), space: space(MIXED), value: mixed });
    functions
}

/// The trials of a study.
pub fn study(function: &Function, sampler: &str, seed: u64, trials: u64) -> Vec<Trial> {
    let sampler = sampler::by_name(sampler).unwrap();
    let mut known = Vec::new();
    for number in 0..trials {
        let request = Request::new(&function.space, Direction::Minimize, seed, number, &known);
        let chosen = sampler.suggest(&request).unwrap().unwrap();
        let value = (function.value)(&Values { space: &function.space, chosen: &chosen });
        known.push(Trial {
            params: function.space.params(&chosen),
            values: vec![value],
            ..Trial::new(number, State::Complete)
        });
    }
    known
}

/// The lowest value of the trials.
pub fn best(trials: &[Trial]) -> f64 {
    trials.iter().map(|trial| trial.values[0]).fold(f64::INFINITY, f64::min)
}
