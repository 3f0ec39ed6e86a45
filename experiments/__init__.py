# SPDX-License-Identifier: Apache-2.0
"""The paper's comparison as a workflow: a matrix becomes cells, Snakemake runs them, a report shows what came out."""

from __future__ import annotations
