# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.attacks import PGD, AttackedNetwork, OutputClasses, Sigmoid, Softmax
from pipeline.attacks.gradient_attack import Ball
from pipeline.robustness import COLUMNS, MEASURED, Assessor, Budget, GalleryPicture, assess_robustness, worst_case
from pipeline.robustness import assessor as module
from pipeline.robustness.checks import CHECKS as ALL_CHECKS
from pipeline.robustness.corruptions import CORRUPTIONS
from pipeline.runs import FolderLock, kept_results
from pipeline.utils import InputError
from tests.attacks.small import make_data, make_network

TINY = Budget((2.0, 8.0), {"dice": 3, "cross-entropy": 2}, 2, 2, 2)


@pytest.fixture(autouse=True)
def few_checks_and_no_diagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take time, and have tests of their own."""
    monkeypatch.setattr(module, "CHECKS", module.CHECKS[:1])
    writing = import_module("pipeline.robustness.report.write_report")
    monkeypatch.setattr(writing, "draw_figures", lambda report, folder: [])
    monkeypatch.setattr(writing, "save_gallery_picture", draw_nothing)
    monkeypatch.setattr(writing, "make_page", lambda report, figures: "")


def draw_nothing(shown: GalleryPicture, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")


def batches(count: int = 3) -> tuple[nn.Module, list[dict[str, Any]]]:
    network = make_network()
    pictures, label = make_data(network, count=count)
    return network, [
        {"image": pictures[i : i + 2] / 255, "label": label[i : i + 2], "id": ["a", "b", "c"][i : i + 2]}
        for i in range(0, count, 2)
    ]


def test_the_precision_is_that_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = batches(2)
    double = [{**batch, "image": batch["image"].double(), "label": batch["label"].double()} for batch in data]
    said = {}
    for fast in (None, torch.bfloat16):
        monkeypatch.setattr(module, "fast_precision", lambda device, fast=fast: fast)
        for given, pictures in ((network, data), (copy.deepcopy(network).double(), double)):
            folder = tmp_path / f"{len(said)}"
            said[len(said)] = assess_robustness(given, pictures, folder, budget=TINY)["facts"]["precision"]
    assert list(said.values()) == [
        "search and scores in float32",
        "search and scores in float64",
        "search in bfloat16, in float32 where that fails; scores in float32",
        "search and scores in float64",
    ]


def test_the_report_holds_what_the_table_holds(tmp_path: Path) -> None:
    network, data = batches()
    report = assess_robustness(network, data, tmp_path, budget=TINY, training_masks=list(data[0]["label"]))
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert set(scores["image"]) == {"a", "b", "c"}
    assert set(scores["attack"]) == {"clean", "noise", "paper", "dice", "cross-entropy", "square", "refined"}
    assert len(scores) == 3 * (1 + 2 * 6)
    worst = worst_case(scores).groupby("epsilon")[["DIC", "JSC"]].mean()
    for epsilon in (2.0, 8.0):
        assert report["worst_case"][f"{epsilon:g}"]["DIC"] == pytest.approx(worst.loc[epsilon, "DIC"])
        assert report["worst_case"][f"{epsilon:g}"]["JSC"] == pytest.approx(worst.loc[epsilon, "JSC"])
    assert report["clean"]["DIC"] == 1  # the masks are its own predictions
    assert report["budget"] == "own" and report["facts"]["images"] == 3
    assert report["gradients"] == 2 * 7 + 10
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert len(list((tmp_path / "failures").glob("*.npz"))) == 3
    assert all(not module.training for module in network.modules())


def test_the_line_over_the_gradients_ends_at_the_worst_case_though_batches_are_refined_in_more_parts(
    tmp_path: Path,
) -> None:
    network, data = batches()
    report = assess_robustness(
        network, data, tmp_path, budget=Budget((8.0, 64.0), {"dice": 1, "grow": 1}, 21, 3, checked=2)
    )
    images = json.loads((tmp_path / "images.json").read_text())["images"]
    assert len({len(found["convergence"]) for found in images.values()}) > 1
    for epsilon in (8.0, 64.0):
        line = [row for row in report["convergence"] if row["epsilon"] == epsilon]
        assert line[-1]["DIC"] == pytest.approx(report["worst_case"][f"{epsilon:g}"]["DIC"])
        for column in ("gradients", "DIC"):
            steps = [row[column] for row in line]
            assert steps == sorted(steps, reverse=column == "DIC")


def test_the_ceiling_of_a_report_is_the_mean_of_the_images(tmp_path: Path) -> None:
    from pipeline.robustness.bounds import ceiling

    network, data = batches()
    report = assess_robustness(network, data, tmp_path, budget=TINY)
    each = [
        ceiling(255 * image, label, [8.0])[8.0]
        for batch in data
        for image, label in zip(batch["image"], batch["label"], strict=True)
    ]
    assert report["ceiling"]["8"] == pytest.approx(sum(each) / 3)
    assert report["floor"] == {"2": None, "8": None}


def test_corruptions_that_rest_on_zero_need_a_range_that_somebody_stated(tmp_path: Path) -> None:
    network, data = batches()
    measured = assess_robustness(network, data, tmp_path, budget=TINY, facts={"range_source": MEASURED})
    zero = ["speckle noise", "shot noise", "overexposure", "underexposure"]
    assert measured["facts"]["corruptions_without_zero"] == zero
    tried = {row["corruption"] for row in measured["corruptions"]}
    assert tried == {each.name for each in CORRUPTIONS} - set(zero)
    # what was found without them is not taken over
    stated = assess_robustness(network, data, tmp_path, budget=TINY)
    assert {row["corruption"] for row in stated["corruptions"]} == tried | set(zero)
    assert stated["facts"]["corruptions_without_zero"] == []


def test_the_report_knows_what_the_pictures_hold_and_how_masks_are_made(tmp_path: Path) -> None:
    network, data = batches()
    report = assess_robustness(network, data, tmp_path, budget=TINY, intensity_range=(-1000.0, 1000.0))
    values = torch.cat([batch["image"] for batch in data])
    assert report["facts"]["measured_range"] == [values.min().item(), values.max().item()]
    assert report["facts"]["decision"] == "at each pixel the class with the highest output (argmax)"
    assert any("of the range of intensities, -1000 to 1000" in sentence for sentence in report["findings"])


@pytest.mark.parametrize("classes", [Softmax(3), Sigmoid(3)], ids=["softmax", "sigmoid"])
def test_each_class_is_scored_on_the_clean_picture_and_on_the_worst_in_the_mean(
    classes: OutputClasses, tmp_path: Path
) -> None:
    network, other = make_network(channels=3), make_network(1, channels=3)
    picture, label = make_data(other)
    with torch.no_grad():
        output = network(picture / 255)
        if isinstance(classes, Sigmoid):
            label = (other(picture / 255) > 0).float()
    label[0][label[0] == 2] = 0
    if isinstance(classes, Sigmoid):
        label[0, 1] = 0
    budget = Budget((8.0, 64.0), {"dice": 2, "grow": 2})
    batch = {"image": picture / 255, "label": label, "id": ["a", "b", "c"]}
    report = assess_robustness(network, [batch], tmp_path, budget=budget, classes=classes)

    found, true = classes.foreground(classes.decide(output)).numpy(), classes.foreground(label).numpy()
    common, total = (found & true).sum((2, 3)), found.sum((2, 3)) + true.sum((2, 3))
    by_hand = np.where(total > 0, 2 * common / np.maximum(total, 1), 1)
    assert report["clean"]["classes"] == pytest.approx(by_hand.mean(0), abs=1e-6)
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    columns = [f"DIC_{number}" for number in range(1, by_hand.shape[1] + 1)]
    assert list(scores) == [*COLUMNS, *columns]
    np.testing.assert_allclose(scores[columns].to_numpy().mean(1), scores["DIC"], atol=1e-6)
    np.testing.assert_allclose(scores[scores["attack"] == "clean"][columns], by_hand, atol=1e-6)
    for epsilon, worst in report["worst_case"].items():
        within = scores[scores["epsilon"] <= float(epsilon)].reset_index(drop=True)
        rows = within.loc[within.groupby("image")["DIC"].idxmin()]
        assert worst["classes"] == pytest.approx(rows[columns].mean().to_list())
    assert report["facts"]["class_images"] == true.any((2, 3)).sum(0).tolist()
    assert min(report["facts"]["class_images"]) < 3


def test_one_class_has_no_columns_of_its_own(tmp_path: Path) -> None:
    network, data = batches()
    report = assess_robustness(network, data, tmp_path, budget=TINY)
    assert list(pd.read_parquet(tmp_path / "scores.parquet")) == list(COLUMNS) and "classes" not in report["clean"]


def test_an_interrupted_assessment_goes_on_and_ends_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = batches()
    whole = assess_robustness(network, data, tmp_path / "whole", budget=TINY)
    with pytest.raises(KeyError):
        assess_robustness(network, [data[0], Breaking(data[1])], tmp_path / "broken", budget=TINY)
    attacked: list[int] = []
    original = module.Assessor._assess

    def counted(self: Assessor, picture: torch.Tensor, *rest: Any) -> Any:
        attacked.append(len(picture))
        return original(self, picture, *rest)

    monkeypatch.setattr(module.Assessor, "_assess", counted)
    resumed = assess_robustness(network, data, tmp_path / "broken", budget=TINY)
    assert attacked == [1]
    for key in ("worst_case", "attacks", "clean", "ceiling", "convergence", "corruptions", "per_image", "sameness"):
        assert resumed[key] == whole[key]
    # another network's results are not taken, nor its pictures
    attacked.clear()
    other = assess_robustness(make_network(3), data[1:], tmp_path / "broken", budget=TINY)
    assert attacked == [1]
    assert [shown["image"] for shown in other["gallery"]] == ["c"]


def test_two_processes_do_not_share_a_folder_but_one_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    network, data = batches()
    another = FolderLock(tmp_path)
    assert another.acquire()
    with pytest.raises(InputError, match=f"Another process assesses a network into {tmp_path}; wait for its end"):
        assess_robustness(network, data, tmp_path, budget=TINY)
    another.release()
    with pytest.raises(KeyError):
        assess_robustness(network, [data[0], Breaking(data[1])], tmp_path, budget=TINY)
    assert not another.acquire()
    assert assess_robustness(network, data, tmp_path, budget=TINY)["images"] == 3
    assert another.acquire()
    another.release()


class Noisy(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x + 0.5 * torch.randn_like(x))


def test_a_random_network_goes_on_and_is_not_taken_for_another(tmp_path: Path) -> None:
    network, data = batches()
    torch.manual_seed(0)
    with pytest.raises(KeyError):
        assess_robustness(Noisy(network), [data[0], Breaking(data[1])], tmp_path, budget=TINY)
    torch.manual_seed(1)
    assert assess_robustness(Noisy(network), data, tmp_path, budget=TINY)["images"] == 3


def test_the_gallery_has_as_many_failures_as_asked_and_says_which_it_could_not_keep(tmp_path: Path) -> None:
    network, data = batches()
    three = assess_robustness(network, data, tmp_path / "three", budget=TINY, gallery=3)
    assert three["facts"]["gallery_lacks"] == 0
    one = assess_robustness(network, data, tmp_path / "three", budget=TINY, gallery=1)
    assert [shown["image"] for shown in one["gallery"]] == [three["gallery"][0]["image"]]
    assess_robustness(network, data, tmp_path / "one", budget=TINY, gallery=1)
    more = assess_robustness(network, data, tmp_path / "one", budget=TINY, gallery=3)
    assert len(more["gallery"]) == 1 and more["facts"]["gallery_lacks"] == 2
    assert any(said.startswith("The gallery lacks 2 pictures of the worst failures") for said in more["findings"])


def test_names_may_be_longer_than_those_of_files_and_differ_in_case_alone(tmp_path: Path) -> None:
    network, data = batches(2)
    data[0]["id"] = ["a" * 300, "A" * 300]
    report = assess_robustness(network, data, tmp_path, budget=TINY)
    assert {shown["image"] for shown in report["gallery"]} == set(data[0]["id"])
    files = [path.name.lower() for path in (tmp_path / "failures").iterdir()]
    assert len(set(files)) == 2


def test_figures_of_other_code_are_not_mixed_and_all_devices_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = batches()
    assess_robustness(network, data[:1], tmp_path, budget=TINY)
    monkeypatch.setattr(module, "device_name", lambda device: "another")
    report = assess_robustness(network, data, tmp_path, budget=TINY)
    first, second = report["facts"]["device"].split(", ")
    assert "another" in (first, second) and first != second
    monkeypatch.setattr(kept_results, "code_in_use", lambda: "changed, whatever the commit says")
    assert assess_robustness(network, data, tmp_path, budget=TINY)["facts"]["device"] == "another"


def test_acceptance_criteria_may_be_dictionaries_and_are_read_at_once(tmp_path: Path) -> None:
    network, data = batches()
    given = [{"epsilon": 8.0, "at_least": 0.999}, {"epsilon": 2.0, "at_least": 0.0, "metric": "JSC"}]
    report = assess_robustness(network, data, tmp_path, budget=TINY, criteria=given)
    assert [(each["epsilon"], each["met"]) for each in report["criteria"]] == [(8.0, False), (2.0, True)]
    with pytest.raises(InputError, match="^criteria: each needs 'epsilon' and 'at_least'"):
        Assessor(network, tmp_path, criteria=[{"epsilon": 8.0}])


class Network(nn.Module):
    """One that holds another."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class _Broken(torch.autograd.Function):
    """The gradient of bright pictures overflows."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x.flatten(1).mean(1) > 0.7)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
        return slope.masked_fill(ctx.saved_tensors[0].view(-1, 1, 1, 1), float("inf"))


class Overflowing(Network):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(_Broken.apply(x))


def test_images_whose_gradients_are_not_finite_are_counted(tmp_path: Path) -> None:
    network, data = batches()
    bright = 0.8 + 0.2 * data[0]["image"][1:]
    data[0]["image"] = torch.cat([data[0]["image"][:1], bright])
    report = assess_robustness(Overflowing(network), data, tmp_path / "broken", budget=TINY)
    images = json.loads((tmp_path / "broken" / "images.json").read_text())["images"]
    assert {name for name, found in images.items() if found["not_finite"]} == {"b"}
    # each attack looks for gradients until the DIC is 0, and the random search looks for none
    assert images["b"]["not_finite"] == images["b"]["gradients"] > 0
    assert report["facts"]["not_finite_images"] == 1
    assert any(sentence.startswith("On 1 of 3 images some gradients") for sentence in report["findings"])
    assert assess_robustness(network, data, tmp_path / "sound", budget=TINY)["facts"]["not_finite_images"] == 0


class Smoothed(Network):
    """Its pooling is no parameter."""

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__(network)
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(nn.functional.avg_pool2d(x, self.size, stride=1, padding=self.size // 2))


def test_figures_of_another_network_with_the_same_weights_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = batches()
    first = assess_robustness(Smoothed(network, 1), data, tmp_path / "both", budget=TINY)
    second = assess_robustness(Smoothed(network, 5), data, tmp_path / "both", budget=TINY)
    fresh = assess_robustness(Smoothed(network, 5), data, tmp_path / "fresh", budget=TINY)
    for key in ("clean", "worst_case", "attacks", "per_image"):
        assert second[key] == fresh[key] != first[key]
    # a difference that only the masks show
    monkeypatch.setattr(module, "network_identity", lambda network: "the same")
    assess_robustness(Smoothed(network, 1), data, tmp_path / "unseen", budget=TINY)
    message = f"{tmp_path / 'unseen' / 'images.json'} holds results of another network: the DIC of 'a' was 1.000, and"
    with pytest.raises(InputError, match=f"^{message} is 0.[0-9]+ now; name another folder for the report, or remove"):
        assess_robustness(Smoothed(network, 5), data, tmp_path / "unseen", budget=TINY)


class Breaking(dict[str, Any]):
    """A batch that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)


