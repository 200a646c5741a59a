"""Prints the polynomial of crates/engine/src/elementary.rs for the tail of the normal distribution.

    python parity/elementary/fit.py        # needs numpy and scipy

erfcx(z) = e^(z^2) erfc(z) is t times a polynomial of degree 10 in t = 2.5 / (2.5 + z) for all z >= 0, interpolated at the
Chebyshev nodes of 0 .. 1. Of the maps tried (1 to 3 in steps of 0.5) 2.5 has the smallest error.
"""

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from scipy.special import erfcx

DEGREE, TURN = 10, 2.5


def quotient(t):
    return erfcx(TURN * (1 / t - 1)) / t


nodes = np.cos((np.arange(DEGREE + 1) + 0.5) * np.pi / (DEGREE + 1))
fit = chebyshev.chebfit(nodes, quotient((nodes + 1) / 2), DEGREE)
coefficients = np.zeros(1)
for coefficient in chebyshev.cheb2poly(fit)[::-1]:
    # The nodes are in 2 t - 1.
    coefficients = polynomial.polyadd(polynomial.polymul(coefficients, [-1, 2]), [coefficient])
t = np.linspace(1e-6, 1, 100_001)
error = np.abs(polynomial.polyval(t, coefficients) / quotient(t) - 1).max()
print(f"relative error {error:.1e}, before rounding to single precision")
for coefficient in coefficients:
    print(f"    {np.float32(coefficient):.9g},")
