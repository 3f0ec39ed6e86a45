# SPDX-License-Identifier: Apache-2.0
"""The battery beside SEA and other libraries' attacks: how far each brings the mean DIC down, and what it costs."""

from __future__ import annotations
