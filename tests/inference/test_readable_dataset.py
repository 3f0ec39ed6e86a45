# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from monai.transforms import Compose, Lambda
from torch import nn

from pipeline.inference import ReadableDataset, segment_pictures
from pipeline.utils import InputError


def items(*numbers: int, path: str = "/of/Doe/{}.dcm", shown: str = "dicom_{}") -> list[dict[str, Any]]:
    return [{"image": path.format(n), "shown": shown.format(n), "number": n} for n in numbers]


def read(item: dict[str, Any]) -> int:
    if item["number"] == 2:
        raise InputError(f"The file {item['image']} is\ndamaged.")
    if item["number"] == 5:
        raise ValueError("could not convert 'Doe^John'")
    return 10 * int(item["number"])


def test_what_cannot_be_read_is_left_out_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = ReadableDataset(items(1, 2, 3), Compose([read]), progress=False)
    for _ in range(2):
        assert list(dataset) == [10, 30]
        assert dataset.failures == ["The file dicom_2 is damaged."]
        assert "failed: The file dicom_2 is damaged." in capsys.readouterr().err.splitlines()


def test_any_exception_costs_only_its_own_item_and_tells_nothing_of_a_patient() -> None:
    dataset = ReadableDataset(items(5, 1, 5), Compose([read]), progress=False)
    assert list(dataset) == [10]
    assert dataset.failures == ["dicom_5 could not be segmented (ValueError)."] * 2


def test_of_other_files_the_exception_itself_is_told() -> None:
    dataset = ReadableDataset(items(5, path="{}.png", shown="{}.png"), read, progress=False)
    assert list(dataset) == []
    assert dataset.failures == ["5.png could not be segmented (ValueError: could not convert 'Doe^John')."]


def test_an_interruption_is_no_failure() -> None:
    def interrupted(item: Any) -> None:
        raise KeyboardInterrupt

    dataset = ReadableDataset(items(1), interrupted, progress=False)
    with pytest.raises(KeyboardInterrupt):
        list(dataset)
    assert dataset.failures == []


def test_notes_of_readers_are_kept_by_their_sentences() -> None:
    def noting(item: dict[str, Any]) -> dict[str, Any]:
        return {"image": SimpleNamespace(meta={"notes": "No spacing." if item["number"] != 2 else ""})}

    dataset = ReadableDataset(items(1, 2, 3), noting, progress=False)
    list(dataset)
    assert list(dataset.notes.lines()) == ["note: dicom_1: No spacing. There are 2 notes of this kind."]


class Overflow(nn.Module):
    """Gives the picture back, and fails for number 2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.flatten()[0] == 2:
            raise MemoryError("of Doe")
        return x


def evaluator_over(dataset: ReadableDataset, seen: list[float], end: Any = None) -> SupervisedEvaluator:
    """Fails in the network for 2, in the postprocessing for 3, in writing for 4."""
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=Overflow(),
        inferer=SimpleInferer(),
        postprocessing=Lambda(lambda item: {**item, "pred": item["pred"] if item["pred"] != 3 else 1 / 0}),
    )

    def keep(engine: Any) -> None:
        value = float(engine.state.output[0]["pred"])
        if value == 4:
            raise InputError("output_dir: the results of 4 cannot be written.")
        seen.append(value)

    evaluator.add_event_handler(Events.ITERATION_COMPLETED, keep)
    if end is not None:
        evaluator.add_event_handler(Events.COMPLETED, end)
    return evaluator


def as_picture(item: dict[str, Any]) -> dict[str, Any]:
    return {"image": torch.full((1,), float(item["number"]))}


def test_network_postprocessing_and_writing_cost_only_their_own_picture(caplog: pytest.LogCaptureFixture) -> None:
    dataset = ReadableDataset(items(1, 2, 3, 4, 5, 6), as_picture, progress=False)
    seen: list[float] = []
    evaluator = evaluator_over(dataset, seen)
    for _ in range(2):
        segment_pictures(evaluator, dataset)
        assert seen == [1, 5, 6]
        assert [failure.split(" (")[0] for failure in dataset.failures] == [
            "dicom_2 could not be segmented",
            "dicom_3 could not be segmented",
            "dicom_4: output_dir: the results of 4 cannot be written.",
        ]
        seen.clear()
    assert "Doe" not in caplog.text


def test_an_error_that_is_no_picture_s_is_raised() -> None:
    def fail(engine: Any) -> None:
        raise ZeroDivisionError("at the end")

    dataset = ReadableDataset(items(1), as_picture, progress=False)
    with pytest.raises(ZeroDivisionError, match="at the end"):
        segment_pictures(evaluator_over(dataset, [], end=fail), dataset)
    assert dataset.failures == []
