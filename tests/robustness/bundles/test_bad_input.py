# SPDX-License-Identifier: Apache-2.0
"""What a user is told where a bundle, a setting or the data is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.engines import SupervisedEvaluator
from torch import nn

from pipeline.attacks import Softmax
from pipeline.handlers import RobustnessAssessment
from pipeline.robustness import image_names, whole_masks
from pipeline.utils import InputError, find_input_error
from tests.interpreter import Interpreter

from .conftest import OVERLAY, ROOT, Run, config_files, contents


def told(bundle: Path, output: Path, run: Run, *more: Path, **settings: Any) -> str:
    with pytest.raises((InputError, RuntimeError)) as raised:
        run(bundle, output, *more, **settings)
    error = find_input_error(raised.value)
    assert error is not None, raised.value
    assert not (output / "report.json").exists()
    return str(error)


@pytest.mark.parametrize(
    ("settings", "begin"),
    [
        ({"dataset_dir": "/nowhere"}, "robustness: the bundle's validate#dataloader has no images"),
        ({"images": "$open('/nowhere')"}, "robustness: the bundle's validate#dataloader cannot be made (FileNotFound"),
        (
            {"images": "$__import__('absent_package')"},
            "robustness: the bundle's validate#dataloader cannot be made, since code that it needs is not there (No "
            "module named 'absent_package'); install the package, or put the folder of the bundle's own code into "
            "PYTHONPATH.",
        ),
        ({"ckpt_dir": "/nowhere"}, "ckpt_path: there is no file /nowhere/model.pt"),
        ({"ckpt_path": "/nowhere/other.pt"}, "ckpt_path: there is no file /nowhere/other.pt"),
        ({"budget": "wrong"}, "--budget must be "),
        ({"epsilons": [300.0]}, "epsilons: a grey level can change by 255 at most"),
        ({"epsilons": [8.0, 2.0]}, "epsilons: the intensities must rise"),
        (
            {"intensity_range": [5.0, -5.0]},
            "intensity_range: two numbers are needed, the lower one first, got (5.0, -5",
        ),
        ({"intensity_range": 5}, "--intensity_range must be "),
        ({"validate#evaluator": None}, "robustness: the bundle has no 'validate#evaluator'"),
        ({"validate#dataloader": None}, "robustness: the bundle has no 'validate#dataloader'"),
        ({"network": None}, "robustness: the bundle has no 'network'"),
        ({"ckpt_dir": None}, "robustness: the bundle has no 'ckpt_dir'"),
        (
            {"validate#evaluator#inferer": "@nowhere"},
            "robustness: the bundle's validate#evaluator refers to 'nowhere', which the bundle does not have",
        ),
        ({"criteria": [{"epsilon": 2.0}]}, "criteria: each needs 'epsilon' and 'at_least'"),
        ({"criteria": [{"epsilon": "32", "at_least": 0.8}]}, "criteria: 'epsilon' must be a number, got '32'"),
        ({"robustness_dir": __file__}, f"{__file__} is a file; name a folder for the report"),
    ],
)
def test_settings_and_keys(settings: dict[str, Any], begin: str, colors: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "more.json"
    gone = {key: value for key, value in settings.items() if value is None}
    file.write_text(json.dumps(gone))
    rest = {key: value for key, value in settings.items() if value is not None}
    assert told(colors, tmp_path / "out", run, file, **rest).startswith(begin)


def test_the_range_that_was_measured(colors: Path, tmp_path: Path, run: Run) -> None:
    message = told(colors, tmp_path, run, intensity_range=[-0.5, 0.5])
    assert message.startswith("intensity_range: the images hold values from -")
    assert '[-0.5, 0.5]; say their range (--intensity_range "[-' in message and "ScaleIntensityRanged" not in message
    # what is proposed is not refused in its turn
    proposed = json.loads(message.split('"')[1])
    assert run(colors, tmp_path, intensity_range=proposed)["facts"]["intensity_range"] == proposed


def test_a_threshold_that_is_not_half(colors: Path, tmp_path: Path, run: Run) -> None:
    assert told(colors, tmp_path, run, **{"validate#postprocessing#transforms#1#threshold": 0.3}).startswith(
        "validate#postprocessing: the sigmoid's threshold is 0.3"
    )


@pytest.mark.parametrize(
    "transform",
    [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": "$1 > 0"},
        {"_target_": "Lambdad", "keys": "pred", "func": "$torch.nn.Sigmoid()"},
    ],
    ids=["argument", "function"],
)
def test_a_sigmoid_that_is_an_expression_is_asked_for(
    transform: dict[str, Any], colors: Path, tmp_path: Path, run: Run
) -> None:
    settings = {"validate#postprocessing": {"_target_": "Compose", "transforms": [transform]}, "epsilons": [2.0]}
    message = told(colors, tmp_path, run, **settings)
    assert message.startswith("validate#postprocessing: '$") and "--robustness_assessment#sigmoid true" in message
    facts = run(colors, tmp_path, **settings, **{"robustness_assessment#sigmoid": True})["facts"]
    assert facts["classes"] == "2 labels, which may overlap"


@pytest.mark.parametrize("threshold", [0.2, [0.2, None]])
def test_a_threshold_of_a_softmax(threshold: Any, volumes: Path, tmp_path: Path, run: Run) -> None:
    message = told(volumes, tmp_path, run, **{"validate#postprocessing#transforms#0#threshold": threshold})
    assert message.startswith(
        "validate#postprocessing: the threshold is 0.2, but where there is no sigmoid the battery"
    )


def test_a_command_that_is_wrong_ends_with_one_sentence(
    volumes: Path, tmp_path: Path, interpreter: Interpreter
) -> None:
    before = contents(volumes)
    own = ["--bundle_root", str(volumes), "--robustness_dir", str(tmp_path / "out")]
    command = ["run", "robustness", "--config_file", str([*config_files(volumes), str(OVERLAY)]), *own]
    wrong = {
        "--dataset_dir": (["/nowhere"], "error: robustness: the bundle's validate#dataloader "),
        "--bugdet": (["quick"], "error: --bugdet: the configuration has no such setting; did you mean 'budget'?"),
    }
    programs = {
        name: interpreter.start_module("monai.bundle", [*command, name, *values], ROOT)
        for name, (values, _) in wrong.items()
    }
    for name, program in programs.items():
        output = program.finish()
        assert program.status == 1
        assert output.strip().splitlines()[-1].startswith(wrong[name][1]) and "Traceback" not in output
    assert contents(volumes) == before


class Constant(nn.Module):
    """The same logits for every picture."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(1, channels, 8, 8, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits + 0 * x.sum(1, keepdim=True)


