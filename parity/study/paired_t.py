"""Golden values of the paired t-test: `python parity/study/paired_t.py > crates/study/src/statistics/golden.rs`. Needs scipy."""

import scipy
from scipy import stats

print(f"//! Written by parity/study/paired_t.py with scipy {scipy.__version__}.\n")
t, p = stats.ttest_rel([0.71, 0.74, 0.69, 0.75, 0.70], [0.66, 0.71, 0.67, 0.68, 0.69])
print("/// scipy.stats.ttest_rel of the values in the test.")
print(f"pub(super) const PAIRED_T: (f64, f64) = ({float(t)!r}, {float(p)!r});")
