//! The most common keys by their names in Spanish, without case, accents and separators.

/// Names and the key that they are.
pub(super) const SPANISH: &[(&str, &[&str])] = &[
    ("train.epochs", &["epocas", "numeroepocas", "numepocas"]),
    ("train.batch", &["lote", "tamanolote", "tamanodelote"]),
    ("train.seed", &["semilla"]),
    ("train.monitor", &["metrica"]),
    ("input.size", &["tamano", "tamanoimagen", "tamanodeimagen", "resolucion"]),
    ("input.channels", &["canales"]),
    ("optimizer.name", &["optimizador"]),
    (
        "optimizer.lr",
        &["tasaaprendizaje", "tasadeaprendizaje", "ritmoaprendizaje", "factoraprendizaje", "aprendizaje"],
    ),
    ("optimizer.momentum", &["momento", "inercia"]),
    ("optimizer.weight_decay", &["decaimiento", "decaimientopesos", "decaimientodepesos"]),
    ("early_stopping.patience", &["paciencia", "paradatemprana", "detenciontemprana"]),
    ("model.name", &["modelo", "arquitectura", "red"]),
    ("model.hidden", &["ocultas", "capasocultas", "neuronas", "capas"]),
    ("model.filters", &["filtros"]),
    ("model.dropout", &["abandono"]),
    ("model.activation", &["activacion"]),
    ("model.init", &["inicializacion", "inicializador"]),
    ("loss.class_weights", &["pesosclases", "pesosdeclases", "pesosporclase"]),
    ("augment.transforms", &["aumento", "aumentos", "aumentodedatos", "transformaciones"]),
    ("data.val_frac", &["validacion", "fraccionvalidacion"]),
    ("data.folds", &["pliegues", "particiones", "validacioncruzada"]),
    ("data.normalize", &["normalizacion", "normalizar"]),
];
