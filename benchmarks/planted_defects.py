# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.planted_defects``: which check notices which planted defect, as a table of Markdown."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from torch import nn

from pipeline.robustness.checks import CHECKS, CheckResult
from tests.robustness.planted import PLANTED, evidence_of, several_losses, trained_nlcen, trained_unet

__all__ = ["matrix"]

SIGNS = {"passed": "", "not applicable": "–"}


def matrix(rows: Sequence[tuple[str, Sequence[CheckResult]]]) -> str:
    """Return a table of networks × checks: the number of a check that failed, a dash of one that is not applicable."""
    names = [result.name for result in rows[0][1]]
    lines = ["| network | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for network, results in rows:
        cells = [
            SIGNS.get(result.status) if result.status in SIGNS else f"**{result.value:.2g}**" for result in results
        ]
        lines.append(f"| {network} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    unet = trained_unet()
    networks: dict[str, Callable[[], nn.Module]] = {
        "U-Net": lambda: unet,
        "U-Net trained against several losses": lambda: trained_unet(150, several_losses()),
        "NLCEN": trained_nlcen,
    }
    networks |= {
        defect: lambda plant=plant: plant(copy.deepcopy(unet)).eval()  # type: ignore[misc]
        for defect, plant in PLANTED.items()
    }
    rows = []
    for name, network in networks.items():
        evidence = evidence_of(network())
        rows.append((name, [check(evidence) for check in CHECKS]))
    print(matrix(rows))


if __name__ == "__main__":
    main()
