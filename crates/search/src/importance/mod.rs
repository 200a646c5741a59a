//! What mattered: the importance of each parameter.
