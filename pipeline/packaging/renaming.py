# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

__all__ = ["rename_packages", "rename_paths"]


def rename_packages(text: str) -> str:
    """Let Python code, a configuration or a document name the packages as a packaged bundle has them.

    The zoo keeps a bundle's own code in its package ``scripts``: ``pipeline.networks`` becomes ``scripts.networks``,
    ``data_prep`` becomes ``scripts.data_prep``.
    """
    text = re.sub(r"\bpipeline(?=\.[a-z])", "scripts", text)
    text = re.sub(r"\b((?:from|import) )data_prep\b", r"\1scripts.data_prep", text)
    return re.sub(r"\bpython -m data_prep\b", "python -m scripts.data_prep", text)


def rename_paths(text: str, name: str) -> str:
    """Let the paths of a document of ``bundles/<name>`` start from the bundle's own folder."""
    text = text.replace(f"bundles/{name}/configs/", "configs/").replace(f"bundles/{name}/models/", "models/")
    return re.sub(rf"\bbundles/{name}/(?=[\w/]+\.json)", "configs/", text)
