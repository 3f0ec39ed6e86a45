# SPDX-License-Identifier: Apache-2.0
"""The files for clusters and containers, as far as they can be checked without either."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "cluster").glob("*.sbatch"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_bash_and_say_how_to_call_them(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    called = subprocess.run(["bash", str(script)], capture_output=True, text=True, cwd=ROOT)
    assert called.returncode == 1
    assert f"usage: sbatch cluster/{script.name} " in called.stderr


def test_the_kubernetes_job_trains_with_files_that_exist() -> None:
    service, *_, job = yaml.safe_load_all((ROOT / "cluster" / "kubernetes_job.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    arguments = container["args"]
    files = ast.literal_eval(arguments[arguments.index("--config_file") + 1])
    assert all((ROOT / file).is_file() for file in files)
    # the pods find the first of them by the service's name
    name = job["metadata"]["name"]
    assert service["metadata"]["name"] == pod["subdomain"] == name
    assert service["spec"]["selector"] == {"job-name": name} and service["spec"]["clusterIP"] == "None"
    assert f"--rdzv_endpoint={name}-0.{name}:29500" in arguments
    assert f"--nnodes={job['spec']['completions']}" in arguments
    assert f"--nproc_per_node={container['resources']['limits']['nvidia.com/gpu']}" in arguments
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_the_kubernetes_job_asks_for_no_more_than_it_needs_and_brings_its_claims() -> None:
    documents = [*yaml.safe_load_all((ROOT / "cluster" / "kubernetes_job.yaml").read_text())]
    job = documents[-1]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert job["ttlSecondsAfterFinished"] > 0
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    assert requests.keys() == limits.keys() == {"cpu", "memory", "nvidia.com/gpu"}
    assert requests["nvidia.com/gpu"] == limits["nvidia.com/gpu"]  # Kubernetes refuses anything else
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    # credentials stand in no file, and an image that nobody has filled in is none
    assert container["envFrom"] == [{"secretRef": {"name": "nlcen-mlflow"}}] and "env" not in container
    assert container["image"] != container["image"].lower() and ":latest" not in container["image"]
    claims = {each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"}
    used = [each["persistentVolumeClaim"] for each in pod["volumes"] if "persistentVolumeClaim" in each]
    assert claims == {each["claimName"] for each in used} and len(claims) == 2


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_slurm_job_asks_for_memory_and_is_queued_again(script: Path) -> None:
    options = [line.removeprefix("#SBATCH ") for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    assert {"--mem=32G", "--requeue", "--open-mode=append"} <= {*options}


def test_compose_trains_with_and_without_gpus_into_a_folder_that_is_seen() -> None:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    services = compose["services"]
    assert {name: each.get("profiles") for name, each in services.items()} == {
        "mlflow": None,
        "training": ["gpu"],
        "training-cpu": ["cpu"],
    }
    assert "volumes" not in compose  # which Docker would hide
    for each in services.values():
        (output,) = (volume for volume in each["volumes"] if "target" in volume)
        assert (output["type"], output["target"]) == ("bind", "/output")
        assert (ROOT / "docker" / output["source"]).resolve() == ROOT / "output"
        assert each["restart"].partition(":")[0] == "on-failure"
    gpu, cpu = services["training"], services["training-cpu"]
    assert gpu["environment"]["PROCESSES"] == "${PROCESSES:-1}"
    assert cpu["environment"] == gpu["environment"] | {"DEVICE": "cpu"}
    assert "deploy" in gpu and "deploy" not in cpu


def test_the_image_leaves_the_tests_to_a_target_of_their_own() -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text()
    stages = {
        name or "": rest for name, rest in re.findall(r"^FROM \S+(?: AS (\w+))?\n(.*?)(?=^FROM |\Z)", text, re.M | re.S)
    }
    copied = {name: re.findall(r"^COPY (?!--from)(.+) \S+$", stage, re.M) for name, stage in stages.items()}
    assert copied["test"] == ["."] and copied[""] == []
    assert {*copied["program"]} == {"bundles", "data_prep", "docker/entrypoint.sh", "experiments", "pipeline"}
