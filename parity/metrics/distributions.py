"""Golden values of distributions: `python parity/metrics/distributions.py > crates/metrics/src/golden.rs`. Needs scipy."""

import scipy
from scipy import stats


def row(*values):
    shown = ["f64::INFINITY" if value == float("inf") else repr(value) for value in values]
    print(f"    ({', '.join(shown)}),")


print(f"//! Written by parity/metrics/distributions.py with scipy {scipy.__version__}.\n")
print("/// t, degrees of freedom, two-sided p.")
print("pub(crate) const STUDENT_T: &[(f64, f64, f64)] = &[")
for df in (1.0, 2.0, 2.5, 4.0, 7.3, 24.0, 120.0, 1500.0, float("inf")):
    for t in (0.1, 0.7, 1.5, 2.776, 4.85, 12.0):
        p = 2 * stats.t.sf(t, df)
        if p > 1e-250:
            row(t, df, float(p))
print("];\n")
print("/// Successes, trials, confidence, and the limits of `scipy.stats.binomtest(...).proportion_ci(method=\"exact\")`.")
print("pub(crate) const CLOPPER_PEARSON: &[(u64, u64, f64, f64, f64)] = &[")
for n in (1, 2, 6, 10, 58, 200, 10_000):
    for k in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        for confidence in (0.95, 0.99):
            low, high = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
            row(k, n, confidence, float(low), float(high))
print("];")
