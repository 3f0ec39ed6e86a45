# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)( ;.*)?\s*")
LOCKS = ["linux-cpu", "linux-cuda"]


def versions(path: Path) -> dict[str, str]:
    """Every pinned package of a requirements file, by its normalized name."""
    found = [REQUIREMENT.match(line) for line in path.read_text().splitlines()]
    return {re.sub(r"[-_.]+", "-", match[1]).lower(): match[2] for match in found if match}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_the_versions_of_the_requirements(name: str) -> None:
    pinned = versions(ROOT / "requirements.txt")
    locked = versions(ROOT / "locks" / f"{name}.txt")
    pinned["torch"] += "+cpu" if name == "linux-cpu" else ""
    assert {package: locked.get(package) for package in pinned} == pinned, "make lock writes the locks anew"


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_of_a_lock_is_pinned_once_with_hashes(name: str) -> None:
    lines = (ROOT / "locks" / f"{name}.txt").read_text().replace("\\\n", "").splitlines()
    requirements = [line for line in lines if not line.startswith("#")]
    assert len(versions(ROOT / "locks" / f"{name}.txt")) == len(requirements) > 100
    for line in requirements:
        requirement, *hashes = line.split("--hash=")
        assert REQUIREMENT.fullmatch(requirement), line
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text.strip()) for text in hashes), line


def test_the_locks_differ_in_the_build_of_torch_alone() -> None:
    cpu, cuda = (versions(ROOT / "locks" / f"{name}.txt") for name in LOCKS)
    assert cuda.pop("torch") == cpu.pop("torch").removesuffix("+cpu")
    libraries = cuda.keys() - cpu.keys()
    assert all(package.startswith(("cuda-", "nvidia-", "triton")) for package in libraries)
    assert cpu == {package: version for package, version in cuda.items() if package not in libraries}
