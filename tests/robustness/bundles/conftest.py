# SPDX-License-Identifier: Apache-2.0
"""Small bundles in the model zoo's manner, with random weights."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.networks.nets import UNet

ROOT = Path(__file__).parents[3]
OVERLAY = ROOT / "bundles" / "robustness.json"
Run = Callable[..., dict[str, Any]]

_SCRIPT = """
import torch
from torch import nn


class ColorNetwork(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 1))
"""


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A bundle changes the hook of exceptions and the paths of imports, and imports its own ``scripts``."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "scripts"]:
        del sys.modules[name]


def evaluator(postprocessing: list[dict[str, Any]]) -> dict[str, Any]:
    """What stands behind the data under ``validate``: with handlers that write into the bundle, as the zoo has them."""
    return {
        "postprocessing": {"_target_": "Compose", "transforms": postprocessing},
        "handlers": [
            {"_target_": "TensorBoardStatsHandler", "log_dir": "@output_dir"},
            {
                "_target_": "CheckpointSaver",
                "save_dir": "@ckpt_dir",
                "save_dict": {"model": "@network"},
                "save_key_metric": True,
                "key_metric_filename": "model.pt",
            },
        ],
        "key_metric": {
            "val_mean_dice": {
                "_target_": "MeanDice",
                "include_background": False,
                "output_transform": "$monai.handlers.from_engine(['pred', 'label'])",
            }
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@validate#dataloader",
            "network": "@network",
            "inferer": "@validate#inferer",
            "postprocessing": "@validate#postprocessing",
            "key_val_metric": "@validate#key_metric",
            "val_handlers": "@validate#handlers",
            "amp": True,
        },
    }


def datasets(pattern: str, tests: int) -> dict[str, Any]:
    items = "$[{{'image': i, 'label': i.replace('image', 'label')}} for i in @images[{}]]"
    return {
        "train": {"dataset": {"_target_": "Dataset", "data": items.format(f":-{tests}"), "transform": "@transforms"}},
        "validate": {
            "preprocessing": "@transforms",
            "dataset": {"_target_": "Dataset", "data": items.format(f"-{tests}:"), "transform": "@transforms"},
            "dataloader": {"_target_": "DataLoader", "dataset": "@validate#dataset", "batch_size": 1},
        },
        "images": f"$sorted(glob.glob(@dataset_dir + '/{pattern}'))",
    }


COMMON = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "ckpt_dir": "$@bundle_root + '/models'",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": "/nowhere",
    "device": "$torch.device('cpu')",
}
BOTH = ["image", "label"]


def write_bundle(folder: Path, train: dict[str, Any], network: torch.nn.Module) -> None:
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "train.json").write_text(json.dumps(train))
    torch.save(network.state_dict(), folder / "models" / "model.pt")


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Volumes in HU, two classes by softmax, sliding windows, and an ``evaluate.json``; data in ``data``."""
    folder = tmp_path_factory.mktemp("volumes")
    torch.manual_seed(0)
    parts = datasets("image*.nii.gz", 2)
    shape = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}
    train = COMMON | {
        "network_def": {"_target_": "UNet", **shape},
        "network": "$@network_def.to(@device)",
        "transforms": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": BOTH},
                {"_target_": "EnsureChannelFirstd", "keys": BOTH},
                {
                    "_target_": "ScaleIntensityRanged",
                    "keys": "image",
                    "a_min": -100,
                    "a_max": 200,
                    "b_min": 0,
                    "b_max": 1,
                    "clip": True,
                },
            ],
        },
        **parts,
    }
    train["validate"] |= evaluator([{"_target_": "AsDiscreted", "keys": BOTH, "argmax": [True, False], "to_onehot": 2}])
    train["validate"]["inferer"] = {
        "_target_": "SlidingWindowInferer",
        "roi_size": [12, 12, 8],
        "sw_batch_size": 2,
        "overlap": 0.5,
    }
    write_bundle(folder, train, UNet(**shape))
    evaluate = {
        "validate#postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@validate#preprocessing",
                    "orig_keys": "image",
                },
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "validate#handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@ckpt_dir + '/model.pt'",
                "load_dict": {"model": "@network"},
            },
            {"_target_": "MetricsSaver", "save_dir": "@output_dir", "metrics": "*"},
        ],
        "run": ["$@validate#evaluator.run()"],
    }
    (folder / "configs" / "evaluate.json").write_text(json.dumps(evaluate))
    (folder / "data").mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        label = np.zeros((12, 12, 12), np.uint8)
        label[3 : 7 + index, 2:9, 3:10] = 1
        values = (200 * label + random.normal(0, 30, label.shape)).astype(np.int16)
        for name, array in (("image", values), ("label", label)):
            nib.save(nib.Nifti1Image(array, np.eye(4)), folder / "data" / f"{name}{index}.nii.gz")
    return folder


@pytest.fixture(scope="session")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Color pictures, two labels that overlap, by a sigmoid; a ``scripts`` package, and no ``evaluate.json``."""
    folder = tmp_path_factory.mktemp("colors")
    torch.manual_seed(0)
    train = COMMON | {
        "network": {"_target_": "scripts.networks.ColorNetwork"},
        "transforms": {"_target_": "LoadImaged", "keys": BOTH},
        **datasets("image*.npy", 2),
    }
    train["validate"] |= evaluator(
        [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        ]
    )
    train["validate"]["inferer"] = {"_target_": "SimpleInferer"}
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(4, 2, 1))
    write_bundle(folder, train, network)
    (folder / "scripts").mkdir()
    (folder / "scripts" / "__init__.py").touch()
    (folder / "scripts" / "networks.py").write_text(_SCRIPT)
    (folder / "data").mkdir()
    random = np.random.default_rng(0)
    for index in range(3):
        label = np.zeros((2, 16, 20), np.uint8)
        label[0, 3:11, 4 : 14 + index], label[1, 6:13, 8:16] = 1, 1
        image = np.concatenate([label, label[:1]]) + random.normal(0, 0.5, (3, 16, 20))
        np.save(folder / "data" / f"image{index}.npy", image.astype(np.float32))
        np.save(folder / "data" / f"label{index}.npy", label)
    return folder


@pytest.fixture
def run() -> Run:
    """Lay the battery over a bundle, in this process, and return ``report.json``."""

    def run_(bundle: Path, output: Path, *more: Path | str, **settings: Any) -> dict[str, Any]:
        files = [*config_files(bundle), *map(str, more), str(OVERLAY)]
        own = {
            "bundle_root": str(bundle),
            "dataset_dir": str(bundle / "data"),
            "budget": "quick",
            "epsilons": [2.0, 32.0],
            "robustness_dir": str(output),
            "robustness_assessment#progress": False,
        }
        workflow = ConfigWorkflow(
            config_file=files, workflow_type="train", run_id="robustness", logging_file=False, **own | settings
        )
        workflow.initialize()
        workflow.run()
        return json.loads((output / "report.json").read_text())

    return run_


def config_files(bundle: Path) -> list[str]:
    files = [bundle / "configs" / name for name in ("train.json", "evaluate.json")]
    return [str(file) for file in files if file.is_file()]


def contents(bundle: Path) -> dict[str, str]:
    """The SHA-256 of each file of a bundle, without what Python compiles."""
    files = [file for file in sorted(bundle.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    return {str(file.relative_to(bundle)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
