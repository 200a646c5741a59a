//! What an `[optimizer]` section may say.
#![allow(clippy::unwrap_used)]

use pupila_engine::optimizer::{OptimizerEntry, REGISTRY};
use pupila_engine::{Optimizer, OptimizerConfig, OptimizerError};

fn named(name: &str) -> OptimizerConfig {
    OptimizerConfig { name: name.into(), ..OptimizerConfig::default() }
}

fn keys(config: &OptimizerConfig) -> Vec<&'static str> {
    config.check().into_iter().map(|error| error.key).collect()
}

fn error(key: &'static str, message: &str) -> OptimizerError {
    OptimizerError { key, message: message.into() }
}

/// Each key that a rule may use or not, with a value that is not the default; Nesterov's needs a second one.
fn changed(name: &str) -> [(&'static str, OptimizerConfig); 5] {
    let momentum = if name == "sgd" { 0.9 } else { 0.0 };
    [
        ("betas", OptimizerConfig { betas: [0.8, 0.95], ..named(name) }),
        ("eps", OptimizerConfig { eps: 1e-4, ..named(name) }),
        ("momentum", OptimizerConfig { momentum: 0.9, ..named(name) }),
        ("nesterov", OptimizerConfig { nesterov: true, momentum, ..named(name) }),
        ("alpha", OptimizerConfig { alpha: 0.9, ..named(name) }),
    ]
}

const MOMENTUM: &str = "is not used by `adam`, which uses betas, eps (its momentum is the first of betas); sgd and rmsprop use it: \
     type --set optimizer.name=sgd too, or leave it out";

#[test]
fn a_key_that_a_rule_does_not_use_is_refused_unless_it_is_the_default() {
    for entry in REGISTRY {
        let mut used = 0;
        for (key, config) in changed(entry.name) {
            let found = keys(&config);
            if entry.keys.contains(&key) {
                assert!(found.is_empty(), "{} uses {key}: {found:?}", entry.name);
                used += 1;
            } else {
                assert_eq!(found, [key], "{}", entry.name);
                assert_eq!(Optimizer::<f32>::new(&config, 1).unwrap_err(), config.check()[0]);
            }
        }
        assert_eq!(used, entry.keys.len(), "every key of {} is tried", entry.name);
    }
    let found = OptimizerConfig { nesterov: true, momentum: 0.9, ..named("adam") }.check();
    assert_eq!(found[0], error("momentum", MOMENTUM));
    assert_eq!(
        found[1].to_string(),
        "optimizer.nesterov: is not used by `adam`, which uses betas, eps; sgd uses it: type --set optimizer.name=sgd too, or leave it out"
    );
}

#[test]
fn all_keys_at_their_defaults_are_fine_for_every_rule() {
    for entry in REGISTRY {
        // As a run folder's recipe spells them out.
        let spelled_out = serde_json::to_string(&named(entry.name)).unwrap();
        assert_eq!(spelled_out.matches(':').count(), 9, "{spelled_out}");
        let config: OptimizerConfig = serde_json::from_str(&spelled_out).unwrap();
        assert!(config.check().is_empty(), "{}", entry.name);
        Optimizer::<f32>::new(&config, 1).unwrap();
        // What every rule uses.
        let config =
            OptimizerConfig { lr: 0.5, weight_decay: 0.1, decay_norm_and_bias: false, ..named(entry.name) };
        assert!(config.check().is_empty(), "{}", entry.name);
    }
}

#[test]
fn values_out_of_range_are_refused_once_and_all_together() {
    let wrong = OptimizerConfig {
        lr: 0.0,
        weight_decay: f64::NAN,
        eps: -1.0,
        betas: [0.9, 1.0],
        momentum: 5.0,
        ..named("adam")
    };
    let wanted = [
        error("momentum", MOMENTUM),
        error("lr", "must be a number above 0, got 0"),
        error("weight_decay", "must be a number at least 0, got NaN"),
        error("eps", "must be a number at least 0, got -1"),
        error("betas", "each must be at least 0 and below 1, got 1"),
    ];
    assert_eq!(wrong.check(), wanted);
    let lonely = OptimizerConfig { nesterov: true, ..named("sgd") };
    assert_eq!(lonely.check(), [error("nesterov", "needs optimizer.momentum above 0, such as 0.9")]);
    let fast = OptimizerConfig { momentum: 1.0, alpha: f64::INFINITY, ..named("rmsprop") };
    assert_eq!(keys(&fast), ["momentum", "alpha"]);
}

#[test]
fn a_name_that_is_not_known_is_refused_with_those_that_are() {
    let wanted = error("name", "there is no optimizer `adamm`; there are: adam, adamw, sgd, rmsprop");
    assert_eq!(named("adamm").check(), std::slice::from_ref(&wanted));
    assert_eq!(Optimizer::<f64>::new(&named("adamm"), 1).unwrap_err(), wanted);
    assert_eq!(OptimizerEntry::find("adamm").unwrap_err(), wanted);
}
