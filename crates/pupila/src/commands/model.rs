//! A trained model, opened.
