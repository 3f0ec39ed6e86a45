# SPDX-License-Identifier: Apache-2.0
"""What was found, as JSON and as a table of Markdown, and whether the bounds hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.robustness.scores import CLEAN
from pipeline.utils import atomic_path

from .methods import METHODS, OURS, SEA
from .referee import CLIPPED, ROUNDING, means

__all__ = ["AT_PEERS", "Cost", "Results", "write"]

# where the peers are measured
AT_PEERS = (2.0, 4.0, 8.0, 16.0, 32.0)
_ALLOWANCE = 0.005
_PART_OF_GRADIENTS = 5
# of SEA
_LOSSES = 3
_WORDS = {True: "holds", False: "MISSED", None: "not measured"}


@dataclass
class Cost:
    """What a method has spent: mean gradients for each image, the seconds of all its processes together, its code."""

    gradients: float = 0.0
    seconds: float = 0.0
    commits: set[str] = field(default_factory=set)


@dataclass
class Results:
    """Of one network.

    Attributes:
        epsilons: all intensities.
        sea_epsilons: those of SEA.
        sea_steps: of each of SEA's losses.
        scores: a row for each image, ε and attack, see ``Referee``.
        costs: of each method.
        failed: sentences of methods that failed.
        devices: what attacked.
    """

    epsilons: np.ndarray
    sea_epsilons: np.ndarray
    sea_steps: int
    scores: pd.DataFrame
    costs: dict[str, Cost] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)

    def summary(self) -> dict[str, Any]:
        """Return means, costs and verdicts as plain data; ε are text."""
        found = means(self.scores, self.epsilons)
        return {
            "clean": float(self.scores.loc[self.scores["attack"] == CLEAN, "DIC"].mean()),
            "DIC": {name: {f"{e:g}": value for e, value in of.items()} for name, of in found.items()},
            "within": self._within(),
            "gradients": {name: cost.gradients for name, cost in self.costs.items()},
            "seconds": {name: cost.seconds for name, cost in self.costs.items()},
            "commits": {name: sorted(cost.commits) for name, cost in self.costs.items()},
            "devices": sorted(self.devices),
            "failed": self.failed,
            "bounds": self.bounds(found),
        }

    def bounds(self, found: Mapping[str, Mapping[float, float | None]]) -> dict[str, Any]:
        """Return whether ours holds; None for what was not measured."""
        ours, sea = found.get(OURS, {}), found.get(SEA, {})
        beside = {name: of for name, of in found.items() if name not in (OURS, SEA)}
        return {
            "SEA": {f"{e:g}": _below(ours.get(e), sea.get(e), _ALLOWANCE) for e in map(float, self.sea_epsilons)},
            "gradients": self._few_gradients(),
            "peers": {
                name: {f"{e:g}": _below(ours.get(e), of[e]) for e in self.at_peers} for name, of in beside.items()
            },
        }

    @property
    def at_peers(self) -> list[float]:
        return [float(epsilon) for epsilon in self.epsilons if epsilon in AT_PEERS]

    def _few_gradients(self) -> bool | None:
        """Whether ours took at most a fifth of what SEA takes at as many ε where it leaves no image alone."""
        if OURS not in self.costs:
            return None
        return self.costs[OURS].gradients * _PART_OF_GRADIENTS <= _LOSSES * self.sea_steps * len(self.epsilons)

    def _within(self) -> dict[str, dict[str, int]]:
        """How many images an attack that looks for the smallest change has changed within ε."""
        smallest = [name for name, method in METHODS.items() if method.smallest and name in self.costs]
        norms = {
            name: self.scores.loc[self.scores["attack"] == name].groupby("image")["norm"].first() for name in smallest
        }
        return {
            name: {f"{e:g}": int(((norm > 0) & (norm <= e + ROUNDING)).sum()) for e in self.at_peers}
            for name, norm in norms.items()
        }


def _below(ours: float | None, theirs: float | None, allowance: float = 0.0) -> bool | None:
    return None if ours is None or theirs is None else ours <= theirs + allowance


def write(path: Path, results: Mapping[str, Results], circumstances: Mapping[str, Any]) -> None:
    """Write the JSON to ``path`` and the table beside it, with the suffix ``.md``."""
    content = {
        "circumstances": dict(circumstances),
        "networks": {
            name: result.summary() | {"scores": result.scores.to_dict("records")} for name, result in results.items()
        },
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))
    lines = [f"{key}: {value}" for key, value in circumstances.items()]
    text = "\n".join(lines) + "\n\n" + "\n\n".join(_section(name, result) for name, result in results.items()) + "\n"
    with atomic_path(path.with_suffix(".md")) as temporary:
        temporary.write_text(text)


def _section(network: str, result: Results) -> str:
    summary = result.summary()
    columns = [f"{epsilon:g}" for epsilon in result.epsilons]
    commits = ", ".join(f"{name} {' '.join(of)}" for name, of in summary["commits"].items())
    lines = [
        f"### {network}: mean DIC, clean {summary['clean']:.3f}",
        "",
        f"On {', '.join(summary['devices']) or 'nothing yet'}. Running minima over ε, from the clean picture on.",
        f"SEA was measured at {len(result.sea_epsilons)} of {len(result.epsilons)} ε, and left images alone that were",
        "at 0. Gradients: mean for each image, of all measured ε together; seconds: of all processes together, which",
        f"may have run side by side. Commits: {commits or 'none yet'}.",
        "",
        *_row(["attack", *columns, "gradients", "s"]),
        *_row(["---"] * (len(columns) + 3)),
    ]
    for name, of in sorted(summary["DIC"].items(), key=lambda item: _order(item[0])):
        base = name.removesuffix(CLIPPED)
        note = METHODS[base].note
        label = name + (f" ({note})" if note else "")
        cells = ["–" if of[column] is None else f"{of[column]:.4f}" for column in columns]
        costs = [f"{summary[key][base]:.0f}" for key in ("gradients", "seconds")]
        lines += _row([label, *cells, *costs])
    return "\n".join([*lines, "", *_verdicts(summary)])


def _order(name: str) -> int:
    return 2 * list(METHODS).index(name.removesuffix(CLIPPED)) + name.endswith(CLIPPED)


def _row(cells: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]


def _verdicts(summary: Mapping[str, Any]) -> list[str]:
    bounds = summary["bounds"]
    lines = [
        f"- at most SEA + {_ALLOWANCE}: {_at(bounds['SEA'])}",
        f"- at most 1/{_PART_OF_GRADIENTS} of SEA's gradients: {_WORDS[bounds['gradients']]}",
    ]
    lines += [f"- at or below {name}: {_at(at)}" for name, at in bounds["peers"].items()]
    for name, of in summary["within"].items():
        counts = ", ".join(f"{count} at ε = {epsilon}" for epsilon, count in of.items())
        lines += [f"- {name} gave a changed picture within ε of so many images: {counts}"]
    return lines + [f"- {name} failed: {sentence}" for name, sentence in summary["failed"].items()]


def _at(verdicts: Mapping[str, bool | None]) -> str:
    """Return in words at which ε a bound holds."""
    at = {word: [e for e, holds in verdicts.items() if holds is value] for value, word in _WORDS.items()}
    return "; ".join(f"{word} at ε = {', '.join(epsilons)}" for word, epsilons in at.items() if epsilons)
