# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "integrations").glob("*/*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_scripts_are_bash_and_say_how_to_call_them(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    called = subprocess.run(["bash", str(script)], capture_output=True, text=True, cwd=ROOT)
    assert called.returncode == 1
    assert f"usage: {script.name} " in called.stderr
