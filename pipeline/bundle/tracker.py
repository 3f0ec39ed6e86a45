# SPDX-License-Identifier: Apache-2.0
"""Opens the folder and the tracker of a run, which are described by the settings themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.attacks import attack_identity
from pipeline.runs import IGNORED_KEYS, open_run
from pipeline.settings import merged_config, network_name, run_title, running_parser
from pipeline.settings.bundle_settings import SETTINGS
from pipeline.settings.structure import needed_by, referenced_paths
from pipeline.tracking import Tracker, check_store
from pipeline.transforms import data_name, datalist_digests, datalist_file
from pipeline.weights import fingerprint_network

__all__ = ["open_tracker"]


def open_tracker(
    output_dir: str | os.PathLike[str],
    kind: str,
    tracking_uri: str,
    experiment_name: str,
    run_name: str | None = None,
    weights: Sequence[nn.Module] = (),
) -> Tracker:
    """Open the folder of a run, or that of an interrupted one which is the same, and make its tracker.

    What is logged follows from the merged configuration: each setting that changes the result, those of the network
    under ``network_params``, and all plain values of loss, optimizer, scheduler and attack. Make it as a component of
    a bundle.

    Args:
        output_dir: folder of all runs.
        kind: what the run does, such as ``"training"``.
        tracking_uri: MLflow's store.
        experiment_name: MLflow's experiment.
        run_name: what MLflow calls the run; network, data and seed if None.
        weights: networks whose weights come from files: with other weights it is another run.

    Raises:
        InputError: if the store does not answer, or the folder cannot be written.

    Example:
        ``"tracker": {"_target_": "pipeline.bundle.open_tracker", "kind": "training", ...}``
    """
    check_store(tracking_uri, experiment_name)
    config = merged_config()
    get = running_parser("open_tracker").get_parsed_content
    file = datalist_file(get("dataset_dir"))
    digests, name, title = datalist_digests(file), data_name(file), run_title()
    content = {"data": digests["all"], "weights": [fingerprint_network(network) for network in weights]}
    pictures = {"test": len(get("validate#dataset#data"))}
    # of an assessment they make the best constant mask
    if kind in ("training", "robustness"):
        pictures = {"training": len(get("train#dataset#data"))} | pictures
    if kind == "training":
        params = _params(config, get, config) | _training_params(config)
    else:
        # not how a training would go by these settings: that of the weights is not known
        params = _params(config, get, _evaluation(config)) | {"weights": ", ".join(content["weights"])}
    params |= {f"{split}_images": count for split, count in pictures.items()}
    if kind == "robustness":
        params |= {"epsilons": get("epsilons"), "attack": "worst case of the battery"}
    return Tracker(
        open_run(output_dir, kind, config | content),
        experiment_name,
        tracking_uri,
        params=params | {"data": str(file), "data_fingerprint": digests["all"]},
        tags={"mlflow.note.content": _description(title, kind, file)},
        config=config,
        run_name=run_name or " · ".join([kind] * (kind != "training") + [title, name, f"seed {get('seed')}"]),
        datasets=[(name, digests[split], "datalist.json", split, {"images": n}) for split, n in pictures.items()],
    )


def _evaluation(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of the configuration an evaluation uses."""
    alone = {**config, "train": {"deterministic_transforms": config["train"]["deterministic_transforms"]}}
    parts = [needed_by(alone, key) for key in ("validate", "robustness_assessment") if key in alone]
    # each run is named after its seed
    return {"seed": "@seed"} | {key: value for part in parts for key, value in part.items()}


def _params(config: Mapping[str, Any], get: Callable[[str], Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a part of the configuration uses, and what describes every run, in MLflow's names."""
    network = get("network_def")
    of_network = needed_by(config, "network_def")
    # what nothing refers to, such as the switches of NLCE for another network, was not used
    used = {path[0] for path in referenced_paths(part)} | {"variant"} | ({"amp"} & part.keys())
    logged = {key: get(key) for key in SETTINGS if key in (used & config.keys()) - IGNORED_KEYS}
    return {
        "network": network_name(network),
        "variant": "",
        **{key: value for key, value in logged.items() if key not in of_network and value is not None},
        "network_params": {
            key: "none" if value is None else value for key, value in logged.items() if key in of_network
        },
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "epsilons": get("epsilons") if get("sweep") else "none",
        "attack": attack_identity(get("validate#attack")),
        "device": str(get("device")),
    }


def _training_params(config: Mapping[str, Any]) -> dict[str, Any]:
    sections = {**config, **config["train"]}
    return {name: _plain(sections[name]) for name in ("loss", "optimizer", "lr_scheduler")}


def _plain(section: Any) -> dict[str, Any]:
    """What a section says, without expressions and references."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else value
        for key, value in (section.items() if isinstance(section, Mapping) else ())
        if not (isinstance(value, str) and value.startswith(("$", "@")))
    }


def _description(title: str, kind: str, data: Path) -> str:
    if kind == "robustness":
        curves, files = (
            "robustness/…_worst_vs_eps",
            "`robustness/report.html`, and `per_image.csv` with the worst cases",
        )
    else:
        curves, files = "test/…_vs_eps", "`per_image.csv`, `epsilon_curve.png` and panels of pictures"
    return (
        f"**{title}**, {kind} with the data list `{data}`. `{curves}` are DIC and JSC against the intensity ε of the "
        f"attack: the step is 10·ε, and step 0 is clean. The artifacts hold {files}."
    )
