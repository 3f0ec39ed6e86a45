# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCKS = ["linux-cpu", "linux-cuda"]
ALL = {"linux-cpu": "requirements.txt", "linux-cuda": "requirements.txt", "snakemake": "experiments/requirements.txt"}
PYTHONS = ["3.11", "3.12", "3.13"]


def requirements(path: Path) -> dict[str, list[str]]:
    """Every line of a requirements file without its hashes, continued lines joined, and its hashes."""
    lines = path.read_text().replace("\\\n", "").splitlines()
    parts = [re.split(r"\s+--hash=", line.strip()) for line in lines if not line.startswith("#")]
    return {requirement: hashes for requirement, *hashes in parts}


def versions(path: Path, python: str) -> dict[str, str]:
    """Every package that a requirements file pins for a Python on Linux, by its normalized name, and its version."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found = [Requirement(line) for line in requirements(path)]
    found = [line for line in found if line.marker is None or line.marker.evaluate(environment)]
    pinned = {re.sub(r"[-_.]+", "-", line.name).lower(): str(line.specifier).removeprefix("==") for line in found}
    assert len(pinned) == len(found), "a package is pinned twice"
    return pinned


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ALL)
def test_a_lock_has_the_versions_of_the_requirements(name: str, python: str) -> None:
    pinned = versions(ROOT / ALL[name], python)
    locked = versions(ROOT / "locks" / f"{name}.txt", python)
    if name == "linux-cpu":
        pinned["torch"] += "+cpu"
    assert {package: locked.get(package) for package in pinned} == pinned, "make lock writes the locks anew"
    assert len(locked) > 50


@pytest.mark.parametrize("name", ALL)
def test_each_line_of_a_lock_pins_one_version_with_hashes(name: str) -> None:
    for requirement, hashes in requirements(ROOT / "locks" / f"{name}.txt").items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;]+( ;.*)?", requirement), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), requirement


def test_the_locks_differ_in_the_build_of_torch_alone() -> None:
    cpu, cuda = (versions(ROOT / "locks" / f"{name}.txt", "3.11") for name in LOCKS)
    assert cuda.pop("torch") == cpu.pop("torch").removesuffix("+cpu")
    libraries = cuda.keys() - cpu.keys()
    assert all(package.startswith(("cuda-", "nvidia-", "triton")) for package in libraries)
    assert cpu == {package: version for package, version in cuda.items() if package not in libraries}
