"""Everything that an MLflow 2 server has of a run, as JSON, read with MLflow's own client of that version; its artifacts go into
a folder.

    python interop/read_mlflow_2.py URI EXPERIMENT RUN FOLDER [REGISTERED MODEL] [ALIAS]
"""

import json
import sys

import mlflow

uri, experiment, name, folder, *registered = sys.argv[1:]
mlflow.set_tracking_uri(uri)
client = mlflow.MlflowClient()
experiment_id = client.get_experiment_by_name(experiment).experiment_id
(run,) = client.search_runs([experiment_id], f"attributes.run_name = '{name}'")
run_id = run.info.run_id
history = {tag: [(m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, tag)] for tag in run.data.metrics}
inputs = [{"context": i.tags[0].value, **dict(i.dataset)} for i in run.inputs.dataset_inputs]
client.download_artifacts(run_id, "", folder)
read = {
    "client": mlflow.__version__,
    "run_id": run_id,
    "status": run.info.status,
    "times": [run.info.start_time, run.info.end_time],
    "params": run.data.params,
    "tags": run.data.tags,
    "metrics": history,
    "inputs": inputs,
    "artifact_uri": run.info.artifact_uri,
}
if registered:
    version = client.get_model_version_by_alias(*registered)
    read["version"] = {"run_id": version.run_id, "source": version.source, "status": version.status}
    read["versions"] = len(client.search_model_versions(f"name='{registered[0]}'"))
print(json.dumps(read))
