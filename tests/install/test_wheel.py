# SPDX-License-Identifier: Apache-2.0
"""A wheel in an environment of its own: bundles run from their own folder and from anywhere, without the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ["--image_size", "[32,32]", "--progress", "False"]
pytestmark = pytest.mark.slow


def run(folder: Path, *command: object) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "MLFLOW_DISABLE_TELEMETRY": "true"}
    for name in ("PYTHONPATH", "MLFLOW_TRACKING_URI", "NLCEN_COMMIT"):
        environment.pop(name, None)
    done = subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel, and with the packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    for name in ("pipeline", "data_prep"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    run(folder, *pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", source)
    venv.create(folder / "environment")
    python = folder / "environment" / "bin" / "python"
    (wheel,) = (folder / "dist").iterdir()
    run(folder, *pip, "--python", python, "install", "--no-index", "--no-deps", wheel)
    (site,) = (folder / "environment" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    assert run(folder, python, "-c", "import pipeline; print(pipeline.__file__)").startswith(str(site))
    return python


def test_a_bundle_runs_from_its_own_folder_and_from_anywhere(python: Path, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("eval", "*.pt", "robustness")
    shutil.copytree(ROOT / "bundles", tmp_path / "bundles", symlinks=True, ignore=ignored)
    bundle, data = tmp_path / "bundles" / "nlcen_jsrt", tmp_path / "data"
    run(tmp_path, python, "-m", "data_prep", "phantoms", "--output", data, "--count", 4, "--size", 32, "--seed", 0)
    monai = [python, "-m", "monai.bundle", "run"]
    settings = [*SMALL, "--dataset_dir", data]

    once = ["--max_epochs", 1, "--sweep", False, "--panels", 0]
    run(bundle, *monai, "training", "--config_file", "configs/train.json", *settings, *once)
    (result,) = (bundle / "eval").glob("training_*/result.json")
    assert json.loads(result.read_text())["commit"] == "unknown"

    files = "['configs/train.json','configs/evaluate.json','../robustness.json']"
    run(bundle, *monai, "robustness", "--config_file", files, *settings, "--budget", "quick")
    report = bundle / "robustness" / "report.json"
    assert json.loads(report.read_text())["commit"] == "unknown"
    assert (report.parent / "report.html").is_file()

    pictures = [*SMALL, "--dataset_dir", data / "images"]
    run(bundle, *monai, "inferring", "--config_file", "configs/inference.json", *pictures)
    elsewhere = [bundle / "configs" / "inference.json", "--ckpt_path", bundle / "models" / "model.pt"]
    run(tmp_path, *monai, "inferring", "--config_file", *elsewhere, *pictures, "--output_dir", "masks")
    masks = {file.name: file.read_bytes() for file in (bundle / "eval" / "inference").rglob("*_mask.png")}
    assert len(masks) == 4
    assert masks == {file.name: file.read_bytes() for file in (tmp_path / "masks").rglob("*_mask.png")}
