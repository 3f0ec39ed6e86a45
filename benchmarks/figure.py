# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from tqdm import tqdm

__all__ = ["Figure", "interleave", "median_seconds", "ratio", "synchronize"]


@dataclass(frozen=True)
class Figure:
    """One measured number and what it must reach.

    Args:
        what: what was measured.
        value: the number; None if it could not be measured, and ``note`` says why.
        unit: of the number and its bounds.
        samples: the single measurements behind the number.
        at_least: the lowest good value, if there is one.
        at_most: the highest good value, if there is one.
        note: what a reader must know beside.
    """

    what: str
    value: float | None
    unit: str = ""
    samples: tuple[float, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the number is within its bounds; None without a number or without bounds."""
        if self.value is None or (self.at_least is None and self.at_most is None):
            return None
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)


def interleave(
    variants: Mapping[str, Callable[[], object]],
    repeats: int,
    device: str,
    warm_up: Callable[[], object] | None = None,
) -> dict[str, list[float]]:
    """Time each variant ``repeats`` times in turns (A B A B …), so that a change of the machine's load meets them all.

    Args:
        variants: what to time, by name.
        repeats: runs of each variant.
        device: where they compute; CUDA is waited for.
        warm_up: called once before; every variant is by default.

    Returns:
        The seconds of each run, by name.
    """
    for run in (*variants.values(),) if warm_up is None else (warm_up,):
        run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    with tqdm(total=repeats * len(variants), unit="run", leave=False) as bar:
        for _ in range(repeats):
            for name, run in variants.items():
                bar.set_description(name)
                synchronize(device)
                start = time.perf_counter()
                run()
                synchronize(device)
                seconds[name].append(time.perf_counter() - start)
                bar.update()
    return seconds


def synchronize(device: str) -> None:
    """Wait until ``device`` has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def median_seconds(what: str, samples: list[float]) -> Figure:
    """The median of some runs' seconds."""
    return Figure(what, statistics.median(samples), "s", tuple(samples))


def ratio(
    what: str,
    numerator: list[float],
    denominator: list[float],
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """The median over the turns of one variant's seconds divided by the other's in the same turn."""
    samples = tuple(a / b for a, b in zip(numerator, denominator, strict=True))
    return Figure(what, statistics.median(samples), "x", samples, at_least, at_most)
