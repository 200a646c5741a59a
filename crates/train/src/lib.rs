//! A recipe becomes a plan, a plan becomes a run: the training loop and what it leaves behind.

mod layers;
mod recipe;
mod schema;

pub use layers::{Layers, Origin, RecipeErrors, Resolved, Setting};
pub use recipe::{Augment, Data, EarlyStopping, Fault, Input, Loss, Monitor, Recipe, Train};
pub use schema::json_schema;
