//! The best epoch so far, and when to stop looking for a better one.

use crate::recipe::{EarlyStopping, Monitor};
use pupila_backend::{Backend, Snapshot};
use std::sync::Arc;

/// Keeps the values of the best epoch by a monitored metric.
#[derive(Debug)]
pub(crate) struct Best {
    monitor: Monitor,
    patience: Option<u32>,
    min_delta: f64,
    state: BestState,
}

/// The best epoch so far, and how long no better one has come.
#[derive(Debug, Clone)]
pub struct BestState {
    /// The best epoch and its metric.
    pub best: Option<(u32, f64)>,
    /// The metric that the next improvement for early stopping is measured from. It lags behind `best` where an epoch was
    /// better by less than `min_delta`.
    pub reference: f64,
    /// Epochs without an improvement.
    pub waited: u32,
    /// The best epoch's values. A checkpoint shares them: they change at the end of an epoch alone.
    pub values: Arc<Snapshot<f32>>,
}

impl Default for BestState {
    /// Before the first epoch.
    fn default() -> Self {
        BestState { best: None, reference: f64::NAN, waited: 0, values: Arc::default() }
    }
}

impl Best {
    pub(crate) fn new(monitor: Monitor, early_stopping: &EarlyStopping) -> Self {
        Best {
            monitor,
            patience: early_stopping.patience,
            min_delta: early_stopping.min_delta,
            state: BestState::default(),
        }
    }

    pub(crate) fn state(&self) -> &BestState {
        &self.state
    }

    pub(crate) fn resume(&mut self, state: &BestState) {
        self.state.clone_from(state);
    }

