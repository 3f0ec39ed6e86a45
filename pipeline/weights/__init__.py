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

from .fingerprints import fingerprint_file, fingerprint_network
from .load_backbone_weights import load_backbone_weights
from .load_network import bare_network, load_network
from .load_torchscript import load_torchscript
from .load_weights import load_weights
from .read_weights import check_finite, first_non_finite, read_weights
from .safetensors_bytes import safetensors_bytes

__all__ = [
    "bare_network",
    "check_finite",
    "fingerprint_file",
    "fingerprint_network",
    "first_non_finite",
    "load_backbone_weights",
    "load_network",
    "load_torchscript",
    "load_weights",
    "read_weights",
    "safetensors_bytes",
]