def assess(network: nn.Module, batches: list[dict[str, Any]], output: Path, **settings: Any) -> dict[str, Any]:
    evaluator = SupervisedEvaluator(
        torch.device("cpu"), batches, network, iteration_update=lambda engine, batch: {}, decollate=False
    )
    handler = RobustnessAssessment(output, "quick", [32.0], progress=False, **settings)
    handler.attach(evaluator)
    evaluator.run()
    return handler.report


def batch(label: torch.Tensor | None, seed: int = 0) -> dict[str, Any]:
    image = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return {"image": image} if label is None else {"image": image, "label": label}


SQUARE = torch.zeros(2, 1, 8, 8)
SQUARE[..., 2:5, 3:7] = 1


@pytest.mark.parametrize(
    ("channels", "label", "begin"),
    [
        (1, SQUARE, "Constant, image 1, image 2: the network has one output channel"),
        (2, None, "robustness: the batches have no key 'label'"),
        (2, 3 * SQUARE, "image 3, image 4: the masks hold values from 0 to 3"),
        (2, SQUARE.repeat(1, 2, 1, 1), "label: the 2 masks of an image overlap"),
        (2, SQUARE / 0, "label: the masks hold values that are not numbers"),
        (2, SQUARE[..., 1:], "image 3, image 4: the masks have the size (8, 7), but their images (8, 8); give each"),
    ],
    ids=["one_channel", "no_label", "other_class", "overlap", "nan", "size"],
)
def test_networks_and_masks(channels: int, label: torch.Tensor | None, begin: str, tmp_path: Path) -> None:
    # what is wrong is in the second batch: it is said before the first one is attacked
    batches = [batch(label if channels == 1 or label is None else SQUARE), batch(label, 1)]
    with pytest.raises(InputError) as raised:
        assess(Constant(channels), batches, tmp_path)
    message = str(raised.value)
    assert message.startswith(begin) and not (tmp_path / "images.json").exists()


