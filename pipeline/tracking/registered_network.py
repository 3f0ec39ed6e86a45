# SPDX-License-Identifier: Apache-2.0

"""The code from which MLflow makes a registered network: pictures (B, C, H, W) in [0, 1] to logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
from monai.bundle import ConfigParser

from pipeline.weights import load_network


class RegisteredNetwork(PythonModel):
    """A network that is built from its configuration and has its weights from a safetensors file."""

    def load_context(self, context: Any) -> None:
        config = json.loads(Path(context.artifacts["config"]).read_text())
        network = ConfigParser(config).get_parsed_content("network_def")
        self.network = load_network(network, context.artifacts["weights"]).eval()

    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> np.ndarray:
        with torch.no_grad():
            return self.network(torch.from_numpy(model_input)).numpy()


set_model(RegisteredNetwork())
