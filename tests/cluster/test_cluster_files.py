# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import ast
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
    service, job = yaml.safe_load_all((ROOT / "cluster" / "kubernetes_job.yaml").read_text())
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
