//! What a server is told when a run begins: experiment, run, tags, parameters and data.

use super::client::{ClientError, escaped};
use super::delivery::{Delivery, DeliveryError, plain};
use pupila_run::{DataRecord, StartRecord};
use serde_json::{Value, json};

/// Parameters, and tags, that MLflow takes in one request.
pub(super) const MAX_PARAMS: usize = 100;

/// Names and values as MLflow takes parameters and tags.
pub(super) fn pairs<'a, V: Into<Value>>(entries: impl IntoIterator<Item = (&'a str, V)>) -> Vec<Value> {
    entries.into_iter().map(|(key, value)| json!({ "key": key, "value": plain(&value.into()) })).collect()
}

/// The recipe as MLflow's parameters.
pub(super) fn parameters(start: &StartRecord) -> Vec<Value> {
    pairs(start.recipe.iter().map(|(key, value)| (key.as_str(), value.clone())))
}

/// The run's tags as MLflow's.
pub(super) fn tags(start: &StartRecord) -> Vec<Value> {
    pairs(start.tags.iter().map(|(key, value)| (key, value.as_str())))
}

/// The name of a run's validation images: MLflow takes a data set as an input once, and one that differs in name is another.
pub(super) fn validation_name(data: &DataRecord) -> String {
    format!("{} (val)", data.name)
}

impl Delivery {
    /// Finds or makes experiment, parent and run, and tells what is known at the start. All of it may be repeated.
    pub(super) fn start(&mut self, start: &StartRecord) -> Result<(), DeliveryError> {
        let parent = self.parent(start)?;
        self.begin(start)?;
        self.describe(start, parent.as_deref())
    }

