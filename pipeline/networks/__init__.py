# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .cdnn import CDNN
from .freezing import freeze_except
from .insert_nlce import insert_nlce
from .nlce import NLCE
from .nlcen import NLCEN, AllLogits
from .nwcn import NWCN
from .slsdeep import SLSDeep
from .u_shape import InvertedNet, UNet

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
