//! The `[tracking]` section of a recipe.

use crate::recipe::Fault;
use pupila_trackers::mlflow::TrackingUri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is recorded of a run besides `metrics.jsonl`, where, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackingConfig {
    /// Write a TensorBoard event file into the run folder.
    pub tensorboard: bool,
    /// Write `report.html`, the run as one page, at its end.
    pub report: bool,
    /// Address of an MLflow server, such as `http://localhost:5000`; `off` sends nothing even where MLFLOW_TRACKING_URI
    /// is set. User and password may stand in it and are never written anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub mlflow: Option<TrackingUri>,
    /// MLflow's experiment; otherwise MLFLOW_EXPERIMENT_NAME, or `pupila`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// The run's name in MLflow; otherwise that of its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_name: Option<String>,
    /// Registered model in MLflow that the run's model becomes a new version of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// Alias that this version gets, such as `candidate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Notes on the run, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Loss and accuracy in training are recorded once in so many optimizer updates, as their mean; 0 for never.
    pub steps_every: u32,
    /// Histograms of all parameters and gradients are recorded once in so many epochs; 0 for never.
    pub histograms_every: u32,
    /// Images and precision-recall curves are recorded once in so many epochs; 0 for never.
    pub images_every: u32,
    /// Share of the training time, estimated from the sizes of network and data, that histograms, images and curves may take. From
    /// it follows that they are recorded every so many epochs. The first epoch's always are, and the last one's histograms,
    /// filters and maps; those of small networks every epoch.
    pub budget_frac: f64,
    /// Load and memory of the machine are recorded once in so many seconds of training, estimated from the sizes of network and
    /// data; 0 for never.
    pub system_every_s: f64,
    /// How long the end of a run waits for what is still to be sent, in seconds. What is left is for `pupila sync`.
    pub wait_s: f64,
}

impl Default for TrackingConfig {
    fn default() -> Self {
        TrackingConfig {
            tensorboard: true,
            report: true,
            mlflow: None,
            experiment: None,
            run_name: None,
            register: None,
            alias: None,
            notes: None,
            steps_every: 10,
            histograms_every: 1,
            images_every: 1,
            budget_frac: 0.015,
            system_every_s: 10.0,
            wait_s: 10.0,
        }
    }
}

/// Longest wait at the end of a run that makes sense, in seconds.
const MAX_WAIT_S: f64 = 3600.0;

impl TrackingConfig {
    /// Every wrong value.
    pub(crate) fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut refuse =
            |key: &str, message: String| faults.push(Fault::new(format!("tracking.{key}"), message));
        if let Some(message) = self.mlflow.as_ref().and_then(TrackingUri::check) {
            refuse("mlflow", message);
        }
        for (key, name) in [
            ("experiment", &self.experiment),
            ("run_name", &self.run_name),
            ("register", &self.register),
            ("alias", &self.alias),
        ] {
            if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
                refuse(key, "must be a name; leave it out for the default".into());
            }
        }
        if self.alias.is_some() && self.register.is_none() {
            refuse("alias", "needs tracking.register, the registered model that it is an alias in".into());
        }
        if !(self.budget_frac > 0.0 && self.budget_frac <= 1.0) {
            refuse("budget_frac", format!("must be above 0 and at most 1, got {}", self.budget_frac));
        }
        for (key, seconds) in [("system_every_s", self.system_every_s), ("wait_s", self.wait_s)] {
            if !(0.0..=MAX_WAIT_S).contains(&seconds) {
                refuse(key, format!("must be from 0 to {MAX_WAIT_S} seconds, got {seconds}"));
            }
        }
        faults
    }
}
