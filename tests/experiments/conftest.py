# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from experiments import plan as planning
from experiments import run_cell as running
from experiments.__main__ import main
from experiments.plan import Plan, read_plan


@dataclass
class Project:
    """A matrix of six cells with its bundle and data, a place for results, and a bundle that answers at once.

    Attributes:
        calls: names and options of the bundle runs until now.
        facts: what differs in the next runs' ``result.json``.
        broken: cells whose bundle fails.
    """

    folder: Path
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    @property
    def matrix(self) -> Path:
        return self.folder / "toy.json"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def change(self, **parts: Any) -> None:
        """Change parts of the matrix; None takes one out."""
        content = {**json.loads(self.matrix.read_text()), **parts}
        self.matrix.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    def plan(self, *options: str) -> Plan:
        """Plan as the Snakefile does."""
        planning._merged.cache_clear()
        planning._read_data.cache_clear()
        assert main(["plan", str(self.matrix), "--results", str(self.results), *options]) == 0
        return read_plan(self.results)

    def run(self, *names: str) -> list[int]:
        """Run cells of the plan, all if none is named; their exit statuses."""
        cells = read_plan(self.results).cells
        chosen = [cells[name] for name in names or cells]
        return [main(["cell", cell.name, cell.fingerprint, "--results", str(self.results)]) for cell in chosen]

    def run_folder(self, name: str) -> Path:
        """The folder of a finished cell's run."""
        return next(self.results.glob(f"cells/{name}/*/runs/*/result.json")).parent

    def bundle(self, name: str, command: list[str], log: Path) -> int:
        """Stands for a bundle run: writes what a cell leaves."""
        options = dict(zip(command[3::2], command[4::2], strict=True))
        self.calls.append((name, options))
        log.write_text(f"$ python -m {shlex.join(command)}\n")
        if name in self.broken:
            return 1
        run, models = Path(options["--output_dir"], f"{command[2]}_1"), Path(options["--ckpt_dir"])
        run.mkdir(parents=True)
        if command[2] == "training":
            models.mkdir()
            (models / "model.pt").write_text(name + options.get("--initial_weights", ""))
        epsilons = json.loads(options.get("--epsilons", "[0.5, 32.0]"))
        rows = [f"{image},{ε},0.75,{0.5 + len(name) / 1000}" for image in ("001", "NA") for ε in (0.0, *epsilons)]
        (run / "per_image.csv").write_text("\n".join(["image,epsilon,DIC,JSC", *rows]) + "\n")
        result = {
            "network": "a title",
            "commit": "abc123",
            "dirty": False,
            "data_fingerprint": "f00",
            "parameters": 12,
            "gradients_per_image": 69,
            "training_seconds": 2.5 if command[2] == "training" else None,
            "evaluation_seconds": 1.5,
            "peak_memory_mb": 100.0,
            "device": "a processor",
            "iterations": {"0.5": 1, "32.0": 36},
        }
        (run / "result.json").write_text(json.dumps(result | self.facts))
        return 0


CELLS = [
    "lungs-nlcen_nlce-seed0",
    "lungs-nlcen-seed0",
    "lungs-ablation-frozen-seed0",
    "lungs-ablation-fine_tuned-seed0",
    "lungs-claim-twelve_bit-nlcen_nlce-seed0",
    "lungs-claim-transfer-nlcen_nlce-seed0",
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    configs = {
        "train": {"max_epochs": 60},
        "evaluate": {},
        "networks/unet": {},
        "networks/cdnn": {},
        "ablation/frozen": {},
        "ablation/fine_tuned": {},
        "readings/twelve_bit": {},
        "readings/transfer": {},
        "variants/scaled_attention": {},
        "defence/mixed": {},
    }
    for name, content in configs.items():
        file = tmp_path / "bundle" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    write_data(tmp_path / "data")
    matrix = {
        "data": {"lungs": {"bundle": str(tmp_path / "bundle"), "dataset_dir": str(tmp_path / "data")}},
        "settings": {"max_epochs": 3},
        "seeds": [0],
        "networks": ["nlcen"],
        "comparison": {"data": ["lungs"], "nlce": [True, False]},
        "ablation": {
            "data": ["lungs"],
            "stages": {
                "frozen": {"from": "without_nlce", "overlay": "frozen", "settings": {"non_local": False}},
                "fine_tuned": {"from": "frozen", "overlay": "fine_tuned"},
            },
        },
        "claim": {
            "data": ["lungs"],
            "networks": ["nlcen_nlce"],
            "readings": ["twelve_bit"],
            "transfer": {"nlcen_nlce": "nlcen"},
        },
    }
    (tmp_path / "toy.json").write_text(json.dumps(matrix))
    project = Project(tmp_path)
    monkeypatch.setattr(running, "_run", project.bundle)
    return project


def write_data(folder: Path, pixels: bytes = b"pixels") -> None:
    """Write a data list of one training and one test picture."""
    folder.mkdir(exist_ok=True)
    lists: dict[str, list[dict[str, str]]] = {}
    for section in ("training", "test"):
        for kind in ("image", "label"):
            (folder / f"{section}_{kind}.png").write_bytes(pixels)
        lists[section] = [{"image": f"{section}_image.png", "label": f"{section}_label.png"}]
    (folder / "datalist.json").write_text(json.dumps({"description": "2 lungs", **lists}))


@pytest.fixture
def make_report(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[int, str, str]]:
    """Runs the command line ``report`` without figures and MLflow: exit status, output, errors."""
    monkeypatch.setattr("experiments.report.write_report", lambda *_: [])
    monkeypatch.setattr("experiments.send_report.send_report", lambda *_: None)

    def make() -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["report", "--results", str(project.results)])
        return status, *capsys.readouterr()

    return make
