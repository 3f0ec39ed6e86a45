# SPDX-License-Identifier: Apache-2.0
"""Preparation of data: ``python -m data_prep``."""

from __future__ import annotations
