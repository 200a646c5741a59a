//! What every storage must do, and what is special to each.

#![allow(clippy::unwrap_used)]

mod address;
mod clock;
mod journal;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;

use pupila_search::storage::Memory;

suite::tests!(memory, || {
    let memory = Memory::default();
    Box::new(move |_| Box::new(memory.clone()))
});