def test_masks_of_another_size_in_the_first_batch_are_not_the_networks_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        assess(Constant(), [batch(SQUARE[..., 1:, :])], tmp_path)
    assert str(raised.value) == (
        "Constant, image 1, image 2: the masks have the size (7, 8), but their images (8, 8); give each image a mask "
        "of its own size."
    )


def test_a_picture_with_what_is_no_number_is_named(tmp_path: Path) -> None:
    broken = batch(SQUARE, 1) | {"id": ["a", "b"]}
    broken["image"][1, 0, 3, 3] = float("nan")
    with pytest.raises(InputError) as raised:
        assess(Constant(), [batch(SQUARE), broken], tmp_path)
    assert str(raised.value) == (
        "a, b: image 2 of the 2 holds values that are no numbers, or infinite; correct its file or the preprocessing."
    )


def test_masks_that_are_cut_are_counted_one_by_one(tmp_path: Path) -> None:
    cut = SQUARE.clone()
    cut[1, 0, 0, 0] = 0.5
    report = assess(Constant(), [batch(SQUARE), batch(cut, 1)], tmp_path)
    assert report["facts"]["cut_masks"] == 1


def test_training_masks_of_other_numbers_make_no_floor_and_those_that_are_cut_are_counted(tmp_path: Path) -> None:
    def floor_of(*masks: torch.Tensor) -> dict[str, Any]:
        return assess(Constant(), [batch(SQUARE)], tmp_path, training_data=[{"label": mask} for mask in masks])

    # -1 and 257 are 255 and 1 in eight bits
    for wrong in (255, -1, 257):
        with pytest.raises(InputError, match=r"train#dataset#data, for the best constant mask: the masks hold values"):
            floor_of(SQUARE[0], wrong * SQUARE[0])
    report = floor_of(SQUARE[0], 1.25 * SQUARE[0])
    assert report["floor"]["32"] == 1 and report["facts"]["cut_masks"] == 0
    said = "1 training mask for the floor held numbers that are not whole; they were cut off, as MONAI does."
    assert report["facts"]["cut_training_masks"] == 1 and said in report["findings"]


def test_a_constant_network_and_empty_masks(tmp_path: Path) -> None:
    empty = SQUARE.clone()
    empty[1] = 0
    report = assess(Constant(), [batch(empty), batch(SQUARE, 1)], tmp_path)
    assert report["worst_case"]["32"]["DIC"] == pytest.approx(report["clean"]["DIC"])
    assert report["sameness"] == 1 and report["facts"]["empty_masks"] == 1
    assert any(each["name"] == "gradients are not zero" and each["status"] == "failed" for each in report["checks"])
    assert "almost the same mask for every picture" in report["findings"][0]


def test_one_hot_masks_are_class_numbers() -> None:
    numbers = torch.tensor([[[[0, 2, 1], [1, 0, 2]]]])
    one_hot = torch.cat([numbers == each for each in range(3)], 1).float()
    whole, cut = whole_masks(one_hot, Softmax(3))
    assert torch.equal(whole, numbers.float()) and cut.tolist() == [False]
    grey = torch.tensor([[[[0.0, 0.4, 0.999, 1.0]]]])
    whole, cut = whole_masks(grey, Softmax(2))
    assert whole.flatten().tolist() == [0, 0, 0, 1] and cut.tolist() == [True]
    several = torch.tensor([[[[0.0, 1.0]]], [[[0.5, 0.25]]], [[[1.0, 0.0]]]])
    assert whole_masks(several, Softmax(2))[1].tolist() == [False, True, False]


def test_names() -> None:
    assert image_names({"id": torch.tensor([3, 7])}, 2, 0) == ["3", "7"]
    assert image_names({"id": ["a"], "image_meta_dict": {"filename_or_obj": ["x"]}}, 1, 0) == ["a"]
    assert image_names({"id": "case 7"}, 1, 0) == ["case 7"]
    assert image_names({"image_meta_dict": {"filename_or_obj": ["/d/case/t1.nii"]}}, 1, 0) == ["case/t1.nii"]
    assert image_names({"image": torch.zeros(2)}, 2, 5) == ["image 6", "image 7"]
