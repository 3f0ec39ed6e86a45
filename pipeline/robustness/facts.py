# SPDX-License-Identifier: Apache-2.0
"""What a report says of an assessment beside its figures: network, data, attacks, code and machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

import torch
from torch import nn

from pipeline.attacks import AttackedNetwork
from pipeline.runs import describe_code, describe_environment
from pipeline.weights import fingerprint_network

from .battery import Battery
from .recipes import RECIPES
from .report import describe_classes, describe_decision
from .scores import NOISE, PAPER, REFINED

__all__ = ["collect_facts"]

_OTHER_ATTACKS = {
    PAPER: "the attack of He et al. (AAAI 2019): fixed steps towards the inverse mask from the clean picture",
    REFINED: "goes on from the worst of all, each image with the losses that harmed it most",
    "square": "a random search on soft Dice that needs no gradient",
    "transfer": "the pictures of a surrogate",
    NOISE: "uniform noise of the same ε, the control",
}


def collect_facts(
    attacked: AttackedNetwork, battery: Battery, images: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return strings and numbers by name, as :class:`Assessment` has them.

    Args:
        attacked: the network as it was attacked.
        battery: what attacked it.
        images: what was found about each image.
    """
    network, code = attacked.network, describe_code()
    tried = {row["attack"] for found in images.values() for row in found["scores"]}
    attacks = {name: recipe.what for name, recipe in RECIPES.items()} | _OTHER_ATTACKS
    content = "".join(sorted(found["digest"] for found in images.values()))
    return {
        "network": type(network).__name__,
        "data": "not named",
        "commit": f"{code['commit']}{'+dirty' if code['dirty'] else ''}" if code["commit"] else "unknown",
        "range_source": "stated",
        "classes": describe_classes(attacked.classes),
        "inferer": _describe_inferer(attacked.inferer),
        "decision": describe_decision(attacked.classes),
        "precision": _describe_precision(attacked.precision, network),
        "seed": battery.seed,
        "device": ", ".join(sorted({found["device"] for found in images.values()})),
        "parameters": sum(each.numel() for each in network.parameters()),
        "seconds": sum(found["seconds"] for found in images.values()),
        "network_sha256": fingerprint_network(network),
        "data_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "date": date.today().isoformat(),
        "versions": describe_environment(),
        "images": len(images),
        "empty_masks": sum(not any(found["classes"]) for found in images.values()),
        "class_images": [sum(has) for has in zip(*(found["classes"] for found in images.values()), strict=True)],
        "planned_gradients": battery.gradients(attacked.classes),
        "mean_gradients": sum(found["gradients"] for found in images.values()) / len(images),
        "not_finite_images": sum(found["not_finite"] > 0 for found in images.values()),
        "attacks": {name: what for name, what in attacks.items() if name in tried},
        "undefined_attacks": battery.undefined(attacked.classes),
    }


def _describe_inferer(inferer: object) -> str:
    """The name of an inferer and its settings that are plain values, in the order of their names."""
    settings = {
        name: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        for name, value in sorted(getattr(inferer, "__dict__", {}).items())
        if isinstance(value, (bool, int, float, str, list, tuple)) and not name.startswith("_")
    }
    name = getattr(inferer, "__name__", type(inferer).__name__)
    return f"{name} ({'; '.join(f'{key} {value}' for key, value in settings.items())})" if settings else name


def _describe_precision(precision: torch.dtype | None, network: nn.Module) -> str:
    own = next((each.dtype for each in network.parameters() if each.is_floating_point()), torch.float32)
    # autocast leaves float64 as it is
    if precision is None or own == torch.float64:
        return f"search and scores in {_dtype_name(own)}"
    return f"search in {_dtype_name(precision)}, in {_dtype_name(own)} where that fails; scores in {_dtype_name(own)}"


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