def test_images_of_another_range_are_attacked_alike(tmp_path: Path) -> None:
    network, data = batches()

    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner((x + 1000) / 1400)

    usual = assess_robustness(network, data, tmp_path / "usual", budget=TINY)
    moved = [batch | {"image": 1400 * batch["image"] - 1000} for batch in data]
    report = assess_robustness(Shifted().eval(), moved, tmp_path / "moved", budget=TINY, intensity_range=(-1000, 400))
    assert report["worst_case"]["8"]["DIC"] == pytest.approx(usual["worst_case"]["8"]["DIC"], abs=0.02)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"image": 2 * torch.ones(2, 1, 16, 16)}, {}, "values from 2 to 2"),
        ({"label": 5 * torch.ones(2, 1, 16, 16)}, {}, "masks hold values from 5 to 5"),
        (
            {"image": torch.ones(2, 1, 16, 16) / 0},
            {},
            "Sequential, a, b: image 1 of the 2 holds values that are no num",
        ),
        ({"label": torch.ones(2, 1, 14, 16)}, {}, r"Sequential, a, b: the masks have the size \(14, 16\), but their"),
        ({"id": ["a", "a"]}, {}, "Two images are named 'a'"),
        ({"id": ["a"]}, {}, "Sequential, a: 2 images need as many names"),
        ({"id": "ab"}, {}, "Sequential, ab: 2 images need as many names"),
        ({}, {"epsilons": []}, "epsilons: the list is empty"),
        ({}, {"budget": Budget((), {"dice": 1})}, "epsilons: the list is empty"),
        ({}, {"budget": Budget((2.0, 300.0), {"dice": 1})}, "a grey level can change by 255 at most"),
        ({}, {"epsilons": [2.0, 2.0000001]}, "epsilons: two are 2 in six digits"),
        ({}, {"epsilons": [2.0, 300.0]}, "a grey level can change by 255 at most"),
        ({}, {"epsilons": [8.0, 2.0]}, "must rise"),
        ({}, {"budget": "huge"}, "there is no 'huge'"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    network, data = batches(2)
    with pytest.raises(InputError, match=message):
        assess_robustness(network, [data[0] | change], tmp_path, **({"budget": TINY} | settings))


def test_masks_that_are_cut_are_counted_one_by_one(tmp_path: Path) -> None:
    network, data = batches()
    data[0]["label"] = data[0]["label"].clone()
    data[0]["label"][0, 0, 0, 0] += 0.5
    assert assess_robustness(network, data, tmp_path, budget=TINY)["facts"]["cut_masks"] == 1


def test_the_report_of_another_assessment_stays_beside_the_new_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network, data = batches()

    def files() -> set[str]:
        return {path.name for path in tmp_path.glob("*.[jhp]*") if path.name != "images.json"}

    assess_robustness(network, data, tmp_path, budget=TINY)
    before, written = (tmp_path / "report.json").read_bytes(), files()
    assess_robustness(network, data, tmp_path, budget=TINY)
    assert files() == written and not caplog.messages
    # the first command again on another day
    (tmp_path / "report.json").write_bytes(before.replace(b'"date": "2', b'"date": "1'))
    assess_robustness(network, data, tmp_path, budget=TINY)
    assert files() == written and (tmp_path / "report.json").read_bytes() == before
    # other pictures
    assess_robustness(network, data[:1], tmp_path, budget=TINY)
    mark = hashlib.sha256(before).hexdigest()[:12]
    assert files() == written | {f"report_{mark}.json", f"report_{mark}.html", f"scores_{mark}.parquet"}
    assert (tmp_path / f"report_{mark}.json").read_bytes() == before
    assert len(pd.read_parquet(tmp_path / f"scores_{mark}.parquet")["image"].unique()) == 3
    assert caplog.messages == [f"{tmp_path} held the report of another assessment, which is report_{mark}.html now."]
    assert json.loads((tmp_path / "report.json").read_text())["images"] == 2


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_attacked(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match=f"^robustness: {file / 'report'} cannot be written .*; name another folder.$"):
        Assessor(batches()[0], file / "report", budget=TINY)


def test_no_batch_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images to attack"):
        assess_robustness(make_network(), [], tmp_path, budget=TINY)
    with pytest.raises(InputError, match="no key 'label'"):
        assess_robustness(make_network(), [{"image": torch.zeros(1, 1, 8, 8)}], tmp_path, budget=TINY)


def test_a_network_that_ignores_its_picture_is_known_by_its_sameness(tmp_path: Path) -> None:
    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mask = torch.zeros_like(x)
            mask[..., 4:12, 4:12] = 1
            return torch.cat([0.5 - mask, mask - 0.5], 1) + 0 * x

    _, data = batches()
    report = assess_robustness(Constant(), data, tmp_path, budget=TINY)
    assert report["sameness"] == 1
    assert report["worst_case"]["8"]["DIC"] == report["clean"]["DIC"]
    assert "almost the same mask for every picture" in report["findings"][0]


def test_the_search_and_the_scores_are_of_the_same_network(tmp_path: Path) -> None:
    network, data = batches(2)
    report = assess_robustness(network, data, tmp_path, budget=TINY)
    attacked = AttackedNetwork(network)
    clean = attacked.scores(attacked.predict(255 * data[0]["image"], data[0]["label"]), data[0]["label"])
    assert report["clean"]["JSC"] == pytest.approx(clean[:, 1].mean().item())


@pytest.mark.parametrize(
    "compiled", [torch.jit.script, lambda network: torch.jit.trace(network, torch.zeros(1, 1, 8, 8))]
)
def test_torchscript_is_assessed_with_all_checks(
    compiled: Callable[[nn.Module], nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKS", ALL_CHECKS)
    network, data = batches(2)
    report = assess_robustness(compiled(network), data, tmp_path / "script", budget=TINY)
    own = assess_robustness(network, data, tmp_path / "own", budget=TINY)
    assert report["worst_case"]["8"]["DIC"] == pytest.approx(own["worst_case"]["8"]["DIC"], abs=0.02)
    assert [check["status"] for check in report["checks"]] == [check["status"] for check in own["checks"]]


def test_no_failures_are_shown_where_none_are_wanted(tmp_path: Path) -> None:
    network, data = batches()
    assert assess_robustness(network, data, tmp_path, budget=TINY, gallery=0)["gallery"] == []


class Coarse(nn.Module):
    """Grey levels are rounded so that no gradient gets through, and squares find what gradients do not."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network((x * 25).round() / 25)


def test_squares_that_beat_gradients_are_noticed_though_the_refinement_goes_on_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKS", [check for check in ALL_CHECKS if check.name.startswith("gradients beat")])
    network, data = batches(2)
    budget = Budget((32.0,), {"dice": 3, "cross-entropy": 2}, 2, 2, 60)
    assert assess_robustness(network, data, tmp_path / "own", budget=budget)["checks"][0]["status"] == "passed"
    report = assess_robustness(Coarse(network), data, tmp_path / "coarse", budget=budget)
    assert report["attacks"]["refined"]["32"]["DIC"] <= report["attacks"]["square"]["32"]["DIC"]
    assert report["checks"][0]["status"] == "failed" and report["checks"][0]["value"] > 0.02


def test_an_attack_that_only_looks_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_look(self: PGD, ball: Ball, delta: torch.Tensor) -> torch.Tensor:
        for step in range(self.iterations):
            ball.look(delta, step / self.iterations)
        return delta

    monkeypatch.setattr(module, "CHECKS", [check for check in ALL_CHECKS if check.name == "attacks move"])
    network = make_network()
    # so many pixels that a random start reaches ε at some
    picture, label = make_data(network, (64, 64), 2)
    data = [{"image": picture / 255, "label": label, "id": ["a", "b"]}]
    assert assess_robustness(network, data, tmp_path / "own", budget=TINY)["checks"][0]["status"] == "passed"
    monkeypatch.setattr(PGD, "descend", only_look)
    (found,) = assess_robustness(network, data, tmp_path / "lazy", budget=TINY)["checks"]
    assert found["status"] == "failed" and found["value"] == 1.0
