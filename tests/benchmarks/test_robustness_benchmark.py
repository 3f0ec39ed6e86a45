# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmarks.robustness import __main__ as program
from benchmarks.robustness import peer
from benchmarks.robustness.methods import METHODS
from benchmarks.robustness.problem import Answer, Problem
from benchmarks.robustness.referee import CLIPPED, Referee, means
from benchmarks.robustness.sea import ReferenceAPGD
from pipeline.attacks import AttackedNetwork
from pipeline.attacks.gradient_attack import Ball
from pipeline.losses import MaskedCrossEntropy
from pipeline.utils import InputError


class Threshold(nn.Module):
    """Foreground is what is brighter than half."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - images, images - 0.5], 1)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((2, 6, 6), np.uint8)
    labels[:, 2:5, 1:5] = 1
    # 4.5 grey levels from the threshold of 127.5, the second picture 20.5
    images = np.where(labels, 132, 123).astype(np.uint8)
    images[1] = np.where(labels[1], 148, 107)
    return images, labels


def referee() -> Referee:
    images, labels = pictures()
    problem = Problem("", images, labels, np.array([2.0, 8.0]))
    return Referee(AttackedNetwork(Threshold()), problem, torch.device("cpu"))


def test_ours_and_sea_at_toy_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = pictures()
    np.savez(tmp_path / "data.npz", images=images, labels=labels)

    started: list[str] = []
    (tmp_path / "weights.pt").write_bytes(b"of the toy")

    def start(task: program.Task, found: Path, *_: object) -> None:
        # in this process, since another interpreter takes seconds to start
        started.append(task.method)
        if task.method not in ("battery", "SEA"):
            raise InputError("ModuleNotFoundError: No module named 'nobody'")
        peer.answer(task.method, task.problem).save(found)

    monkeypatch.setattr(program, "_start", start)
    for module in (program, peer):
        monkeypatch.setattr(module, "load_network", lambda weights, device: Threshold())
    data, output = str(tmp_path / "data.npz"), tmp_path / "results.json"
    methods = ["--methods", "battery,SEA,adv-lib DAG"]
    settings = ["--budget", "quick", "--sea-epsilons", "2,8", "--sea-steps", "10", "--batch", "1", *methods]
    call = ["--network", f"toy={tmp_path / 'weights.pt'}", "--data", data, "--output", str(output), *settings]
    program.main(call)
    found = json.loads(output.read_text())["networks"]["toy"]
    # a picture is lost as a whole where ε reaches the threshold, and else kept
    assert found["clean"] == 1
    assert found["DIC"]["battery"] == {"2": 1.0, "8": 0.5, "32": 0.0}
    assert found["DIC"]["SEA"] == {"2": 1.0, "8": 0.5, "32": None}
    # at 8 the first loss ends it for the first picture
    assert found["gradients"]["SEA"] == (3 + (1 + 3) / 2) * 10
    assert 0 < found["gradients"]["battery"] <= 100
    assert found["bounds"]["SEA"] == {"2": True, "8": True}
    assert found["bounds"]["gradients"] is (found["gradients"]["battery"] * 5 <= 90)
    assert found["failed"] == {"adv-lib DAG": "ModuleNotFoundError: No module named 'nobody'"}
    assert "| battery | 1.0000 | 0.5000 | 0.0000 |" in output.with_suffix(".md").read_text()
    # called again, it has all answers but that of the one that failed; other weights are another problem
    assert sorted(started) == ["SEA"] * 4 + ["adv-lib DAG"] + ["battery"] * 2
    started.clear()
    program.main(call)
    assert json.loads(output.read_text())["networks"]["toy"] == found
    assert started == ["adv-lib DAG"]
    (tmp_path / "weights.pt").write_bytes(b"of another")
    program.main(call)
    assert len(started) == 8


def test_a_smallest_change_counts_only_within_epsilon() -> None:
    images, labels = pictures()
    # 9 and 21 grey levels: both are beyond the threshold
    moved = np.where(labels, -1.0, 1.0).astype(np.float32) * np.array([9, 21], np.float32)[:, None, None]
    epsilons = np.array([2.0, 8.0, 16.0])
    scores = referee().scores("adv-lib DAG", (images + moved)[None], epsilons, 0)
    found = means(pd.concat([referee().clean(), scores]), epsilons)
    assert found["adv-lib DAG"] == {2.0: 1.0, 8.0: 1.0, 16.0: 0.5}
    # the first picture's threshold is within 8
    assert found["adv-lib DAG" + CLIPPED] == {2.0: 1.0, 8.0: 0.5, 16.0: 0.5}
    assert scores.loc[scores["attack"] == "adv-lib DAG", "norm"].tolist() == [9, 21] * 3


def test_a_picture_outside_the_ball_is_refused() -> None:
    images, _ = pictures()
    with pytest.raises(InputError, match="2.5 grey levels away"):
        referee().scores("SEA", (images + np.float32(2.5))[None], np.array([2.0]), 0)


def test_seas_search_goes_on_from_the_most_wrong_pixels() -> None:
    # a seed for which the point of the highest cross-entropy is another one
    torch.manual_seed(4)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3, padding=1))
    for parameter in network.requires_grad_(False).parameters():
        parameter.mul_(4)
    picture = 255 * torch.rand(3, 1, 8, 8)
    label = network(picture / 255).argmax(1, keepdim=True).float()
    shown: list[torch.Tensor] = []
    attacked = AttackedNetwork(network, on_pictures=shown.append)
    attack = ReferenceAPGD(20, loss_function=MaskedCrossEntropy(), target=None)
    ball = Ball(attack, attacked, picture, label, 8.0)
    last = attack.descend(ball, torch.zeros_like(picture))
    wrong = torch.stack([(network(found / 255).argmax(1, keepdim=True) != label).flatten(1).sum(1) for found in shown])
    assert len(shown) == 20
    radii = torch.stack([(found - picture).abs().max() / 8 for found in shown])
    assert [radii[:6].max(), radii[6:12].max(), radii[12:].max()] == pytest.approx([2, 1.5, 1], abs=1e-4)
    returned = (network((picture + last) / 255).argmax(1, keepdim=True) != label).flatten(1).sum(1)
    assert returned.tolist() == wrong[12:].amax(0).tolist()
    # the second radius begins at the most wrong point of the first, clipped
    first = torch.stack(shown[:6])[5 - wrong[:6].flip(0).argmax(0), range(3)]
    start = picture + (first - picture).clamp(-12, 12)
    torch.testing.assert_close(shown[6], start.clamp(0, 255), atol=1e-3, rtol=0)


def test_problem_and_answer_survive_their_files(tmp_path: Path) -> None:
    images, labels = pictures()
    Problem("a,b", images, labels, np.array([0.5]), "quick", 7).save(tmp_path / "x.npz")
    problem = Problem.load(tmp_path / "x.npz")
    assert (problem.weights, problem.budget, problem.sea_steps) == ("a,b", "quick", 7)
    np.testing.assert_array_equal(problem.images, images)
    Answer(images[None].astype(np.float32), 2.5, 0.25, "CPU", "abc").save(tmp_path / "y.npz")
    answer = Answer.load(tmp_path / "y.npz")
    assert (answer.gradients, answer.seconds, answer.device, answer.pictures.shape) == (2.5, 0.25, "CPU", (1, 2, 6, 6))


def test_each_library_has_a_folder() -> None:
    assert {method.package for method in METHODS.values()} == {None, "adv_lib", "cospgd", "torchattacks"}
