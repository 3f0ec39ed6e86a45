# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Device, Function, Kind, ListOf, Name, Number, OneOf, OrNull, Switch, Text, Whole

__all__ = ["SETTINGS", "Setting"]


@dataclass(frozen=True)
class Setting:
    """What a setting of a bundle may be, and what it does, for ``--help``."""

    kind: Kind
    about: str


_MOST_SEED = 2**32 - 1  # what NumPy takes

# of all bundles and of the files that may be laid over them
SETTINGS: dict[str, Setting] = {
    "dataset_dir": Setting(Text(), "folder that data_prep has written, or, for inferring, the pictures"),
    "datalist": Setting(Text(), "the data list, JSON"),
    "output_dir": Setting(Text(), "folder for runs or results"),
    "ckpt_dir": Setting(Text(), "folder for the trained weights, model.pt"),
    "ckpt_path": Setting(Text(), "file of weights to evaluate or infer with"),
    "export_dir": Setting(Text(), "folder for the exported network"),
    "max_epochs": Setting(Whole(least=1), "epochs of the training"),
    "batch_size": Setting(Whole(least=1), "images in a batch"),
    "learning_rate": Setting(Number(above=0), "at the start"),
    "lowest_learning_rate": Setting(OrNull(Number(least=0)), "below which it is not reduced"),
    "learning_rate_factor": Setting(OrNull(Number(above=0, most=0.999)), "by which it is reduced on a plateau"),
    "weight_decay": Setting(Number(least=0), "of the optimizer"),
    "betas": Setting(OrNull(ListOf(Number(least=0, most=0.999999), 2, "[0.9,0.999]")), "of Adam"),
    "lr_scheduler_step": Setting(Function(), "what the scheduler is given after each epoch"),
    "momentum": Setting(Number(least=0, most=1), "of SGD"),
    "seed": Setting(Whole(least=0, most=_MOST_SEED), "of weights, order and augmentation"),
    "image_size": Setting(ListOf(Whole(least=32), 2, "[256,256]"), "rows and columns that the network takes"),
    "in_channels": Setting(OneOf((1, 3)), "1 for grey pictures, 3 for color"),
    "backbone": Setting(OrNull(OneOf(("resnet18", "resnet50"))), "of NLCEN"),
    "backbone_weights": Setting(OrNull(Text()), "file of torchvision-style weights for the backbone"),
    "nlce": Setting(Switch(), "false: the network without NLCE"),
    "non_local": Setting(Switch(), "false: NLCE without its non-local operation"),
    "context": Setting(Switch(), "false: NLCE without its context encoding"),
    "network_wise": Setting(Switch(), "train the parts of a network one after the other (NWCN)"),
    "sweep": Setting(Switch(), "false: no attack"),
    "epsilons": Setting(
        ListOf(Number(above=0), example="[2.0,8.0]", empty=False), "intensities of the attack in grey levels"
    ),
    "step": Setting(Number(above=0), "of one iteration of the attack in grey levels"),
    "value_range": Setting(
        OrNull(ListOf(Number(), 2, "[0.0,255.0]")), "grey levels that the attack keeps to; null: no limit"
    ),
    "panels": Setting(Whole(least=0), "images to save under attack"),
    "cache_rate": Setting(Number(least=0, most=1), "part of the data that is kept in memory"),
    "num_workers": Setting(Whole(least=0), "threads that fill the cache"),
    "device": Setting(Device(), "where the network runs"),
    "progress": Setting(Switch(), "a progress bar on a terminal; false: lines, as elsewhere"),
    "original_names": Setting(Switch(), "name results after DICOM files, whose names often are those of patients"),
    "tracking_uri": Setting(Text(), "store or server of MLflow; the variable MLFLOW_TRACKING_URI wins"),
    "experiment_name": Setting(Text(), "MLflow's experiment"),
    "run_name": Setting(OrNull(Text()), "what MLflow calls the run; null: network, data and seed"),
    "register": Setting(OrNull(Name()), "register the trained network in MLflow by this name"),
    "run_kind": Setting(Name(), "what run folders are called"),
    "variant": Setting(Text(empty=True), "what reports add to the network's name"),
    "network_name": Setting(Text(), "what reports call the network"),
    "initial_weights": Setting(OrNull(Text()), "weights that an ablation starts from"),
    "surrogate_weights": Setting(Text(), "weights of the network that a transferred attack is made on"),
    "surrogate_nlce": Setting(Switch(), "false: that network without NLCE"),
    "surrogate_backbone": Setting(OneOf(("resnet18", "resnet50")), "of that network"),
}
