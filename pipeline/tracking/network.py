# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from monai.networks.utils import eval_mode

from pipeline.settings.structure import needed_by
from pipeline.utils import atomic_path
from pipeline.weights import bare_network, safetensors_bytes

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["log_network", "save_network"]

_PACKAGE = Path(__file__).parents[1]
_NEEDED = ("torch", "monai", "pytorch-ignite", "numpy", "safetensors", "tqdm")
_WEIGHTS, _CONFIG = "model.safetensors", "network.json"


def save_network(
    folder: Path, network: torch.nn.Module, config: Mapping[str, Any], shape: Sequence[int]
) -> dict[str, Any]:
    """Write the weights of a network, and the part of the merged configuration that makes it, ``network_def``.

    Returns:
        The ``shape`` of a picture that it takes, channels first, and the number of ``classes``.
    """
    bare = bare_network(network)
    with eval_mode(bare):
        output = bare(torch.zeros(1, *shape, device=next(bare.parameters()).device))
    with atomic_path(folder / _WEIGHTS) as file:
        file.write_bytes(safetensors_bytes(bare, {}))
    with atomic_path(folder / _CONFIG) as file:
        file.write_text(json.dumps(_network_config(config), indent=4) + "\n")
    return {"shape": list(shape), "classes": output.shape[1]}


def log_network(client: MlflowClient, run_id: str, folder: Path, what: Mapping[str, Any]) -> None:
    """Log and register, unless this has been done, what ``save_network`` has written and returned, by its ``name``."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    if client.search_model_versions(f"name = '{what['name']}' and run_id = '{run_id}'"):
        return
    for name in (_WEIGHTS, _CONFIG):
        (folder / name).open("rb").close()  # MLflow's error for a file that is gone would be one of the store
    channels, *size = what["shape"]
    number = np.dtype(np.float32)
    # MLflow finds the store by its global address only, and leaves that in the environment
    variable = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        with mlflow.start_run(run_id=run_id):
            mlflow.pyfunc.log_model(
                name="network",
                registered_model_name=what["name"],
                python_model=str(Path(__file__).with_name("registered_network.py")),
                artifacts={"weights": str(folder / _WEIGHTS), "config": str(folder / _CONFIG)},
                code_paths=[str(_PACKAGE)],
                signature=ModelSignature(
                    Schema([TensorSpec(number, (-1, channels, -1, -1))]),
                    Schema([TensorSpec(number, (-1, what["classes"], -1, -1))]),
                ),
                input_example=np.full((1, channels, *size), 0.5, number),
                pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in _NEEDED],
            )
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        if variable is not None:
            os.environ["MLFLOW_TRACKING_URI"] = variable


def _network_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """``network_def`` and all that it refers to, with the imports of both."""
    found = needed_by(config, "network_def")
    if "backbone_weights" in found:
        found["backbone_weights"] = None  # a file of where it was trained
    text = json.dumps(found)
    imports = [line for line in config["imports"] if re.search(rf"\b{re.escape(line.split()[-1])}\b", text)]
    return {"imports": imports, **found}
