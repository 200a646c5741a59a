//! Classification metrics, streaming, as scikit-learn defines them
