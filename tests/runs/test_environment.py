# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import monai
import pytest
import torch

from pipeline.runs import code_in_use, describe_code, describe_device, describe_environment, environment


def test_versions_are_there() -> None:
    tags = describe_environment()
    assert tags["versions.python"] == platform.python_version()
    assert tags["versions.torch"] == torch.__version__
    assert tags["versions.monai"] == monai.__version__
    assert {"versions.ignite", "versions.numpy"} <= tags.keys()


def test_the_device_is_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 7)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {torch.device(device).index}")
    assert describe_device(torch.device("cuda:3")) == {"device.name": "GPU 3", "device.count": "7"}
    on_cpu = describe_device(torch.device("cpu"))
    assert on_cpu["device.count"] == str(os.cpu_count()) and "GPU" not in on_cpu["device.name"]


def test_nothing_identifies_a_host() -> None:
    found = " ".join(describe_environment().values())
    assert platform.node() not in found and f"{Path.home()}/" not in found


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the code believes to lie: in no checkout, and without a word of its commit."""
    file = tmp_path / "pipeline" / "runs" / "environment.py"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(environment, "__file__", str(file))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("NLCEN_COMMIT", raising=False)
    return file


@pytest.mark.usefixtures("module")
def test_without_a_checkout_a_variable_tells_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "git.commit" not in describe_environment()
    monkeypatch.setenv("NLCEN_COMMIT", "abc")
    assert describe_environment()["git.commit"] == "abc" and describe_environment()["git.dirty"] == "False"
    monkeypatch.setenv("NLCEN_COMMIT", "abc+dirty")
    assert describe_environment()["git.commit"] == "abc" and describe_environment()["git.dirty"] == "True"
    monkeypatch.setenv("NLCEN_COMMIT", "")
    assert "git.commit" not in describe_environment()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git, which the Docker image does not have")
def test_commit_and_dirty_flag(module: Path, tmp_path: Path) -> None:
    git(tmp_path, "init")
    module.write_text("1")
    assert "git.commit" not in describe_environment()

    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    tags = describe_environment()
    assert tags["git.commit"] == git(tmp_path, "rev-parse", "HEAD")
    assert tags["git.dirty"] == "False"

    (tmp_path / "untracked").write_text("1")
    assert describe_environment()["git.dirty"] == "False"
    # a network of one's own is code that the commit lacks
    network = tmp_path / "pipeline" / "networks" / "mine.py"
    network.parent.mkdir()
    network.write_text("1")
    assert describe_environment()["git.dirty"] == "True"
    network.unlink()
    assert describe_environment()["git.dirty"] == "False"
    module.write_text("2")
    assert describe_environment()["git.dirty"] == "True"
    git(tmp_path, "checkout", ".")
    assert not describe_code()["dirty"]

    # git knows the commit, but cannot tell whether this is it
    (tmp_path / ".git" / "index").write_text("damaged")
    assert describe_code() == {"commit": tags["git.commit"], "dirty": True}


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git, which the Docker image does not have")
@pytest.mark.parametrize("place", [".venv/lib/site-packages", "vendor", "."])
@pytest.mark.parametrize("tracked", [True, False])
def test_the_commit_of_a_repository_that_merely_holds_the_installed_package_is_not_ours(
    place: str, tracked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NLCEN_COMMIT", raising=False)
    file = tmp_path / place / "pipeline" / "runs" / "environment.py"
    file.parent.mkdir(parents=True)
    git(tmp_path, "init")
    (tmp_path / "theirs").write_text("1")
    if tracked:
        file.write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "theirs")
    file.write_text("1")
    monkeypatch.setattr(environment, "__file__", str(file))
    # with the package at its root it is a checkout of ours, or a fork
    ours = tracked and place == "."
    assert describe_code() == {"commit": git(tmp_path, "rev-parse", "HEAD") if ours else None, "dirty": False}
    monkeypatch.setenv("NLCEN_COMMIT", "abc+dirty")
    assert ours or describe_code() == {"commit": "abc", "dirty": True}


def test_the_code_in_use_is_all_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pipeline"
    shutil.copytree(Path(environment.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    here = code_in_use()
    monkeypatch.setattr(environment, "__file__", str(package / "runs" / "environment.py"))
    assert code_in_use.__wrapped__() == here
    (package / "notes.txt").write_text("no code")
    assert code_in_use.__wrapped__() == here
    with open(package / "attacks" / "pgd.py", "a") as file:
        file.write("# changed\n")
    assert code_in_use.__wrapped__() != here
