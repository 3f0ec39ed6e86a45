# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.planted_defects``: which check notices which planted defect, as a table of Markdown."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from torch import nn

from pipeline.robustness.checks import CHECKS, CheckResult
from tests.robustness.planted import PLANTED, evidence_of, several_losses, trained_nlcen, trained_unet

__all__ = ["row"]


def row(network: str, results: Sequence[CheckResult]) -> str:
    """Return a line of the table: the checks that failed, each with its number."""
    failed = [
        result.name + ("" if result.value is None else f" ({result.value:.2g})")
        for result in results
        if result.status == "failed"
    ]
    return f"| {network} | {', '.join(failed) or '–'} |"


def main() -> None:
    unet = trained_unet()
    networks: dict[str, Callable[[], nn.Module]] = {
        "U-Net": lambda: unet,
    }
    networks |= {
        defect: lambda plant=plant: plant(copy.deepcopy(unet)).eval()  # type: ignore[misc]
        for defect, plant in PLANTED.items()
    }
    # the slow ones last
    networks["U-Net trained against several losses"] = lambda: trained_unet(150, several_losses())
    networks["NLCEN"] = trained_nlcen
    print("| network | checks that failed, with their number |", "|---|---|", sep="\n")
    for name, network in networks.items():
        evidence = evidence_of(network())
        print(row(name, [check(evidence) for check in CHECKS]), flush=True)


if __name__ == "__main__":
    main()
