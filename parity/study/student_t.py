"""Golden values of Student's t: `python parity/study/student_t.py > crates/study/src/statistics/golden.rs`. Needs scipy."""

import scipy
from scipy import stats

print(f"//! Written by parity/study/student_t.py with scipy {scipy.__version__}.\n")
print("/// t, degrees of freedom, two-sided p.")
print("pub(super) const P_VALUES: &[(f64, f64, f64)] = &[")
for df in (1.0, 2.0, 2.5, 4.0, 7.3, 24.0, 120.0, 1500.0, float("inf")):
    for t in (0.1, 0.7, 1.5, 2.776, 4.85, 12.0):
        p = 2 * stats.t.sf(t, df)
        if p > 1e-250:
            print(f"    ({t!r}, {df!r}, {p!r}),".replace(" inf,", " f64::INFINITY,").replace("np.float64(", "").replace(")),", "),"))
print("];")
t, p = stats.ttest_rel([0.71, 0.74, 0.69, 0.75, 0.70], [0.66, 0.71, 0.67, 0.68, 0.69])
print("/// scipy.stats.ttest_rel of the values in the test.")
print(f"pub(super) const PAIRED_T: (f64, f64) = ({float(t)!r}, {float(p)!r});")
