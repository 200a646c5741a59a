//! Some of several. Reference: `albumentations.SomeOf`.

use crate::config::Given;
use crate::{Children, Composition, DrawKey, Frame, Problems, Shape};
use pupila_random::Stream;
use schemars::SchemaGenerator;
use serde_json::{Map, Value};

/// Draws `n` of its transforms, all as likely, and gives each of them its chance `p`, in the order in which they stand.
#[derive(Debug)]
pub struct SomeOf {
    transforms: Children,
    /// How many.
    n: u32,
    /// Whether a transform can be drawn more than once.
    replace: bool,
    p: f64,
}

impl Composition for SomeOf {
    const NAME: &'static str = "some_of";
    const DESCRIPTION: &'static str = "applies n of some transforms";

    fn build(given: &mut Given, problems: &mut Problems) -> Self {
        SomeOf {
            transforms: given.children(problems),
            n: given.value("n", 1, problems),
            replace: given.value("replace", false, problems),
            p: given.p(1.0, problems),
        }
    }

    fn p(&self) -> f64 {
        self.p
    }

    fn children(&self) -> &Children {
        &self.transforms
    }

    fn own_parameters(&self) -> Map<String, Value> {
        [("n".to_owned(), self.n.into()), ("replace".to_owned(), self.replace.into())].into_iter().collect()
    }

    fn own_schema(generator: &mut SchemaGenerator) -> Map<String, Value> {
        let mut n = generator.subschema_for::<u32>();
        n.insert(
            "description".to_owned(),
            "How many; at most all of them are drawn without replacement.".into(),
        );
        let mut replace = generator.subschema_for::<bool>();
        replace.insert("description".to_owned(), "Whether a transform can be drawn more than once.".into());
        [("n".to_owned(), n.to_value()), ("replace".to_owned(), replace.to_value())].into_iter().collect()
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        // Which ones are drawn is not known, so only transforms that keep the shape keep it known.
        input.filter(|_| self.transforms.all().iter().all(|transform| transform.output_shape(input) == input))
    }

    fn run(&self, frame: &mut Frame, mut mask: Option<&mut Frame>, key: DrawKey, stream: &mut Stream) {
        let all = self.transforms.all();
        let mut drawn: Vec<u32> = if self.replace && !all.is_empty() {
            (0..self.n).map(|_| stream.below(all.len() as u32)).collect()
        } else {
            let mut indices: Vec<u32> = (0..all.len() as u32).collect();
            stream.shuffle(&mut indices);
            indices.truncate(self.n as usize);
            indices
        };
        drawn.sort_unstable();
        let mut repetition = 0;
        for (i, &index) in drawn.iter().enumerate() {
            // The same transform twice has two keys.
            repetition = if i > 0 && drawn[i - 1] == index { repetition + 1 } else { 0 };
            let key = key.child(index).child(repetition);
            all[index as usize].run_by_chance(frame, mask.as_deref_mut(), key);
        }
    }
}
