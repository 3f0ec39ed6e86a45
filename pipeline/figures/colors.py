# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

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
