# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
import torch.distributed as dist

from pipeline.utils import is_first_process


def test_torchrun_tells_it_before_the_processes_have_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert is_first_process()
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        assert is_first_process() == (rank == 0)


def test_the_process_group_tells_it_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")  # whoever has set this: the group knows better
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        assert is_first_process()
    finally:
        dist.destroy_process_group()
    assert not is_first_process()
