# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.data import CacheDataset, Dataset
from monai.transforms import Compose, Lambdad, RandFlipd, RandLambdad

from pipeline.handlers import TrainingMasks
from pipeline.transforms import MaskRange, read_mask_range
from pipeline.weights import fingerprint_network

from .engines import make_network

# rows of foreground of 8
HEIGHTS = [2, 5, 3, 0, 4, 6]


def label(height: int) -> torch.Tensor:
    mask = torch.zeros(1, 8, 8)
    mask[:, :height] = 1
    # a part of its own, in one picture
    mask[:, 7, ::3] += float(height == 3)
    return mask


class Counted:
    """Loads labels, and counts how often each."""

    def __init__(self) -> None:
        self.loads: Counter[int] = Counter()

    def __call__(self, height: int) -> torch.Tensor:
        self.loads[height] += 1
        return label(height)


def transforms(load: Any) -> Compose:
    # the random transform would make every mask full
    fill = RandLambdad(keys="label", func=lambda mask: torch.ones_like(mask), prob=1.0)
    return Compose([Lambdad(keys="label", func=load), RandFlipd(keys="label", prob=1.0, spatial_axis=0), fill])


def finish(handler: TrainingMasks) -> None:
    engine = Engine(lambda engine, batch: None)
    handler.attach(engine)
    handler.attach(engine)
    engine.run([0], max_epochs=1)


@pytest.mark.parametrize("cache_rate", [1.0, 0.5, 0.0, None])
def test_masks_of_the_training_set_before_random_transforms(
    cache_rate: float | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = Counted()
    data = [{"label": height} for height in HEIGHTS]
    if cache_rate is None:
        dataset = Dataset(data, transforms(load))
    else:
        dataset = CacheDataset(data, transforms(load), cache_rate=cache_rate, progress=False, copy_cache=False)
    network = make_network()
    paths = (tmp_path / "run" / "model.pt", str(tmp_path / "models" / "model.pt"))
    finish(TrainingMasks(dataset, network, paths))
    # the smallest mask that is not empty has two rows; the third, of three rows, has three parts more
    expected = MaskRange(fingerprint_network(network), 6, (2 / 8, 6 / 8), 4)
    assert [read_mask_range(path) for path in paths] == [expected] * 2
    assert capsys.readouterr().err == "note: 1 of 6 masks of the training are empty.\n"
    # once in all: what is cached is not loaded again
    assert set(load.loads.values()) == {1} and len(load.loads) == len(HEIGHTS)
    # the training's own pictures are transformed as before
    assert dataset[0]["label"].mean() == 1


def test_the_weights_are_those_at_the_end(tmp_path: Path) -> None:
    network = make_network()
    dataset = Dataset([{"label": 2}], transforms(label))
    before = fingerprint_network(network)
    handler = TrainingMasks(dataset, network, [tmp_path / "model.pt"])

    def step(engine: Engine, batch: Any) -> None:
        with torch.no_grad():
            network.head.bias.add_(1)

    engine = Engine(step)
    handler.attach(engine)
    engine.run([0], max_epochs=2)
    assert read_mask_range(tmp_path / "model.pt").weights == fingerprint_network(network) != before


def test_an_interrupted_training_leaves_nothing(tmp_path: Path) -> None:
    engine = Engine(lambda engine, batch: 1 / batch)
    TrainingMasks(Dataset([{"label": 2}], transforms(label)), make_network(), [tmp_path / "model.pt"]).attach(engine)
    with pytest.raises(ZeroDivisionError):
        engine.run([0])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_of_several_processes_writes(rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: rank)
    finish(TrainingMasks(Dataset([{"label": 2}], transforms(label)), make_network(), [tmp_path / "model.pt"]))
    assert len(list(tmp_path.iterdir())) == 1 - rank
