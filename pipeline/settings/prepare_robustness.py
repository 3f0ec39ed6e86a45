# SPDX-License-Identifier: Apache-2.0
"""Lays the battery over the evaluator of any MONAI segmentation bundle."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser

from pipeline.utils import InputError, explain_input_errors
from pipeline.weights import fingerprint_file

from .running_bundle import running_parser

__all__ = ["prepare_robustness"]

_EVALUATOR = "validate#evaluator"
_ASSESSMENT = "robustness_assessment"
# what the evaluator need not do: the battery scores the network's own output, and writes nothing into the bundle
_IDLE = {
    "val_handlers": [f"@{_ASSESSMENT}"],
    "iteration_update": "$lambda engine, batch: {}",
    "postprocessing": None,
    "key_val_metric": None,
    "additional_metrics": None,
}
_NEEDED = {
    "network": "the network",
    "ckpt_dir": "the folder of model.pt",
    "validate#dataloader": "the data to attack",
    _EVALUATOR: "MONAI's evaluator",
}


def prepare_robustness() -> None:
    """Replace what the running bundle's evaluator does by the battery, and tell that what the bundle knows.

    Handlers, metrics and postprocessing of the evaluator are replaced, so that nothing of the bundle is overwritten. A
    bundle's own code (``scripts``) is found. The battery is given, where the bundle has them: its postprocessing, from
    which it learns whether a sigmoid makes the masks; its training data, for the best constant mask; its tracker.

    Call it first in ``bundles/robustness.json``'s ``robustness``.

    Raises:
        InputError: if the bundle lacks a key that is needed, or has no data; the message names it.
    """
    explain_input_errors()
    parser = running_parser("prepare_robustness")
    for key, what in _NEEDED.items():
        if _get(parser, key) is None:
            raise InputError(
                f"robustness: the bundle has no '{key}', {what}; lay bundles/robustness.json over its train.json (and "
                "evaluate.json, if it has one), or add the key with a file of your own."
            )
    root = str(parser.get_parsed_content("bundle_root")) if "bundle_root" in parser else "."
    sys.path.insert(0, str(Path(root).resolve()))
    settings: dict[str, Any] = {
        "sigmoid": "sigmoid" in _switched_on(_get(parser, "validate#postprocessing"), parser),
        "facts": _facts(parser, Path(root)),
    }
    if _get(parser, "train#dataset#data") is not None and _get(parser, "validate#preprocessing") is not None:
        settings["training_data"] = {
            "_target_": "monai.data.Dataset",
            "data": "@train#dataset#data",
            "transform": "@validate#preprocessing",
        }
    if _get(parser, "tracker") is not None:
        settings["tracker"] = "@tracker"
    for key, value in settings.items():
        parser[f"{_ASSESSMENT}#{key}"] = value
    for key, value in _IDLE.items():
        parser[f"{_EVALUATOR}#{key}"] = value
    parser.parse(reset=True)
    if not len(parser.get_parsed_content("validate#dataloader")):
        raise InputError(
            "robustness: the bundle's validate#dataloader has no images; check dataset_dir and the names of the data."
        )


def _facts(parser: ConfigParser, root: Path) -> dict[str, Any]:
    """What the bundle says of itself."""
    metadata = parser.get(ConfigParser.meta_key) or {}
    file = root / "configs" / "metadata.json"
    if not metadata and file.is_file():
        metadata = json.loads(file.read_text(encoding="utf-8"))
    name = parser.get_parsed_content("title") if "title" in parser else metadata.get("name")
    data = parser.get_parsed_content("dataset_dir") if "dataset_dir" in parser else None
    weights = parser.get_parsed_content("ckpt_path")
    facts = {
        "weights_sha256": fingerprint_file(weights) if Path(weights).is_file() else None,
        "network": name,
        "title": name,
        "data": data,
        "description": metadata.get("description"),
        "intended_use": metadata.get("intended_use"),
        "bundle_version": metadata.get("version"),
        "command": f"python -m monai.bundle {shlex.join(sys.argv[1:])}",
    }
    return {key: str(value) for key, value in facts.items() if value is not None}


def _get(parser: ConfigParser, key: str) -> Any:
    """What stands at a key, not evaluated; None where there is nothing."""
    value: Any = parser.get()
    for part in key.split("#"):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _switched_on(config: Any, parser: ConfigParser) -> set[str]:
    """The names of all arguments in a configuration, and in what it refers to, that are true."""
    if isinstance(config, str) and config.startswith("@"):
        return _switched_on(_get(parser, config[1:]), parser)
    if isinstance(config, Mapping):
        found = {str(name) for name, value in config.items() if value is True}
        return found.union(*(_switched_on(value, parser) for value in config.values()))
    return set().union(*(_switched_on(value, parser) for value in config)) if isinstance(config, list) else set()