    /// Takes the metrics of an epoch; true where it is the best so far, whose values are then kept.
    ///
    /// The very first epoch is kept whatever its metric, so that there always is a model.
    pub(crate) fn offer(&mut self, epoch: u32, val: &[(&'static str, f64)], engine: &dyn Backend) -> bool {
        let metric = self.monitor.of(val);
        wait(self.monitor, self.min_delta, metric, &mut self.state.reference, &mut self.state.waited);
        let better = self.state.best.is_none_or(|(_, best)| self.monitor.improves(metric, best, 0.0));
        if better {
            self.state.best = Some((epoch, metric));
            // A checkpoint that is still being written keeps those before.
            let mut values = Arc::get_mut(&mut self.state.values).map(std::mem::take).unwrap_or_default();
            engine.save_to(&mut values);
            self.state.values = Arc::new(values);
        }
        better
    }

    /// Whether patience has run out.
    pub(crate) fn exhausted(&self) -> bool {
        self.patience.is_some_and(|patience| self.state.waited >= patience)
    }

    /// Gives the best values back to the engine; the epoch that they are of.
    pub(crate) fn restore(&self, engine: &mut dyn Backend) -> Option<u32> {
        let (epoch, _) = self.state.best?;
        engine.restore(&self.state.values);
        Some(epoch)
    }
}

/// The epoch after which early stopping would have ended a run with these values of its monitored metric, an epoch each; none where
/// it would have let it go on. The rule is the one that training follows.
pub fn stops_after(monitor: Monitor, early_stopping: &EarlyStopping, values: &[f64]) -> Option<u32> {
    let patience = early_stopping.patience?;
    let (mut reference, mut waited) = (f64::NAN, 0);
    (1..).zip(values).find_map(|(epoch, &metric)| {
        wait(monitor, early_stopping.min_delta, metric, &mut reference, &mut waited);
        (waited >= patience).then_some(epoch)
    })
}

/// An epoch's metric against what the next improvement is measured from.
fn wait(monitor: Monitor, min_delta: f64, metric: f64, reference: &mut f64, waited: &mut u32) {
    if monitor.improves(metric, *reference, min_delta) {
        (*reference, *waited) = (metric, 0);
    } else {
        *waited += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_engine::CpuBackend;
    use pupila_network::{ModelConfig, Shape, architectures};

    fn run(
        monitor: &str,
        patience: Option<u32>,
        min_delta: f64,
        metrics: &[f64],
    ) -> (Option<u32>, usize, f32) {
        let config = ModelConfig { hidden: Some(vec![]), ..ModelConfig::default() };
        let network = architectures::build(&config, Shape::Vector(1), 2).unwrap();
        let mut engine = CpuBackend::new(&network, 1, false);
        let monitor = Monitor::parse(monitor).unwrap();
        let mut best = Best::new(monitor, &EarlyStopping { patience, min_delta });
        let mut ran = 0;
        for (i, &metric) in metrics.iter().enumerate() {
            engine.engine_mut().values_mut()[0] = i as f32 + 1.0;
            best.offer(i as u32 + 1, &[(monitor.name, metric)], &engine);
            ran = i + 1;
            if best.exhausted() {
                break;
            }
        }
        (best.restore(&mut engine), ran, engine.engine().values()[0])
    }

    #[test]
    fn the_best_values_come_back_whichever_way_is_better() {
        assert_eq!(run("val/loss", None, 0.0, &[3.0, 1.0, 2.0]), (Some(2), 3, 2.0));
        assert_eq!(run("val/accuracy", None, 0.0, &[0.3, 0.1, 0.2]), (Some(1), 3, 1.0));
        // Of equal epochs the first is kept.
        assert_eq!(run("val/accuracy", None, 0.0, &[0.3, 0.5, 0.5]), (Some(2), 3, 2.0));
    }

    #[test]
    fn it_goes_on_from_its_state() {
        let config = ModelConfig { hidden: Some(vec![]), ..ModelConfig::default() };
        let network = architectures::build(&config, Shape::Vector(1), 2).unwrap();
        let engine = CpuBackend::new(&network, 1, false);
        let rule = EarlyStopping { patience: Some(2), min_delta: 0.0 };
        let new = || Best::new(Monitor::parse("val/loss").unwrap(), &rule);
        let (mut before, mut behind) = (new(), new());
        before.offer(1, &[("loss", 1.0)], &engine);
        before.offer(2, &[("loss", 2.0)], &engine);
        behind.resume(before.state());
        assert!(!behind.exhausted() && !behind.offer(3, &[("loss", 1.5)], &engine));
        assert!(behind.exhausted() && behind.state().best == Some((1, 1.0)));
    }

    #[test]
    fn a_state_keeps_the_best_values_of_its_time() {
        let config = ModelConfig { hidden: Some(vec![]), ..ModelConfig::default() };
        let network = architectures::build(&config, Shape::Vector(1), 2).unwrap();
        let mut engine = CpuBackend::new(&network, 1, false);
        let mut best =
            Best::new(Monitor::parse("val/loss").unwrap(), &EarlyStopping { patience: None, min_delta: 0.0 });
        let mut offered = |value, loss| {
            engine.engine_mut().values_mut()[0] = value;
            best.offer(1, &[("loss", loss)], &engine);
            best.state().clone()
        };
        let (early, worse, better) = (offered(1.0, 3.0), offered(2.0, 4.0), offered(3.0, 2.0));
        assert_eq!([&early, &worse, &better].map(|state| state.values.trained[0]), [1.0, 1.0, 3.0]);
        assert!(Arc::ptr_eq(&early.values, &worse.values));
    }

    #[test]
    fn patience_counts_epochs_without_improvement() {
        assert_eq!(run("val/loss", Some(2), 0.0, &[3.0, 1.0, 2.0, 2.0, 0.0]), (Some(2), 4, 2.0));
        assert_eq!(run("val/loss", Some(2), 0.0, &[3.0, 4.0, 2.0, 3.0, 1.0]), (Some(5), 5, 5.0));
    }

    #[test]
    fn small_steps_below_min_delta_do_not_reset_patience_but_the_best_is_still_kept() {
        assert_eq!(run("val/loss", Some(3), 0.1, &[1.0, 0.95, 0.92, 0.91, 0.5]), (Some(4), 4, 4.0));
        // Together they are more than min_delta below the reference.
        assert_eq!(run("val/loss", Some(3), 0.1, &[1.0, 0.95, 0.85, 0.84, 0.5]), (Some(5), 5, 5.0));
    }

    #[test]
    fn the_rule_on_a_curve_ends_where_the_run_does() {
        let curves: [&[f64]; 5] = [
            &[3.0, 1.0, 2.0, 2.0, 0.0],
            &[3.0, 4.0, 2.0, 3.0, 1.0],
            &[1.0, 0.95, 0.92, 0.91, 0.5],
            &[f64::NAN, f64::NAN, 0.6],
            &[0.5, 0.4, 0.3],
        ];
        for curve in curves {
            for patience in 1..5 {
                for min_delta in [0.0, 0.1, 1.5] {
                    let (_, ran, _) = run("val/loss", Some(patience), min_delta, curve);
                    let rule = EarlyStopping { patience: Some(patience), min_delta };
                    let stops = stops_after(Monitor::parse("val/loss").unwrap(), &rule, curve);
                    assert_eq!(stops.map_or(curve.len(), |epoch| epoch as usize), ran, "{curve:?} {rule:?}");
                }
            }
        }
    }

    #[test]
    fn an_undefined_metric_never_wins_over_a_defined_one() {
        assert_eq!(run("val/macro_auc", None, 0.0, &[f64::NAN, 0.6, f64::NAN]), (Some(2), 3, 2.0));
        assert_eq!(run("val/macro_auc", Some(2), 0.0, &[f64::NAN, f64::NAN, 0.6]), (Some(1), 2, 1.0));
    }

    #[test]
    fn what_early_stopping_would_have_done_is_what_it_does() {
        let monitor = Monitor::parse("val/loss").unwrap();
        let curves: [&[f64]; 5] = [
            &[1.0, 0.9, 0.95, 0.96, 0.97, 0.98],
            &[1.0, 0.99, 0.98, 0.97, 0.96, 0.95],
            &[f64::NAN, 1.0, f64::NAN, 1.1, 0.5, 0.6],
            &[1.0, 1.1, 1.2, 0.2, 0.3, 0.4],
            &[],
        ];
        for curve in curves {
            for patience in 1..5 {
                for min_delta in [0.0, 0.05] {
                    let rule = EarlyStopping { patience: Some(patience), min_delta };
                    let mut reference = (f64::NAN, 0);
                    let mut ended = None;
                    // By hand: the epochs since the last one that was better by more than `min_delta`.
                    for (epoch, &loss) in (1u32..).zip(curve) {
                        let better =
                            !loss.is_nan() && (reference.0.is_nan() || loss < reference.0 - min_delta);
                        reference = if better { (loss, 0) } else { (reference.0, reference.1 + 1) };
                        if reference.1 >= patience {
                            ended = Some(epoch);
                            break;
                        }
                    }
                    assert_eq!(stops_after(monitor, &rule, curve), ended, "{curve:?} {patience} {min_delta}");
                }
            }
        }
        let none = EarlyStopping { patience: None, min_delta: 0.0 };
        assert_eq!(stops_after(monitor, &none, &[1.0, 2.0, 3.0]), None);
    }
}
