//! The run's model: a logged model (MLflow 3), or artifacts of the run below `model/` (MLflow 2), and on request a version
//! of a registered model.

use super::client::{ClientError, escaped};
use super::delivery::{Delivery, DeliveryError, plain, proxied};
use super::start::{MAX_PARAMS, parameters, tags, validation_name};
use serde_json::{Value, json};

/// Sends the model of a `model` line. All of it may be repeated.
pub(super) fn send(
    delivery: &mut Delivery,
    path: &str,
    step: u64,
    time_ms: i64,
) -> Result<(), DeliveryError> {
    // Votes of neighbours are in no file, and a model may have been deleted.
    if !delivery.folder.join(path).is_file() {
        delivery.ledger.skipped.push(format!("{path}: there is no such file"));
        return Ok(());
    }
    let logged = logged_model(delivery)?;
    let root = match &logged {
        Some(model) => plain(&model["info"]["artifact_uri"]),
        None => format!("{}/model", delivery.ledger.artifact_uri),
    };
    delivery.put(&root, path, path)?;
    if let Some(place) = proxied(&root) {
        let model_id = delivery.ledger.model_id.clone();
        let text = ml_model(path, &delivery.run_id(), model_id.as_deref(), time_ms);
        delivery.client.put_text(&format!("{place}/MLmodel"), &text)?;
    }
    if let Some(id) = delivery.ledger.model_id.clone() {
        let ready = json!({ "model_id": id, "status": "LOGGED_MODEL_READY" });
        delivery.client.patch(&format!("mlflow/logged-models/{}", escaped(&id)), &ready)?;
        tell_output(delivery, &id, step)?;
    }
    Ok(register(delivery, &root)?)
}

/// Makes the model an output of the run. Told twice, MLflow's database refuses it, so it is asked first: an earlier attempt may have come
/// so far and not have been noted.
fn tell_output(delivery: &Delivery, model: &str, step: u64) -> Result<(), ClientError> {
    let (client, run_id) = (&delivery.client, delivery.run_id());
    let run = client.get(&format!("mlflow/runs/get?run_id={}", escaped(&run_id)))?;
    let told = run["run"]["outputs"]["model_outputs"].as_array();
    if !told.is_some_and(|outputs| outputs.iter().any(|output| output["model_id"] == model)) {
        let models = json!([{ "model_id": model, "step": step }]);
        client.post("mlflow/runs/outputs", &json!({ "run_id": run_id, "models": models }))?;
    }
    Ok(())
}

/// Makes the metrics of the result those of the logged model too, so that its page shows them; a server without logged models
/// gets them as they are.
pub(super) fn claim(delivery: &mut Delivery, metrics: &mut [Value]) -> Result<(), DeliveryError> {
    let start = delivery.first_line()?;
    // The result of a group is of no model.
    if !start.has_network() || logged_model(delivery)?.is_none() {
        return Ok(());
    }
    let id = delivery.ledger.model_id.clone();
    for metric in metrics {
        metric["model_id"] = json!(id);
        metric["dataset_name"] = validation_name(&start.data).into();
        metric["dataset_digest"] = start.data.fingerprint.clone().into();
    }
    Ok(())
}

/// The logged model of this run, made where it isn't there yet; none where the server has no such thing.
fn logged_model(delivery: &mut Delivery) -> Result<Option<Value>, DeliveryError> {
    let known = delivery.ledger.model_id.clone();
    let model = match known {
        Some(id) => delivery.client.get(&format!("mlflow/logged-models/{}", escaped(&id)))?["model"].clone(),
        None => {
            let experiment = delivery.ledger.experiment_id.clone().unwrap_or_default();
            let run_id = delivery.run_id();
            // An earlier attempt may have made it and lost the answer.
            let search =
                json!({ "experiment_ids": [experiment], "filter": format!("source_run_id = '{run_id}'") });
            let found = match delivery.client.post("mlflow/logged-models/search", &search) {
                Ok(answer) => answer["models"].get(0).cloned(),
                Err(error) if error.is_missing() => {
                    delivery.ledger.without_logged_models = true;
                    delivery.remember()?;
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
            match found {
                Some(model) => model,
                None => {
                    let start = delivery.first_line()?;
                    let mut params = parameters(&start);
                    params.truncate(MAX_PARAMS);
                    let new = json!({
                        "experiment_id": experiment, "name": model_name(&delivery.run_name(&start)),
                        "model_type": "image classifier", "source_run_id": run_id, "params": params,
                        "tags": tags(&start),
                    });
                    delivery.client.post("mlflow/logged-models", &new)?["model"].clone()
                }
            }
        }
    };
    delivery.ledger.model_id = model["info"]["model_id"].as_str().map(str::to_owned);
    delivery.remember()?;
    Ok(Some(model))
}

/// Registers a model that was sent before, where the target asks for that.
pub(super) fn register_sent(delivery: &Delivery) -> Result<(), ClientError> {
    register(delivery, &format!("{}/model", delivery.ledger.artifact_uri))
}

/// Makes the model a new version of a registered model, with an alias, where the target asks for that.
fn register(delivery: &Delivery, root: &str) -> Result<(), ClientError> {
    let (client, target) = (&delivery.client, delivery.client.target());
    let Some(name) = &target.register else { return Ok(()) };
    match client.post("mlflow/registered-models/create", &json!({ "name": name })) {
        Err(ClientError::Refused { code, .. }) if code == "RESOURCE_ALREADY_EXISTS" => {}
        other => {
            other?;
        }
    }
    let run_id = delivery.run_id();
    let filter = escaped(&format!("name = '{}' and run_id = '{run_id}'", name.replace('\'', "''")));
    let found = client.get(&format!("mlflow/model-versions/search?filter={filter}"))?;
    let version = match found["model_versions"].get(0) {
        Some(version) => version["version"].clone(),
        None => {
            let source =
                delivery.ledger.model_id.as_ref().map_or(root.to_owned(), |id| format!("models:/{id}"));
            let mut new = json!({ "name": name, "source": source, "run_id": run_id });
            if let Some(id) = &delivery.ledger.model_id {
                new["model_id"] = id.clone().into();
            }
            client.post("mlflow/model-versions/create", &new)?["model_version"]["version"].clone()
        }
    };
    if let Some(alias) = &target.alias {
        let alias = json!({ "name": name, "alias": alias, "version": plain(&version) });
        client.post("mlflow/registered-models/alias", &alias)?;
    }
    Ok(())
}

/// A run's name as the name of its model, in which MLflow allows less.
fn model_name(run: &str) -> String {
    let name: String = run.chars().map(|c| if "/:.%\"'".contains(c) { '_' } else { c }).collect();
    if name.is_empty() { "model".into() } else { name }
}

/// The description that MLflow expects beside a model's files, in YAML.
fn ml_model(path: &str, run_id: &str, model_id: Option<&str>, made_ms: i64) -> String {
    let model_id = model_id.map_or_else(String::new, |id| format!("model_id: {id}\n"));
    format!(
        "flavors:\n  pupila:\n    data: {path}\n    version: {}\n{model_id}run_id: {run_id}\n\
         metadata:\n  made_at_ms: {made_ms}\n",
        env!("CARGO_PKG_VERSION")
    )
}
