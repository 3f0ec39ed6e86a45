# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from pipeline.runs import describe_device, describe_environment
from pipeline.utils import atomic_path

from .figure import Figure
from .options import Options

__all__ = ["circumstances", "table", "write_json"]


def circumstances(options: Options) -> dict[str, Any]:
    """When, where and with what the figures are measured."""
    environment = describe_environment() | describe_device(torch.device(options.device))
    changed = environment.get("git.dirty") == "True"
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": options.device,
        "machine": f"{environment['device.count']} x {environment['device.name']}",
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "torch": environment["versions.torch"],
        "monai": environment["versions.monai"],
        "commit": f"{environment.get('git.commit', 'unknown')}{' + changes' if changed else ''}",
        "batch": options.batch,
        "size": options.size,
    }


def table(circumstances: Mapping[str, Any], results: Mapping[str, list[Figure]]) -> str:
    """The figures for people to read, one line each."""
    lines = [f"{key:>8}: {value}" for key, value in circumstances.items()]
    for name, figures in results.items():
        lines += ["", name]
        lines += [f"  {figure.what:<66} {_value(figure):>22}  {_verdict(figure)}".rstrip() for figure in figures]
    return "\n".join(lines)


def write_json(path: Path, circumstances: Mapping[str, Any], results: Mapping[str, list[Figure]]) -> None:
    """Write the figures with every single measurement to ``path``; the old file stays if that fails."""
    benchmarks = {
        name: [{**dataclasses.asdict(figure), "reached": figure.reached} for figure in figures]
        for name, figures in results.items()
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"circumstances": dict(circumstances), "benchmarks": benchmarks}, indent=2))


def _value(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:.4g} {figure.unit}".rstrip()


def _verdict(figure: Figure) -> str:
    if figure.reached is None:
        return figure.note
    bounds = {">=": figure.at_least, "<=": figure.at_most}
    if figure.at_least == figure.at_most:
        bounds = {"=": figure.at_least}
    stated = " and ".join(f"{sign} {bound:.4g}" for sign, bound in bounds.items() if bound is not None)
    return f"{'reached' if figure.reached else 'MISSED'} ({stated}) {figure.note}".rstrip()
