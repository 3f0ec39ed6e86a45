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

from .all_logits import AllLogits
from .cdnn import CDNN
from .freezing import freeze_except
from .insert_nlce import insert_nlce
from .invertednet import InvertedNet
from .nlce import NLCE
from .nlcen import NLCEN
from .nwcn import NWCN
from .slsdeep import SLSDeep
from .unet import UNet

__all__ = [
    "CDNN",
    "NLCE",
    "NLCEN",
    "NWCN",
    "AllLogits",
    "InvertedNet",
    "SLSDeep",
    "UNet",
    "freeze_except",
    "insert_nlce",
]
