//! Which trials are the best: complete ones by value, then pruned ones by how far they came, then by their last report.
//!
//! Trials that run count among the rest, as if their values were bad (the constant liar), so that workers side by side try different things.
//! Reference: `_split_trials` of Optuna's TPE sampler 4.9.

use crate::trial::{Direction, State, Trial};

/// Whether a trial takes part in the ranking.
pub(super) fn is_ranked(trial: &Trial) -> bool {
    match trial.state {
        State::Complete => trial.value().is_some_and(|value| !value.is_nan()),
        State::Pruned => true,
        State::Running | State::Fail | State::Waiting => false,
    }
}

/// Lower is better: whether it was pruned, minus the last step, loss.
fn rank(trial: &Trial, direction: Direction) -> (bool, i64, f64) {
    match (trial.state, trial.value(), trial.last_report()) {
        (State::Complete, Some(value), _) => (false, 0, direction.loss(value)),
        (_, _, Some((step, value))) => {
            let loss = direction.loss(value);
            (true, step.saturating_neg(), if loss.is_nan() { f64::INFINITY } else { loss })
        }
        // Pruned before it said anything: after all that came as far as step 0.
        _ => (true, 1, 0.0),
    }
}

/// The `good` best trials, and all others with those that run; both by number.
pub(super) fn split<'a>(
    trials: &[&'a Trial],
    direction: Direction,
    good: usize,
) -> (Vec<&'a Trial>, Vec<&'a Trial>) {
    let mut ranked: Vec<((bool, i64, f64), &Trial)> = trials
        .iter()
        .filter(|trial| is_ranked(trial))
        .map(|&trial| (rank(trial, direction), trial))
        .collect();
    ranked.sort_by(|(a, x), (b, y)| {
        (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)).then(x.number.cmp(&y.number))
    });
    let mut ranked: Vec<&Trial> = ranked.into_iter().map(|(_, trial)| trial).collect();
    let mut rest = ranked.split_off(good.min(ranked.len()));
    rest.extend(trials.iter().filter(|trial| trial.state == State::Running && !trial.params.is_empty()));
    ranked.sort_by_key(|trial| trial.number);
    rest.sort_by_key(|trial| trial.number);
    (ranked, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_trials_come_before_pruned_ones_and_running_ones_are_never_good() {
        let complete = |number, value| Trial { values: vec![value], ..Trial::new(number, State::Complete) };
        let pruned = |number, step, value| Trial {
            intermediate: [(step, value)].into(),
            ..Trial::new(number, State::Pruned)
        };
        let mut running = Trial::new(8, State::Running);
        let distribution =
            std::sync::Arc::new(crate::Distribution::Int { low: 0, high: 1, log: false, step: 1 });
        running.params.insert("a".into(), crate::Param { distribution, value: crate::ParamValue::Int(0) });
        let trials = [
            complete(0, 3.0),
            pruned(1, 4, 0.1),
            complete(2, 1.0),
            pruned(3, 9, f64::NAN),
            Trial::new(4, State::Pruned),
            pruned(5, 4, 0.2),
            Trial::new(6, State::Fail),
            complete(7, f64::NAN),
            running,
            pruned(9, 9, f64::INFINITY),
        ];
        let all: Vec<&Trial> = trials.iter().collect();
        let numbers = |trials: &[&Trial]| trials.iter().map(|trial| trial.number).collect::<Vec<_>>();
        // Best to worst: 2, 0, 3 and 9 at step 9, 1, 5, 4.
        for (good, expected) in [
            (1, vec![2]),
            (2, vec![0, 2]),
            (3, vec![0, 2, 3]),
            (5, vec![0, 1, 2, 3, 9]),
            (7, vec![0, 1, 2, 3, 4, 5, 9]),
        ] {
            let (best, rest) = split(&all, Direction::Minimize, good);
            assert_eq!(numbers(&best), expected);
            assert!(numbers(&rest).contains(&8) && best.len() + rest.len() == 8);
        }
        assert_eq!(numbers(&split(&all, Direction::Maximize, 1).0), [0]);
        // At the same step the higher report is the better one.
        assert_eq!(numbers(&split(&all, Direction::Maximize, 5).0), [0, 2, 3, 5, 9]);
    }
}
