//! The lowest point of a smooth convex function: L-BFGS.
//!
//! Reference: Nocedal and Wright, "Numerical Optimization" (2006), algorithms 7.4 and 7.5. The step is found by bisection and doubling until it meets
//! both weak Wolfe conditions (Lewis and Overton 2013, "Nonsmooth optimization via quasi-Newton methods", section 3.1), which need no more than values and
//! gradients.

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 10;
/// The share of the descent that the slope promises and that a step must give.
const DESCENT: f64 = 1e-4;
/// The share of the slope that may be left behind a step.
const CURVATURE: f64 = 0.9;
/// Steps that are tried along one direction.
const TRIES: usize = 40;

/// Where a search has ended.
#[derive(Debug)]
pub(super) struct Lowest {
    pub(super) at: Vec<f64>,
    /// Directions that were taken.
    pub(super) iterations: usize,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most, g| g.abs().max(most))
}

/// Goes down from a point until no value of the gradient is above `tolerance`, or for so many iterations. `function` gives a point's value and
/// writes its gradient.
pub(super) fn minimize(
    start: Vec<f64>,
    tolerance: f64,
    iterations: usize,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Lowest {
    let mut at = start;
    let mut gradient = vec![0.0; at.len()];
    let mut value = function(&at, &mut gradient);
    let mut pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    let (mut next, mut next_gradient) = (at.clone(), gradient.clone());
    for iteration in 0..iterations {
        if largest(&gradient) <= tolerance {
            return Lowest { at, iterations: iteration };
        }
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        two_loops(&pairs, &mut direction);
        let mut slope = dot(&gradient, &direction);
        if slope >= 0.0 {
            // Roundings have spoilt what is remembered.
            pairs.clear();
            direction.iter_mut().zip(&gradient).for_each(|(d, g)| *d = -g);
            slope = dot(&gradient, &direction);
        }
        // Without a memory the gradient's scale says nothing of the way to go.
        let mut step = if pairs.is_empty() { 1.0 / largest(&gradient).max(1.0) } else { 1.0 };
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut found = None;
        for _ in 0..TRIES {
            for ((next, at), d) in next.iter_mut().zip(&at).zip(&direction) {
                *next = at + step * d;
            }
            let there = function(&next, &mut next_gradient);
            if there.is_nan() || there > value + DESCENT * step * slope {
                high = step;
            } else if dot(&next_gradient, &direction) < CURVATURE * slope {
                low = step;
            } else {
                found = Some(there);
                break;
            }
            step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * step };
        }
        // As low as the roundings of the function let it come.
        let Some(there) = found else { return Lowest { at, iterations: iteration } };
        let moved: Vec<f64> = next.iter().zip(&at).map(|(next, at)| next - at).collect();
        let changed: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(next, g)| next - g).collect();
        let curvature = dot(&moved, &changed);
        if curvature > 0.0 {
            if pairs.len() == MEMORY {
                pairs.remove(0);
            }
            pairs.push((moved, changed, 1.0 / curvature));
        }
        std::mem::swap(&mut at, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        value = there;
    }
    Lowest { at, iterations }
}

/// Turns the steepest descent into L-BFGS's direction.
fn two_loops(pairs: &[(Vec<f64>, Vec<f64>, f64)], direction: &mut [f64]) {
    let mut shares = vec![0.0; pairs.len()];
    for ((moved, changed, inverse), share) in pairs.iter().zip(&mut shares).rev() {
        *share = inverse * dot(moved, direction);
        direction.iter_mut().zip(changed).for_each(|(d, c)| *d -= *share * c);
    }
    if let Some((_, changed, inverse)) = pairs.last() {
        let scale = 1.0 / (inverse * dot(changed, changed));
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((moved, changed, inverse), share) in pairs.iter().zip(&shares) {
        let back = inverse * dot(changed, direction);
        direction.iter_mut().zip(moved).for_each(|(d, m)| *d += (share - back) * m);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_bottom_of_a_long_valley() {
        // Rosenbrock's function, whose lowest point is (1, 1).
        let rosenbrock = |x: &[f64], gradient: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            gradient[0] = -2.0 * a - 400.0 * x[0] * b;
            gradient[1] = 200.0 * b;
            a * a + 100.0 * b * b
        };
        let lowest = minimize(vec![-1.2, 1.0], 1e-9, 200, rosenbrock);
        assert!(lowest.at.iter().all(|x| (x - 1.0).abs() < 1e-8), "{lowest:?}");
        assert!(lowest.iterations < 100, "{lowest:?}");
        // It stays where it is best already, and stops when it is told to.
        assert_eq!(minimize(vec![1.0, 1.0], 1e-9, 200, rosenbrock).iterations, 0);
        assert_eq!(minimize(vec![-1.2, 1.0], 1e-9, 3, rosenbrock).iterations, 3);
    }
}
