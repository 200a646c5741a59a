//! Scalars. TensorBoard keeps them in f32.

use super::proto::Value;

pub(super) fn values(values: &[(String, f64)]) -> Vec<Value> {
    let value = |(tag, value): &(String, f64)| Value {
        tag: tag.clone(),
        simple_value: Some(*value as f32),
        ..Value::default()
    };
    values.iter().map(value).collect()
}
