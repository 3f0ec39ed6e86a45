# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

__all__ = ["MAP", "PREDICTED", "TRUE"]

# What is the same has the same color in panels, in the report and in the overlays of inference. Cyan and red are told
# apart by color-blind people too (P. Tol, "Colour Schemes", SRON/EPS/TN/09-002), in a print in grey, and from the greys
# of radiographs and the browns of skin.
PREDICTED = "#00C8FF"
TRUE = "#CC3311"

# maps that show no picture: (predicted, true) to color and name
MAP = {
    (1, 1): ("#FFFFFF", "predicted and true"),
    (1, 0): (PREDICTED, "predicted, not true"),
    (0, 1): (TRUE, "true, not predicted"),
    (0, 0): ("#000000", "neither"),
}
