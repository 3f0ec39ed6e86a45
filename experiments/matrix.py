# SPDX-License-Identifier: Apache-2.0
"""Reads the file of a matrix: which networks are trained on which data, and how they are attacked."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema

from pipeline.attacks import GREY_LEVELS, PAPER_EPSILONS
from pipeline.attacks.grey_levels import check_epsilons
from pipeline.utils import InputError

__all__ = [
    "DEFENCE",
    "PROPOSED",
    "ROOT",
    "TRANSFER",
    "WITHOUT_NLCE",
    "WORST_CASE",
    "DataSet",
    "Matrix",
    "network_name",
    "read_matrix",
]

ROOT = Path(__file__).parents[1]  # the repository; bundles run from here
SCHEMA = Path(__file__).with_name("matrix_schema.json")
PROPOSED = "nlcen"  # the network that the configuration of a bundle describes without any overlay
WITH_NLCE = "_nlce"  # ends the name of a network with NLCE
TRANSFER = "transfer"  # the reading that needs a second network
WORST_CASE = "worst_case"  # the reading that is the battery's
DEFENCE = "defence_"  # begins the variant of a network that was trained to resist
WITHOUT_NLCE = "without_nlce"  # the ablation's stage that is a cell of the comparison
# settings that the cells differ in, or that say where a cell is kept and shown
CELL_SETTINGS = frozenset(
    {
        "ckpt_dir",
        "ckpt_path",
        "dataset_dir",
        "experiment_name",
        "budget",
        "initial_weights",
        "nlce",
        "output_dir",
        "robustness_dir",
        "run_name",
        "seed",
        "surrogate_nlce",
        "surrogate_weights",
        "tracking_uri",
    }
)


@dataclass(frozen=True)
class DataSet:
    """A data set of a matrix.

    Attributes:
        name: its name in the matrix.
        bundle: the folder of its bundle, from the repository's root.
        dataset_dir: the folder that ``data_prep`` has written, from the repository's root.
        settings: overrides of the bundle's settings for this data set.
    """

    name: str
    bundle: str
    dataset_dir: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Matrix:
    """What a comparison consists of; ``matrix_schema.json`` describes its file.

    Attributes:
        path: its file.
        data: the data sets by name, in the file's order.
        settings: overrides of the bundles' settings for every cell.
        seeds: the seeds, each of which trains everything once.
        networks: the networks by name, in the file's order: each one's overlay, or None for ``networks/<name>.json`` of
            the bundle.
        comparison: ``data`` and ``nlce``: every network on these data sets, with or without NLCE.
        ablation: ``data`` and ``stages``, or None.
        claim: ``data``, ``networks``, ``readings``, ``only``, ``transfer``, ``stages``,
            ``trained``, ``defences``, ``budget`` and ``epsilons``, or None.
    """

    path: Path
    data: Mapping[str, DataSet]
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    networks: Mapping[str, Path | None]
    comparison: Mapping[str, Any]
    ablation: Mapping[str, Any] | None = None
    claim: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return self.path.stem


def network_name(network: str, nlce: bool) -> str:
    """Return what a matrix and its cells call a network with or without NLCE."""
    return network + WITH_NLCE if nlce else network


def read_matrix(
    path: str | os.PathLike[str], dataset_dirs: Mapping[str, str | os.PathLike[str]] | None = None
) -> Matrix:
    """Read the file of a matrix and check it.

    Args:
        path: the JSON file.
        dataset_dirs: other folders for data sets, by their names.

    Raises:
        InputError: if the file is missing, no JSON, or not of the form of ``matrix_schema.json``; if it names something
            that it does not define; or if ``dataset_dirs`` names a data set that it has not.
    """
    path = Path(path)
    content = _read(path)
    data = {name: DataSet(name, **{"settings": {}, **item}) for name, item in content["data"].items()}
    networks = [(Path(entry).stem, Path(entry) if entry.endswith(".json") else None) for entry in content["networks"]]
    if len(dict(networks)) < len(networks):
        raise InputError(f"{path}: networks: two have the same name; a network's name is that of its file.")
    for name, folder in (dataset_dirs or {}).items():
        if name not in data:
            raise InputError(f"--data {name}={folder}: {path} has no data set '{name}'; it has {', '.join(data)}.")
        data[name] = replace(data[name], dataset_dir=os.path.abspath(folder))
    matrix = Matrix(
        path=path,
        data=data,
        settings=content.get("settings", {}),
        seeds=tuple(content["seeds"]),
        networks=dict(networks),
        comparison=content["comparison"],
        ablation=content.get("ablation"),
        claim=content.get("claim"),
    )
    for problem in _problems(matrix):
        raise InputError(f"{path}: {problem}")
    return matrix


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except FileNotFoundError as error:
        raise InputError(f"There is no matrix {path}; name one such as experiments/paper.json.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"The matrix {path} cannot be read as JSON ({error}).") from error
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for problem in validator.iter_errors(content):
        where = "".join(f"{part}: " for part in problem.absolute_path)
        raise InputError(f"{path}: {where}{problem.message}. See {SCHEMA.relative_to(ROOT)} for the form.")
    return dict(content)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, of which Python would keep the last of two values of one key."""
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise ValueError(f"one object has two values of '{key}'")
    return dict(pairs)


def _problems(matrix: Matrix) -> Iterator[str]:
    """What a schema cannot see: names without what they name, and settings that cells or attacks would refuse."""
    yield from _in_settings(matrix)
    yield from _in_networks(matrix)
    if matrix.ablation is not None:
        yield from _in_ablation(matrix, matrix.ablation)
    if matrix.claim is not None:
        yield from _in_claim(matrix, matrix.claim)
        yield from _in_stages_of_claim(matrix, matrix.claim)
        yield from _in_worst_case(matrix, matrix.claim)
        yield from _in_transfer(matrix, matrix.claim)


