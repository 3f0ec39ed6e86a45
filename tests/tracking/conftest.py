# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.runs import open_run
from pipeline.tracking import Tracker


@pytest.fixture(autouse=True)
def no_tracking_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def new_tracker(store: str, tmp_path: Path) -> Iterator[Callable[..., Tracker]]:
    """Makes trackers that are started; what a test leaves open is closed after it."""
    trackers = []

    def make(identity: dict[str, object] | None = None, kind: str = "training", **arguments: object) -> Tracker:
        run = open_run(tmp_path / "eval", kind, identity or {})
        arguments = {"experiment_name": "lungs", "tracking_uri": store, "params": {}, **arguments}
        trackers.append(Tracker(run, **arguments))  # type: ignore[arg-type]
        trackers[-1].start()
        return trackers[-1]

    yield make
    for tracker in trackers:
        tracker.close()
