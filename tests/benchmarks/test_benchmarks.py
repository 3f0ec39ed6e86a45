# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import inference, nlce, processes, shared_batch, sweep, training_step
from benchmarks.__main__ import main
from benchmarks.cold_start import first_mask
from benchmarks.figure import Figure, interleave
from benchmarks.options import Options
from benchmarks.peak_memory import measure, peak_memory
from benchmarks.shared_batch import launch
from pipeline.attacks import num_iterations
from pipeline.inference.export_network import export_network
from pipeline.networks import NLCEN
from pipeline.weights import safetensors_bytes
from tests.bundles.conftest import ROOT

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


@pytest.mark.slow
def test_networks_and_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # in this process, since three more interpreters would take longer than all the rest
    monkeypatch.setattr(nlce, "peak_memory", measure)
    monkeypatch.setattr(training_step, "peak_memory", measure)
    written = run(tmp_path, "nlce", "training-step", "amp", "layout", "loader")
    assert list(written["benchmarks"]) == ["nlce", "training-step", "amp", "layout", "loader"]
    assert {"date", "machine", "threads", "torch", "commit", "device"} <= set(written["circumstances"])
    printed = capsys.readouterr().out
    for figures in written["benchmarks"].values():
        values = numbers(figures)
        assert values and all(math.isfinite(value) for value in values.values())
        assert all(what in printed for what in values)
    assert 0 < numbers(written["benchmarks"]["loader"])["network's share of the step"] < 100


def small_network(options: Options) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 1))


@pytest.mark.slow
def test_inference_compares_the_exported_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, str, bool]] = []
    monkeypatch.setattr(inference, "random_network", small_network)
    monkeypatch.setattr(
        inference, "_start", lambda program, file, options: started.append((program, file.suffix, file.is_file()))
    )
    values = numbers(run(tmp_path, "inference")["benchmarks"]["inference"])
    programs = ("PyTorch", "torch.export", "ONNX Runtime")
    for batch in (1, 2):
        for program in programs:
            assert values[f"batch {batch}: {program}, per picture"] > 0
        for program in programs[1:]:
            # of float32, and no more than that: each computed the same pictures
            assert values[f"batch {batch}: {program}, difference of logits"] < 1e-5
    # once to warm up, once measured
    assert started == 2 * [(p, end, True) for p, end in zip(programs, (".safetensors", ".pt2", ".onnx"), strict=True)]


@pytest.mark.slow
def test_each_cold_start_gives_the_mask_of_the_network(tmp_path: Path) -> None:
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, 32, 32), dtype=np.float32))
    torch.manual_seed(0)
    nlcen = NLCEN(in_channels=1).eval()
    (tmp_path / "nlcen.safetensors").write_bytes(safetensors_bytes(nlcen, {}))
    small = small_network(Options())
    pt2, onnx, _ = export_network(small, 1, tmp_path, {})
    for program, file, network in (
        ("PyTorch", tmp_path / "nlcen.safetensors", nlcen),
        ("torch.export", pt2, small),
        ("ONNX Runtime", onnx, small),
    ):
        with torch.no_grad():
            expected = network(image)[0].argmax(0).numpy()
        assert 0 < expected.mean() < 1
        np.testing.assert_array_equal(first_mask(program, str(file), 32, "cpu"), expected)
    inference._start("ONNX Runtime", onnx, Options(size=32))
    with pytest.raises(RuntimeError, match=r"(?s)^The cold start of ONNX Runtime failed:\n.*gone\.onnx"):
        inference._start("ONNX Runtime", tmp_path / "gone.onnx", Options(size=32))
    # a start is that of what it needs
    code = (
        "import sys; from benchmarks import cold_start as c; c.first_mask(*sys.argv[1:3], 32, ''); print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, "ONNX Runtime", str(onnx)]
    loaded = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert "onnxruntime" in loaded and not {"torch", "monai"} & set(loaded)


def test_two_processes_share_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, int]] = []

    def fake(work: str, options: Options, processes: int, threads: int) -> list[float]:
        seen.append((work, processes, threads))
        return [6.0 / processes / threads, 9.0, 0.1]

    monkeypatch.setattr(processes, "launch", fake)
    values = numbers(run(tmp_path, "processes")["benchmarks"]["processes"])
    settings = [(1, 1), (1, 2), (2, 1)]
    assert seen == [(work, *setting) for work in ("training step", "sweep") for setting in settings]
    assert values["sweep: 1 process, 2 threads"] == 3
    assert values["training step: 1 process, 1 thread / 2 processes, 1 thread each"] == 2
    assert values["training step: 1 process, 2 threads / 2 processes, 1 thread each"] == 1
    (figure,) = processes.run(Options(batch=3))
    assert figure.note == "skipped, they cannot share a batch of 3 evenly"


@pytest.mark.slow
def test_processes_meet_and_each_takes_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(launch("training step", Options(batch=4, size=32), processes=2, threads=1)) == 5
    # one picture of 32 x 32 leaves batch normalization one value to take the mean of
    with pytest.raises(
        RuntimeError, match=r"(?s)^The measurement of the training step by 1 processes failed:\n.*more than 1 value"
    ):
        launch("training step", Options(batch=1, size=32), processes=1, threads=1)
    passes: list[int] = []
    network = small_network(Options())
    network.register_forward_hook(lambda _, inputs, output: passes.append(len(inputs[0])))
    monkeypatch.setattr(shared_batch, "random_network", lambda options: network)
    monkeypatch.setattr(shared_batch, "batch_size_per_process", lambda batch: batch // 2)
    assert len(shared_batch.measure("sweep", Options(batch=6, size=32))) == 1
    # the warm-up at the least intensity, and the sweep
    assert passes == [3] * (num_iterations(0.5) + 69)


@pytest.mark.slow
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
    names = "sweep, nlce, training-step, amp, layout, loader, inference, processes"
    assert f"there is no benchmark 'sweeep'; choose from {names}" in capsys.readouterr().err