def _in_settings(matrix: Matrix) -> Iterator[str]:
    all_settings = {"settings": matrix.settings}
    all_settings |= {f"data: {name}: settings": data.settings for name, data in matrix.data.items()}
    stages = matrix.ablation["stages"] if matrix.ablation else {}
    all_settings |= {f"ablation: stages: {name}: settings": stage.get("settings", {}) for name, stage in stages.items()}
    for where, settings in all_settings.items():
        for key in sorted(settings.keys() & CELL_SETTINGS):
            yield f"{where}: '{key}' is set for each cell; remove it."
        yield from _in_epsilons(where, settings)


def _in_networks(matrix: Matrix) -> Iterator[str]:
    for network in matrix.networks:
        if network.endswith(WITH_NLCE):
            yield (
                f"networks: '{network}': name the network without '{WITH_NLCE}'; 'comparison: nlce' says whether it "
                "gets NLCE."
            )
    yield from _unknown("comparison: data", matrix.comparison["data"], matrix.data)


def _in_ablation(matrix: Matrix, ablation: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown("ablation: data", ablation["data"], matrix.comparison["data"])
    yield from _unknown("ablation starts from the comparison's networks", [PROPOSED], _compared(matrix))
    earlier = [WITHOUT_NLCE]
    for name, stage in ablation["stages"].items():
        if "from" in stage:
            yield from _unknown(f"ablation: stages: {name}: from", [stage["from"]], earlier)
        if "epsilons" in stage.get("settings", {}):
            yield (
                f"ablation: stages: {name}: settings: 'epsilons' must be those of the cells that it is compared with; "
                "set it in the matrix's settings instead."
            )
        earlier.append(name)


def _in_claim(matrix: Matrix, claim: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown("claim: data", claim["data"], matrix.comparison["data"])
    yield from _unknown("claim: networks", claim["networks"], _compared(matrix))
    yield from _unknown("claim: only", claim.get("only", {}), claim["readings"])
    for reading, networks in claim.get("only", {}).items():
        yield from _unknown(f"claim: only: {reading}", networks, claim["networks"])
    doubled = {TRANSFER, *claim["readings"]} & set(claim.get("trained", ()))
    for name in sorted(doubled | ({TRANSFER} & set(claim["readings"]))):
        yield f"claim: '{name}' can stand in one of readings, {TRANSFER} and trained only."


def _in_stages_of_claim(matrix: Matrix, claim: Mapping[str, Any]) -> Iterator[str]:
    if "stages" not in claim:
        return
    if matrix.ablation is None:
        yield "claim: stages: they are the ablation's, and there is none; add 'ablation', or remove this."
    else:
        yield from _unknown("claim: stages", claim["stages"], matrix.ablation["stages"])
        yield from _unknown("claim: stages: data of the ablation", claim["data"], matrix.ablation["data"])
    if WORST_CASE not in claim["readings"]:
        yield f"claim: stages: only '{WORST_CASE}' has them; add it to the readings, or remove this."


def _in_worst_case(matrix: Matrix, claim: Mapping[str, Any]) -> Iterator[str]:
    if WORST_CASE not in claim["readings"]:
        for key in sorted({"budget", "epsilons"} & claim.keys()):
            yield f"claim: {key}: only for the reading '{WORST_CASE}'; add it to the readings, or remove this."
        return
    for data in claim["data"]:
        settings = {**matrix.settings, **matrix.data[data].settings}
        epsilons = claim.get("epsilons", settings.get("epsilons"))
        if epsilons is None:
            yield (
                f"claim: the reading '{WORST_CASE}' needs 'epsilons', such as [2.0, 8.0, 32.0], here or in the "
                "settings: the battery and the paper's attack have others by default."
            )
        else:
            yield from _in_epsilons(f"claim: {WORST_CASE}", {"epsilons": epsilons}, GREY_LEVELS)
            for epsilon in sorted(set(epsilons) - set(settings.get("epsilons", PAPER_EPSILONS))):
                yield f"claim: epsilons: the paper's attack has no {epsilon:g}, so that the two could not be compared."


def _in_transfer(matrix: Matrix, claim: Mapping[str, Any]) -> Iterator[str]:
    if TRANSFER not in claim:
        return
    transfer, compared = claim[TRANSFER], _compared(matrix)
    yield from _unknown(f"claim: {TRANSFER}", transfer, claim["networks"])
    # readings/transfer.json describes the proposed network
    surrogates = [network_name(PROPOSED, nlce) for nlce in matrix.comparison["nlce"]]
    yield from _unknown(f"claim: {TRANSFER}", transfer.values(), [name for name in surrogates if name in compared])
    for network in claim["networks"]:
        if network not in transfer:
            yield f"claim: {TRANSFER}: say on which network the attack samples for '{network}' are made."


def _compared(matrix: Matrix) -> list[str]:
    """The names of the comparison's networks."""
    return [network_name(network, nlce) for network in matrix.networks for nlce in matrix.comparison["nlce"]]


def _in_epsilons(where: str, settings: Mapping[str, Any], at_most: float = math.inf) -> Iterator[str]:
    try:
        check_epsilons(settings.get("epsilons", []), at_most)
    except InputError as error:
        yield f"{where}: {error}"


def _unknown(where: str, names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{where}: there is no '{name}'; there are: {', '.join(known)}."
