# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from monai.bundle import ConfigParser

from pipeline.transforms import datalist_fingerprint
from pipeline.utils import InputError
from pipeline.weights import read_weights

__all__ = ["TrainedRun", "read_trained_run"]

_SAME = ("image_size", "validate#attack")  # what the scores of a bundle mean


@dataclass(frozen=True)
class TrainedRun:
    """What a package says of the training that its weights come from.

    Attributes:
        weights: the file ``model.pt``.
        data: what the data list says of its pictures.
        pictures: their numbers, training and test.
        scores: mean DIC and JSC on the test pictures by ε in grey levels; ε = 0 is clean.
        epochs: how many were trained.
        commit: the code's, None if unknown.
        dirty: whether the code differed from the commit.
        phantoms: whether the pictures are phantoms.
        defence: the bundle's overlay by which it was trained to resist, such as ``configs/defence/mixed.json``, or "".
    """

    weights: Path
    data: str
    pictures: tuple[int, int]
    scores: dict[float, tuple[float, float]]
    epochs: int
    commit: str | None
    dirty: bool
    phantoms: bool
    defence: str


def read_trained_run(folder: Path, bundle: Path) -> TrainedRun:
    """Read a run folder that a finished ``training`` of ``bundle`` has left.

    Raises:
        InputError: if it is none, its weights are damaged or not finite, its network, size of pictures or attack is not
            the bundle's own, its variant is none of the bundle's defences, its data list is gone or has changed since,
            or does not say what its data is.
    """
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        with open(folder / "summary.csv", encoding="utf-8", newline="") as file:
            scores = {float(row["epsilon"]): (float(row["DIC"]), float(row["JSC"])) for row in csv.DictReader(file)}
    except OSError as error:
        raise InputError(
            f"{folder} is no folder of a finished training: {Path(str(error.filename)).name} is missing; name one, "
            "such as bundles/nlcen_jsrt/eval/training_<time>."
        ) from error
    weights = folder / "model.pt"
    if not weights.is_file():
        raise InputError(f"{folder} has no model.pt; name the folder of a training.")
    read_weights(weights)
    defences = {"": ""} | _defences(bundle)
    if result["network"] != "NLCEN" or result["variant"] not in defences:
        raise InputError(
            f"{folder} is a training of {result['network']} {result['variant']}".rstrip()
            + "; a bundle takes the weights of its own network, NLCEN as train.json has it, or trained by one of its "
            "defences."
        )
    used = ConfigParser(config)
    own = ConfigParser(ConfigParser.load_config_file(str(bundle / "configs" / "train.json")))
    for key in _SAME:
        if used[key] != own[key]:
            raise InputError(
                f"{folder} was run with {key} {used[key]}, which is {own[key]} in {bundle}; a bundle takes a "
                "training with its own."
            )
    datalist = Path(result["data"])
    if datalist_fingerprint(datalist) != result["data_fingerprint"]:
        raise InputError(f"The data of {datalist} has changed since the training {folder}; train anew.")
    content = json.loads(datalist.read_text(encoding="utf-8"))
    description = content.get("description")
    if not description:
        raise InputError(f"{datalist} does not say what its data is; prepare it with --description, and train anew.")
    return TrainedRun(
        weights=weights,
        data=description,
        pictures=(len(content["training"]), len(content["test"])),
        scores=scores,
        epochs=config["max_epochs"],
        commit=result["commit"],
        dirty=result["dirty"],
        phantoms="phantoms" in description,
        defence=defences[result["variant"]],
    )


def _defences(bundle: Path) -> dict[str, str]:
    """The overlays of adversarial training by the names of their variants."""
    overlays = sorted((bundle / "configs" / "defence").glob("*.json"))
    variants = {path.name: json.loads(path.read_text("utf-8")).get("variant") for path in overlays}
    return {variant: f"configs/defence/{name}" for name, variant in variants.items() if variant}
