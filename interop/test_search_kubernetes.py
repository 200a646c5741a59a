"""The Kubernetes manifests of docs/cluster.md: against Kubernetes' schema, and their command run by the real binary on a PostgreSQL."""

import json
import os
import subprocess

import kubernetes_validate
import pytest
import yaml
from conftest import PUPILA, ROOT, SKIN
from postgres_server import Postgres

FOLDER = ROOT / "docs/cluster"
VERSIONS = ["1.29", "1.37"]
SPACE = """
[space]
"optimizer.lr" = { float = [1e-4, 1e-1], log = true }
"""


def manifest(name):
    (document,) = yaml.safe_load_all((FOLDER / name).read_text())
    return document


def container(name):
    (only,) = manifest(name)["spec"]["template"]["spec"]["containers"]
    return only


@pytest.fixture
def postgres():
    server = Postgres()
    yield server
    server.stop()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["search.yaml", "search-score.yaml"])
def test_kubernetes_takes_it(name, version):
    document = manifest(name)
    kubernetes_validate.validate(document, version, strict=True)
    document["spec"]["paralelism"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", ["search.yaml", "search-score.yaml"])
def test_mounts_are_of_volumes_and_the_password_of_a_secret(name):
    template = manifest(name)["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in template["volumes"]}
    (only,) = template["containers"]
    assert {mount["name"] for mount in only["volumeMounts"]} == volumes
    (password,) = [variable for variable in only["env"] if variable["name"] == "PGPASSWORD"]
    assert password["valueFrom"]["secretKeyRef"] == {"name": "pupila-postgres", "key": "password"} and "value" not in password
    assert ":" not in only["args"][only["args"].index("--storage") + 1].split("://")[1].split("@")[0]


def test_the_two_differ_in_seeds_alone():
    workers, score = container("search.yaml"), container("search-score.yaml")
    differs = [pair for pair in zip(workers["args"], score["args"], strict=True) if pair[0] != pair[1]]
    assert differs == [("0", "5")]
    assert {**workers, "args": None} == {**score, "args": None}


def test_their_commands_run(postgres, tmp_path):
    space = tmp_path / "space.toml"
    space.write_text(SPACE)
    address = postgres.database(with_password=False)
    places = {
        "/data/skin": str(SKIN),
        "/space/space.toml": str(space),
        "/runs": str(tmp_path / "runs"),
        "postgresql://pupila@postgres:5432/pupila": address,
        "1000": "3",
        "5": "2",
    }
    environment = os.environ | {"PUPILA_CACHE_DIR": str(tmp_path / "cache"), "PUPILA_STATE_DIR": str(tmp_path / "state")}
    assert places.keys() - {"5"} <= set(container("search.yaml")["args"])

    def run(name, **more):
        arguments = [places.get(argument, argument) for argument in container(name)["args"]]
        command = [PUPILA, *arguments, "--size", "16", "--epochs", "1", "--json"]
        return subprocess.run(command, env=environment | more, capture_output=True, text=True)

    refused = run("search.yaml")
    assert refused.returncode != 0 and "password" in refused.stderr
    done = run("search.yaml", PGPASSWORD=postgres.PASSWORD)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["trials"]["complete"] + found["trials"]["pruned"] == 3 and found["honest"] is None
    done = run("search-score.yaml", PGPASSWORD=postgres.PASSWORD)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["trials"]["complete"] + found["trials"]["pruned"] == 3 and len(found["honest"]["seeds"]) == 2
