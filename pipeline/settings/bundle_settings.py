# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .kinds import DEVICE, NAME, SWITCH, Kind, list_of, number, one_of, or_null, text, whole

__all__ = ["SETTINGS", "Setting", "optional_settings"]


@dataclass(frozen=True)
class Setting:
    """What a setting of a bundle may be, and what it does, for ``--help``."""

    kind: Kind
    about: str


_MOST_SEED = 2**32 - 1  # what NumPy takes

# of all bundles and of the files that may be laid over them
SETTINGS: dict[str, Setting] = {
    "dataset_dir": Setting(text(), "folder or data list (JSON) of data_prep, or, for inferring, the pictures"),
    "output_dir": Setting(text(), "folder for runs or results"),
    "ckpt_dir": Setting(text(), "folder for the trained weights, model.pt"),
    "ckpt_path": Setting(text(), "file of weights to evaluate or infer with"),
    "export_dir": Setting(text(), "folder for the exported network"),
    "max_epochs": Setting(whole(least=1), "epochs of the training"),
    "batch_size": Setting(whole(least=1), "images in a batch"),
    "learning_rate": Setting(number(above=0), "at the start"),
    "average_momentum": Setting(
        or_null(number(above=0, most=1)),
        "keep a running average of the weights with this momentum; null: the last weights",
    ),
    "amp": Setting(SWITCH, "true: train in bfloat16, where that is faster (docs/your_data.md); false by default"),
    "seed": Setting(whole(least=0, most=_MOST_SEED), "of weights, order and augmentation"),
    "image_size": Setting(list_of(whole(least=32), 2, "[256,256]"), "rows and columns that the network takes"),
    "in_channels": Setting(one_of(1, 3), "1 for grey pictures, 3 for color"),
    "backbone": Setting(or_null(one_of("resnet18", "resnet50")), "of NLCEN"),
    "backbone_weights": Setting(or_null(text()), "file of torchvision-style weights for the backbone"),
    "nlce": Setting(SWITCH, "false: the network without NLCE"),
    "non_local": Setting(SWITCH, "false: NLCE without its non-local operation"),
    "context": Setting(SWITCH, "false: NLCE without its context encoding"),
    "sweep": Setting(SWITCH, "false: no attack"),
    "epsilons": Setting(
        list_of(number(above=0), example="[2.0,8.0]", empty=False), "intensities of the attack in grey levels"
    ),
    "budget": Setting(one_of("quick", "standard", "full"), "how many gradients the battery may spend"),
    "intensity_range": Setting(
        or_null(list_of(number(), 2, "[0.0,1.0]")), "values that are grey level 0 and 255; null: see docs/robustness.md"
    ),
    "defence_epsilon": Setting(number(above=0), "intensity of adversarial training in grey levels, at most"),
    "defence_losses": Setting(
        list_of(text(), example="['dice','shrink']", empty=False), "losses of adversarial training"
    ),
    "defence_steps": Setting(whole(least=1), "gradients of the attack on a batch in adversarial training"),
    "defence_ramp": Setting(whole(least=0), "epochs in which the intensity of adversarial training rises"),
    "robustness_dir": Setting(text(), "folder for the battery's report"),
    "panels": Setting(whole(least=0), "images to save under attack"),
    "device": Setting(DEVICE, "where the network runs"),
    "progress": Setting(SWITCH, "a progress bar on a terminal; false: lines, as elsewhere"),
    "original_names": Setting(SWITCH, "name results after DICOM files, whose names often are those of patients"),
    "tracking_uri": Setting(text(), "store or server of MLflow; the variable MLFLOW_TRACKING_URI wins"),
    "experiment_name": Setting(text(), "MLflow's experiment"),
    "run_name": Setting(or_null(text()), "what MLflow calls the run; null: network, data and seed"),
    "register": Setting(or_null(NAME), "register the trained network in MLflow by this name"),
    "variant": Setting(text(empty=True), "what reports add to the network's name"),
    "initial_weights": Setting(or_null(text()), "weights that an ablation starts from"),
    "surrogate_weights": Setting(text(), "weights of the network that a transferred attack is made on"),
    "surrogate_nlce": Setting(SWITCH, "false: that network without NLCE"),
    "surrogate_backbone": Setting(one_of("resnet18", "resnet50"), "of that network"),
}


def optional_settings(config: Iterable[str]) -> dict[str, Any]:
    """Return the settings that a configuration with these keys may leave out, with what it means then."""
    return {"amp": False} if "train" in config else {}
