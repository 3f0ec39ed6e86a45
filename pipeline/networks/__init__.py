# SPDX-License-Identifier: Apache-2.0
"""NLCE, NLCEN and the networks that the paper compares."""

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
