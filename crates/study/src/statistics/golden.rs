//! Written by parity/study/paired_t.py with scipy 1.17.1.

/// scipy.stats.ttest_rel of the values in the test.
pub(super) const PAIRED_T: (f64, f64) = (3.342516087186932, 0.02876833522755804);
