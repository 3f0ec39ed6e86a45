# SPDX-License-Identifier: Apache-2.0
"""Turns a matrix into its cells: every training and every evaluation, none before those whose weights it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from pipeline.utils import InputError

from .matrix import DEFENCE, PROPOSED, ROOT, TRANSFER, WITHOUT_NLCE, WORST_CASE, Matrix, network_name

__all__ = ["Cell", "make_cells"]

_BATTERY = Path("bundles/robustness.json")


@dataclass(frozen=True)
class Cell:
    """One bundle run of a comparison.

    Attributes:
        name: its unique name, also that of its folder: letters, digits, ``_`` and ``-``.
        labels: what it is in the table of results: ``data``, ``network``, ``nlce``, ``stage`` (of the ablation; else
            empty), ``variant`` (a training of the claim; else empty), ``reading`` (a reading of the attack; empty for
            the paper's) and ``seed``.
        run_id: what the bundle runs, ``"training"``, ``"evaluating"`` or ``"robustness"``.
        config_files: the bundle's configuration and what is laid over it, from the repository's root.
        settings: overrides of the configuration.
        needs: names of cells whose weights it takes, by the setting that gets their file.
    """

    name: str
    labels: Mapping[str, Any]
    run_id: str
    config_files: tuple[str, ...]
    settings: Mapping[str, Any]
    needs: Mapping[str, str] = field(default_factory=dict)


def make_cells(matrix: Matrix) -> list[Cell]:
    """Return all cells of a matrix: none before those that it needs, and all of one seed before the next.

    Raises:
        InputError: if a configuration file that a cell needs does not exist, or two cells have one name.
    """
    cells: list[Cell] = []
    for seed in matrix.seeds:
        trained = [*_compared(matrix, seed), *_ablated(matrix, seed)]
        cells += [*trained, *_claimed(matrix, seed), *_defended(matrix, seed, trained)]
    name, count = Counter(cell.name for cell in cells).most_common(1)[0]
    if count > 1:
        raise InputError(f"{matrix.path}: two cells are named '{name}'; rename one of their files.")
    return cells


def _cell_name(data: str, seed: int, *parts: str) -> str:
    """The unique name of a cell; ``parts`` say what it is: a network, or a word and what it is of that."""
    return "-".join((data, *parts, f"seed{seed}"))


def _compared(matrix: Matrix, seed: int) -> Iterator[Cell]:
    """Every network with or without NLCE on every data set."""
    for data in matrix.comparison["data"]:
        for network in matrix.networks:
            for nlce in matrix.comparison["nlce"]:
                name = _cell_name(data, seed, network_name(network, nlce))
                yield _cell(matrix, name, data, network, nlce, seed)


def _ablated(matrix: Matrix, seed: int) -> Iterator[Cell]:
    """The stages of the ablation: from scratch, or from weights, the first of which are a cell's of the comparison."""
    if matrix.ablation is None:
        return
    for data in matrix.ablation["data"]:
        names = {WITHOUT_NLCE: _cell_name(data, seed, network_name(PROPOSED, False))}
        for stage, options in matrix.ablation["stages"].items():
            names[stage] = _cell_name(data, seed, "ablation", stage)
            yield _cell(
                matrix,
                names[stage],
                data,
                PROPOSED,
                True,
                seed,
                stage=stage,
                overlays=[f"ablation/{options['overlay']}"] if "overlay" in options else [],
                settings=options.get("settings", {}),
                needs={"initial_weights": names[options["from"]]} if "from" in options else {},
            )


def _claimed(matrix: Matrix, seed: int) -> Iterator[Cell]:
    """The comparison's networks under other readings of the attack, and the proposed one read otherwise itself."""
    if matrix.claim is None:
        return
    networks = _by_name(matrix)
    transfer = matrix.claim.get(TRANSFER, {})
    for data in matrix.claim["data"]:
        for reading in [*matrix.claim["readings"], *([TRANSFER] if transfer else [])]:
            if reading == WORST_CASE:
                continue
            for title in matrix.claim.get("only", {}).get(reading, matrix.claim["networks"]):
                needs = {"ckpt_path": _cell_name(data, seed, title)}
                settings = {}
                if reading == TRANSFER:
                    needs["surrogate_weights"] = _cell_name(data, seed, transfer[title])
                    settings["surrogate_nlce"] = networks[transfer[title]][1]
                    # what the overlay cannot see where the attacked network is another
                    backbone = {**matrix.settings, **matrix.data[data].settings}.get("backbone")
                    settings |= {} if backbone is None else {"surrogate_backbone": backbone}
                yield _cell(
                    matrix,
                    _cell_name(data, seed, "claim", reading, title),
                    data,
                    *networks[title],
                    seed,
                    reading=reading,
                    overlays=["evaluate", f"readings/{reading}"],
                    settings=settings,
                    needs=needs,
                    run_id="evaluating",
                )
        for variant in matrix.claim.get("trained", ()):
            name = _cell_name(data, seed, "claim", variant, network_name(PROPOSED, True))
            yield _cell(matrix, name, data, PROPOSED, True, seed, variant=variant, overlays=[f"variants/{variant}"])


def _defended(matrix: Matrix, seed: int, trained: Iterable[Cell]) -> Iterator[Cell]:
    """The claim's networks trained to resist, and the battery's worst case of these and of some of ``trained``."""
    if matrix.claim is None:
        return
    networks, claim = _by_name(matrix), matrix.claim
    known = {cell.name: cell for cell in trained}
    attacked = claim.get("only", {}).get(WORST_CASE, claim["networks"]) if WORST_CASE in claim["readings"] else ()
    for data, title, defence in product(claim["data"], claim["networks"], ("", *claim.get("defences", ()))):
        parts = (f"{DEFENCE}{defence}", title) if defence else (title,)
        if defence:
            name, overlays = _cell_name(data, seed, "claim", *parts), [f"defence/{defence}"]
            cell = _cell(matrix, name, data, *networks[title], seed, variant=parts[0], overlays=overlays)
            yield cell
        else:
            cell = known[_cell_name(data, seed, *parts)]
        if title in attacked:
            yield _attacked(matrix, cell, parts)
    for data, stage in product(claim["data"], claim.get("stages", ())):
        yield _attacked(matrix, known[_cell_name(data, seed, "ablation", stage)], ("ablation", stage))


def _attacked(matrix: Matrix, trained: Cell, parts: Iterable[str]) -> Cell:
    """The battery on the network that a cell trains; ``parts`` of the name say which."""
    labels, claim = trained.labels, matrix.claim or {}
    evaluate = Path(matrix.data[labels["data"]].bundle) / "evaluate.json"
    epsilons = {"epsilons": claim["epsilons"]} if "epsilons" in claim else {}
    return Cell(
        name=_cell_name(labels["data"], labels["seed"], "claim", WORST_CASE, *parts),
        labels={**labels, "reading": WORST_CASE},
        run_id="robustness",
        config_files=(*trained.config_files, *(_existing(matrix, file) for file in (evaluate, _BATTERY))),
        settings={**trained.settings, **epsilons, "budget": claim.get("budget", "quick")},
        needs={"ckpt_path": trained.name},
    )


def _by_name(matrix: Matrix) -> dict[str, tuple[str, bool]]:
    """Each network and whether it has NLCE, by what a claim calls it."""
    return {network_name(network, nlce): (network, nlce) for network in matrix.networks for nlce in (True, False)}


def _cell(
    matrix: Matrix,
    name: str,
    data: str,
    network: str,
    nlce: bool,
    seed: int,
    *,
    stage: str = "",
    variant: str = "",
    reading: str = "",
    overlays: Iterable[str] = (),
    settings: Mapping[str, Any] | None = None,
    needs: Mapping[str, str] | None = None,
    run_id: str = "training",
) -> Cell:
    labels = {"data": data, "network": network, "nlce": nlce, "stage": stage, "variant": variant, "reading": reading}
    bundle = Path(matrix.data[data].bundle)
    own = [] if network == PROPOSED else [matrix.networks[network] or bundle / "networks" / f"{network}.json"]
    files = [bundle / "train.json", *own, *(bundle / f"{overlay}.json" for overlay in overlays)]
    return Cell(
        name=name,
        labels={**labels, "seed": seed},
        run_id=run_id,
        config_files=tuple(_existing(matrix, file) for file in files),
        settings={**matrix.settings, **matrix.data[data].settings, **(settings or {}), "nlce": nlce, "seed": seed},
        needs=needs or {},
    )


def _existing(matrix: Matrix, file: Path) -> str:
    if not (ROOT / file).is_file():
        there = ", ".join(sorted(other.stem for other in (ROOT / file).parent.glob("*.json"))) or "none"
        raise InputError(
            f"{matrix.path}: '{file.stem}' needs the file {file}, which does not exist; in its folder there are: "
            f"{there}."
        )
    return str(file)
