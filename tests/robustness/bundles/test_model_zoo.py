# SPDX-License-Identifier: Apache-2.0
"""Four bundles of the model zoo as they are, on small synthetic data; ``NLCEN_MODEL_ZOO`` names their folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tests.interpreter import Interpreter

from .conftest import OVERLAY, ROOT, config_files
from .zoo_data import WRITERS, train

ZOO = os.environ.get("NLCEN_MODEL_ZOO")


@pytest.mark.slow
@pytest.mark.skipif(not ZOO, reason="NLCEN_MODEL_ZOO names no folder with the model zoo's bundles")
@pytest.mark.parametrize("name", list(WRITERS))
def test_a_bundle_of_the_zoo(name: str, tmp_path: Path, interpreter: Interpreter) -> None:
    bundle, data, output = tmp_path / name, tmp_path / "data", tmp_path / "out"
    shutil.copytree(Path(str(ZOO)) / name, bundle)
    data.mkdir()
    WRITERS[name](data, bundle)
    train(bundle, data)
    weights = hashlib.sha256((bundle / "models" / "model.pt").read_bytes()).hexdigest()
    files = str([*config_files(bundle), str(OVERLAY)])
    options = ["--bundle_root", str(bundle), "--dataset_dir", f"{data}/", "--robustness_dir", str(output)]
    options += ["--device", "$torch.device('cpu')", "--validate#dataloader#num_workers", "0", "--budget", "quick"]
    if name == "endoscopic_tool_segmentation":
        # else an hour on a processor
        options += ["--train#deterministic_transforms#3#spatial_size", "[96,64]"]
    else:
        options += ["--validate#inferer#roi_size", "[32,32,32]"]
    program = interpreter.start_module("monai.bundle", ["run", "robustness", "--config_file", files, *options], ROOT)
    assert program.wait(3600) == 0, program.output
    assert hashlib.sha256((bundle / "models" / "model.pt").read_bytes()).hexdigest() == weights
    assert (output / "report.json").is_file() and not (bundle / "eval").exists()