    /// Finds or makes experiment and run, of whatever folder this reads the ledger; false where somebody has.
    pub(super) fn begin(&mut self, start: &StartRecord) -> Result<bool, DeliveryError> {
        let _turn = self.take_turn()?;
        // Known together with the run's id. Nothing is written then: the ledger belongs to whoever sends the folder's lines.
        if self.ledger.experiment_id.is_some() {
            return Ok(false);
        }
        // Runs of a group cannot all be written into the run that the environment names, which is their parent.
        let given = self.client.target().run_id.clone().filter(|_| start.group.is_none());
        // Before the run is made, so that a crash behind that finds it by the mark.
        self.remember()?;
        let run = match self.ledger.run_id.clone().or(given) {
            Some(id) => self.client.get(&format!("mlflow/runs/get?run_id={}", escaped(&id)))?["run"].clone(),
            None => {
                let experiment = self.experiment()?;
                match self.marked(&experiment)? {
                    Some(run) => run,
                    None => self.create(&experiment, start)?,
                }
            }
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.ledger.run_id = Some(text(&run["info"]["run_id"]));
        self.ledger.experiment_id = Some(text(&run["info"]["experiment_id"]));
        self.ledger.artifact_uri = text(&run["info"]["artifact_uri"]);
        self.remember()?;
        Ok(true)
    }

    /// Tells what is known at the start.
    pub(super) fn describe(
        &mut self,
        start: &StartRecord,
        parent: Option<&str>,
    ) -> Result<(), DeliveryError> {
        let mut tags = tags(start);
        let mut tag = |key: &str, value: &str| tags.push(json!({ "key": key, "value": value }));
        if let Some(group) = &start.group {
            tag("pupila.study", &group.name);
            tag("pupila.variant", &group.member);
        }
        if let Some(parent) = parent {
            tag("mlflow.parentRunId", parent);
        }
        if !start.data.fingerprint.is_empty() {
            tag("pupila.data.fingerprint", &start.data.fingerprint);
        }
        if !start.classes.is_empty() {
            tag("pupila.classes", &plain(&json!(start.classes)));
        }
        if let Some(notes) = start.recipe.get("tracking.notes").and_then(Value::as_str) {
            tag("mlflow.note.content", notes);
        }
        let mut params = parameters(start);
        if start.has_network() {
            params.push(json!({ "key": "parameters", "value": start.parameters.to_string() }));
        }
        for tags in tags.chunks(MAX_PARAMS) {
            self.client.post("mlflow/runs/log-batch", &json!({ "run_id": self.run_id(), "tags": tags }))?;
        }
        for params in params.chunks(MAX_PARAMS) {
            self.client
                .post("mlflow/runs/log-batch", &json!({ "run_id": self.run_id(), "params": params }))?;
        }
        // A group's own record may leave that to its runs.
        if start.data.fingerprint.is_empty() { Ok(()) } else { Ok(self.data(start)?) }
    }

    fn experiment(&self) -> Result<String, DeliveryError> {
        let name = &self.client.target().experiment;
        if let Some(found) = self.experiment_by_name()? {
            return Ok(found);
        }
        match self.client.post("mlflow/experiments/create", &json!({ "name": name })) {
            Ok(answer) => Ok(answer["experiment_id"].as_str().unwrap_or_default().to_owned()),
            // Another run has made it in between.
            Err(error) => self.experiment_by_name()?.ok_or_else(|| error.into()),
        }
    }

    /// The id of the experiment of the target's name; none where the server has none.
    fn experiment_by_name(&self) -> Result<Option<String>, DeliveryError> {
        let name = &self.client.target().experiment;
        let path = format!("mlflow/experiments/get-by-name?experiment_name={}", escaped(name));
        match self.client.get(&path) {
            Ok(answer) if answer["experiment"]["lifecycle_stage"] == "deleted" => {
                Err(DeliveryError::Deleted(name.clone()))
            }
            Ok(answer) => {
                Ok(Some(answer["experiment"]["experiment_id"].as_str().unwrap_or_default().to_owned()))
            }
            Err(error) if error.is_missing() => Ok(None),
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

    /// The id of this ledger's run, also where the answer to its creation was lost; none where there is none.
    pub(super) fn known_run(&self) -> Result<Option<String>, DeliveryError> {
        if let Some(id) = &self.ledger.run_id {
            return Ok(Some(id.clone()));
        }
        let Some(experiment) = self.experiment_by_name()? else { return Ok(None) };
        let run = self.marked(&experiment)?;
        Ok(run.and_then(|run| run["info"]["run_id"].as_str().map(str::to_owned)))
    }

    /// The run's name on the server.
    pub(super) fn run_name(&self, start: &StartRecord) -> String {
        self.client.target().run_name.clone().unwrap_or_else(|| start.run.clone())
    }

    fn create(&self, experiment: &str, start: &StartRecord) -> Result<Value, ClientError> {
        let name = self.run_name(start);
        let user = start.tags.get("mlflow.user").map_or("unknown", String::as_str);
        let run = json!({
            "experiment_id": experiment, "run_name": name, "user_id": user, "start_time": (start.time * 1000.0) as i64,
            "tags": [{ "key": "pupila.mark", "value": self.ledger.mark }],
        });
        Ok(self.client.post("mlflow/runs/create", &run)?["run"].clone())
    }

    /// The images as MLflow's data set inputs, one for training and one for validation.
    fn data(&self, start: &StartRecord) -> Result<(), ClientError> {
        let data = &start.data;
        let input = |context: &str, images: usize| {
            json!({
                "tags": [{ "key": "mlflow.data.context", "value": context }],
                "dataset": {
                    "name": data.name, "digest": data.fingerprint, "source_type": "local",
                    "source": json!({ "uri": data.path, "form": data.form }).to_string(),
                    "profile": json!({ "images": images, "classes": start.classes }).to_string(),
                },
            })
        };
        let mut inputs = vec![input("training", start.train_images), input("validation", start.val_images)];
        inputs[1]["dataset"]["name"] = validation_name(data).into();
        let sent = self
            .client
            .post("mlflow/runs/log-inputs", &json!({ "run_id": self.run_id(), "datasets": inputs }));
        // Servers before 2.4 have no inputs.
        sent.map(|_| ()).or_else(|error| if error.is_missing() { Ok(()) } else { Err(error) })
    }
}
