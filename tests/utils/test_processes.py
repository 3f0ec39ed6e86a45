# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from pipeline.networks import freeze_except
from pipeline.utils import InputError, batch_size_per_process
from pipeline.utils.processes import _synchronize


def make_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)), nn.Sequential(nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    )


def test_trained_batch_normalization_is_synchronized_with_the_same_parameters() -> None:
    network = make_network()
    before = dict(network.named_parameters()) | dict(network.named_buffers())
    _synchronize(network)
    assert [type(part[1]) for part in network] == [nn.SyncBatchNorm, nn.SyncBatchNorm]
    after = dict(network.named_parameters()) | dict(network.named_buffers())
    # an optimizer made before goes on with them
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)


def test_frozen_batch_normalization_stays_frozen() -> None:
    network = nn.ModuleDict({"old": make_network()[0], "new": make_network()[0]})
    _synchronize(freeze_except(network, "new"))
    old, new = network["old"], network["new"]
    assert isinstance(old[1], nn.BatchNorm2d) and isinstance(new[1], nn.SyncBatchNorm)
    network.train()
    old(torch.rand(2, 1, 8, 8))
    assert torch.equal(old[1].running_mean, torch.zeros(4))


@pytest.mark.parametrize("processes, expected", [(1, 8), (2, 4), (8, 1)])
def test_a_batch_is_shared_evenly(monkeypatch: pytest.MonkeyPatch, processes: int, expected: int) -> None:
    pretend(monkeypatch, processes)
    assert batch_size_per_process(8) == expected


def test_a_batch_that_cannot_be_shared_evenly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 3)
    message = (
        "batch_size: 8 images cannot be shared evenly by 3 processes; start a number of processes that divides 8, or "
        "change --batch_size."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        batch_size_per_process(8)


def test_without_a_process_group_one_process_has_the_whole_batch() -> None:
    assert batch_size_per_process(8) == 8


def pretend(monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: processes)
