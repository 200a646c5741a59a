//! What a model is, as data: ops, shapes, parameters, initialisers, architectures
