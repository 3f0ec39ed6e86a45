# SPDX-License-Identifier: Apache-2.0
"""A page that ranks networks by the worst case that the battery's reports give them."""

from __future__ import annotations

from .entry import add_entry, read_entries, why_not_ranked
from .page import make_leaderboard

__all__ = ["add_entry", "make_leaderboard", "read_entries", "why_not_ranked"]
