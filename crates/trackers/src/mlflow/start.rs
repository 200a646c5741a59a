//! What a server is told when a run begins: experiment, run, tags, parameters and data.

use super::client::{ClientError, escaped};
use super::delivery::{Delivery, DeliveryError, plain};
use super::journal::milliseconds;
use serde_json::{Value, json};

/// Parameters, and tags, that MLflow takes in one request.
pub(super) const MAX_PARAMS: usize = 100;

/// An object's entries as MLflow takes parameters and tags.
pub(super) fn pairs(object: &Value) -> Vec<Value> {
    let object = object.as_object().into_iter().flatten();
    object.map(|(key, value)| json!({ "key": key, "value": plain(value) })).collect()
}

/// The name of a run's validation images: MLflow takes a data set as an input once, and one that differs in name is another.
pub(super) fn validation_name(data: &Value) -> String {
    format!("{} (val)", plain(&data["name"]))
}

impl Delivery {
    /// Finds or makes experiment and run, and tells what is known at the start. All of it may be repeated.
    pub(super) fn start(&mut self, line: &Value) -> Result<(), DeliveryError> {
        // Before the run is made, so that a crash behind that finds it by the mark.
        self.remember()?;
        let run = match self.ledger.run_id.clone() {
            Some(id) => self.client.get(&format!("mlflow/runs/get?run_id={}", escaped(&id)))?["run"].clone(),
            None => {
                let experiment = self.experiment()?;
                match self.marked(&experiment)? {
                    Some(run) => run,
                    None => self.create(&experiment, line)?,
                }
            }
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.ledger.run_id = Some(text(&run["info"]["run_id"]));
        self.ledger.experiment_id = Some(text(&run["info"]["experiment_id"]));
        self.ledger.artifact_uri = text(&run["info"]["artifact_uri"]);
        self.remember()?;
        let mut tags = pairs(&line["tags"]);
        tags.push(json!({ "key": "pupila.data.fingerprint", "value": line["data"]["fingerprint"] }));
        tags.push(json!({ "key": "pupila.classes", "value": plain(&line["classes"]) }));
        if let Some(notes) = line["recipe"]["tracking.notes"].as_str() {
            tags.push(json!({ "key": "mlflow.note.content", "value": notes }));
        }
        let mut params = pairs(&line["recipe"]);
        params.push(json!({ "key": "parameters", "value": plain(&line["parameters"]) }));
        for tags in tags.chunks(MAX_PARAMS) {
            self.client.post("mlflow/runs/log-batch", &json!({ "run_id": self.run_id(), "tags": tags }))?;
        }
        for params in params.chunks(MAX_PARAMS) {
            self.client
                .post("mlflow/runs/log-batch", &json!({ "run_id": self.run_id(), "params": params }))?;
        }
        Ok(self.data(line)?)
    }

    fn experiment(&self) -> Result<String, DeliveryError> {
        let name = &self.client.target().experiment;
        let found =
            self.client.get(&format!("mlflow/experiments/get-by-name?experiment_name={}", escaped(name)));
        match found {
            Ok(answer) if answer["experiment"]["lifecycle_stage"] == "deleted" => {
                Err(DeliveryError::Deleted(name.clone()))
            }
            Ok(answer) => Ok(answer["experiment"]["experiment_id"].as_str().unwrap_or_default().to_owned()),
            Err(error) if error.is_missing() => {
                let made = self.client.post("mlflow/experiments/create", &json!({ "name": name }));
                match made {
                    Ok(answer) => Ok(answer["experiment_id"].as_str().unwrap_or_default().to_owned()),
                    // Another run has made it in between: found at the next attempt.
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The run that an earlier attempt has made and whose answer was lost.
    fn marked(&self, experiment: &str) -> Result<Option<Value>, ClientError> {
        let filter = format!("tags.`pupila.mark` = '{}'", self.ledger.mark);
        let search = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 });
        let answer = self.client.post("mlflow/runs/search", &search)?;
        Ok(answer["runs"].get(0).cloned())
    }

    /// The run's name on the server.
    pub(super) fn run_name(&self, line: &Value) -> String {
        self.client.target().run_name.clone().unwrap_or_else(|| plain(&line["run"]))
    }

    fn create(&self, experiment: &str, line: &Value) -> Result<Value, ClientError> {
        let name = self.run_name(line);
        let user = line["tags"]["mlflow.user"].as_str().unwrap_or("unknown");
        let run = json!({
            "experiment_id": experiment, "run_name": name, "user_id": user, "start_time": milliseconds(line),
            "tags": [{ "key": "pupila.mark", "value": self.ledger.mark }],
        });
        Ok(self.client.post("mlflow/runs/create", &run)?["run"].clone())
    }

    /// The images as MLflow's data set inputs, one for training and one for validation.
    fn data(&self, line: &Value) -> Result<(), ClientError> {
        let data = &line["data"];
        let input = |context: &str, images: &Value| {
            json!({
                "tags": [{ "key": "mlflow.data.context", "value": context }],
                "dataset": {
                    "name": data["name"], "digest": data["fingerprint"], "source_type": "local",
                    "source": json!({ "uri": data["path"], "form": data["form"] }).to_string(),
                    "profile": json!({ "images": images, "classes": line["classes"] }).to_string(),
                },
            })
        };
        let mut inputs =
            vec![input("training", &line["train_images"]), input("validation", &line["val_images"])];
        inputs[1]["dataset"]["name"] = validation_name(data).into();
        let sent = self
            .client
            .post("mlflow/runs/log-inputs", &json!({ "run_id": self.run_id(), "datasets": inputs }));
        // Servers before 2.4 have no inputs.
        sent.map(|_| ()).or_else(|error| if error.is_missing() { Ok(()) } else { Err(error) })
    }
}
