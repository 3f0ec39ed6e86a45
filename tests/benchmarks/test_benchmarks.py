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

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import nlce, sweep, training_step
from benchmarks.__main__ import main
from benchmarks.figure import Figure
from benchmarks.options import Options
from benchmarks.peak_memory import measure, peak_memory
from benchmarks.timing import interleave

TOY = ["--size", "32", "--batch", "2", "--repeats", "1"]


def run(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    main([*arguments, *TOY, "--output", str(tmp_path / "benchmarks.json")])
    return json.loads((tmp_path / "benchmarks.json").read_text())


def numbers(figures: list[dict[str, Any]]) -> dict[str, float]:
    return {figure["what"]: figure["value"] for figure in figures if figure["value"] is not None}


def test_sweep_counts_its_gradients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(4, 2, 1))
    monkeypatch.setattr(sweep, "random_network", lambda options: network)
    monkeypatch.setitem(sys.modules, "torchattacks", None)
    figures = run(tmp_path, "sweep")["benchmarks"]["sweep"]
    values = numbers(figures)
    assert values["gradients of the shared sweep"] == 69
    assert values["gradients of 18 separate attacks"] == 327
    assert values["largest difference from 18 separate attacks"] == 0
    assert all(math.isfinite(value) for value in values.values())
    assert [f["what"] for f in figures if f["note"].startswith("skipped, ")] == ["torchattacks' BIM, 18 times"]


def test_networks_and_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # in this process, since three more interpreters would take longer than all the rest
    monkeypatch.setattr(nlce, "peak_memory", measure)
    monkeypatch.setattr(training_step, "peak_memory", measure)
    written = run(tmp_path, "nlce", "training-step", "layout", "loader")
    assert list(written["benchmarks"]) == ["nlce", "training-step", "layout", "loader"]
    assert {"date", "machine", "threads", "torch", "commit", "device"} <= set(written["circumstances"])
    printed = capsys.readouterr().out
    for figures in written["benchmarks"].values():
        values = numbers(figures)
        assert values and all(math.isfinite(value) for value in values.values())
        assert all(what in printed for what in values)
    assert 0 < numbers(written["benchmarks"]["loader"])["network's share of the step"] < 100


def test_peak_memory_sees_the_attention_of_the_direct_formula() -> None:
    """N = 4096: the forward pass alone holds the N × N logits or the attention, 67 MB each."""
    peak = peak_memory("nlce.direct", Options(batch=1, size=256))
    assert peak is not None
    assert peak.megabytes > 2 * 4 * 4096**2 / 1e6


def test_variants_take_turns() -> None:
    calls: list[str] = []
    seconds = interleave({name: lambda name=name: calls.append(name) for name in "ab"}, repeats=2, device="cpu")
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert {name: len(samples) for name, samples in seconds.items()} == {"a": 2, "b": 2}


@pytest.mark.parametrize(("value", "reached"), [(3.9, False), (4.0, True), (6.1, False), (None, None)])
def test_figure_knows_its_bounds(value: float | None, reached: bool | None) -> None:
    assert Figure("", value, at_least=4, at_most=6).reached is reached


def test_unknown_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweeep"])
    names = "sweep, nlce, training-step, layout, loader"
    assert f"there is no benchmark 'sweeep'; choose from {names}" in capsys.readouterr().err
