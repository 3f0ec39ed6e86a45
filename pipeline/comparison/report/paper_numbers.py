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

__all__ = ["PAPER_NLCEN"]

# He et al. 2019, "Quantitative Evaluation": mean score of NLCEN by data set, metric and ε. The text gives no others;
# Figures 4, 5, 7 and 8 show curves without numbers.
PAPER_NLCEN: dict[str, dict[str, dict[float, float]]] = {
    "JSRT": {"DIC": {0.0: 0.971, 32.0: 0.963}, "JSC": {0.0: 0.945, 32.0: 0.929}},
    "ISBI 2016": {"DIC": {0.0: 0.907, 32.0: 0.801}, "JSC": {0.0: 0.844, 32.0: 0.704}},
}
