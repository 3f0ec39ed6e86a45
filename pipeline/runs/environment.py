# SPDX-License-Identifier: Apache-2.0
"""Code, packages and machine of a run."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from .packaged_code import code_digest, packaged_code

__all__ = ["code_in_use", "describe_code", "describe_device", "describe_environment", "device_name"]

_CODE = (":/pipeline", ":/bundles")  # what a run is made of, from the checkout's root
_PACKAGES = {"monai": "monai", "ignite": "pytorch-ignite", "numpy": "numpy"}


def describe_environment() -> dict[str, str]:
    """Return what a run is made with: code, packages, and a hash of the host's name.

    ``git.commit`` and ``git.dirty`` are those of ``describe_code``, absent where there is no commit.
    """
    # torch's own word: its package, unlike it, does not always say for which CUDA it was built
    found = {"versions.python": platform.python_version(), "versions.torch": str(torch.__version__)}
    found |= {f"versions.{name}": version(package) for name, package in _PACKAGES.items()}
    found["host.id"] = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    code = describe_code()
    if code["commit"]:
        found |= {"git.commit": code["commit"], "git.dirty": str(code["dirty"])}
    return found


def describe_device(device: torch.device) -> dict[str, str]:
    """Return the name of the device of a run, and how many of its kind the machine has."""
    count = torch.cuda.device_count() if device.type == "cuda" else os.cpu_count()
    return {"device.name": device_name(device), "device.count": str(count)}


def device_name(device: torch.device) -> str:
    """Return the name of a GPU, or of the processor for any other device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()


def describe_code() -> dict[str, Any]:
    """Return the ``commit`` of the checkout whose ``pipeline`` is this package, and whether the code is ``dirty``.

    Dirty: a tracked file differs from the commit, or a file of ``pipeline`` or ``bundles`` is in no commit, such as a
    new network. A packaged bundle knows its commit itself. Without either the variable ``NLCEN_COMMIT`` tells
    it, as in the Docker image, with ``+dirty`` behind it; ``commit`` is None where nothing does, as after
    ``pip install .``.
    """
    packaged = packaged_code(Path(__file__).parents[1])
    if packaged is not None:
        return packaged
    commit = _commit()
    if commit is None:
        built_from = os.environ.get("NLCEN_COMMIT", "")
        return {"commit": built_from.removesuffix("+dirty") or None, "dirty": built_from.endswith("+dirty")}
    changes = ("--untracked-files=no",), ("--", *_CODE)
    # without an answer nothing says that it is clean
    return {"commit": commit, "dirty": any(_git("status", "--porcelain", *each) != "" for each in changes)}


@lru_cache
def code_in_use() -> str:
    """Return the SHA-256 of this package's code as it lies here; figures made by other code are not mixed with its."""
    package = Path(__file__).parents[1]
    paths = package.rglob("*.py")
    # named as in a packaged bundle, whose code_digest it is
    return code_digest({f"scripts/{path.relative_to(package).as_posix()}": path.read_bytes() for path in paths})


def _commit() -> str | None:
    """The commit that has this file at its own place: an installed copy may lie in the repository of something else."""
    file = Path(__file__)
    place = _git("ls-tree", "--full-name", "--name-only", "HEAD", file.name)
    return _git("rev-parse", "--verify", "HEAD") if place == "/".join(file.parts[-3:]) else None


def _git(*arguments: str) -> str | None:
    """The output of a git command in the folder of this file; None if it fails: no git, no checkout, no commit."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
