# SPDX-License-Identifier: Apache-2.0
"""Networks, attacks, assessments and everything else that the bundles run."""

from __future__ import annotations
