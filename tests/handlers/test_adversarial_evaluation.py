# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from mlflow import MlflowClient
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.handlers import MLFlowHandler
from monai.utils.misc import path_to_sqlite_uri
from torch import nn

from pipeline.attacks import IterativeFGSM, Sigmoid, Softmax, UniformNoise, attack_identity, shared_sweep
from pipeline.handlers import AdversarialEvaluation, epsilon_name
from pipeline.losses import PixelCrossEntropy
from pipeline.utils import InputError
from pipeline.utils.errors import interruption_sentence

from .engines import FailingLoader, Interrupted, TinyNetwork, make_data, make_evaluator, make_network
from .processes import start_processes

EPSILONS = (0.5, 2.0, 8.0, 40.0)
# of one batch: 44 iterations at ε = 40, whose first serve the other intensities too, and the 10th at ε = 8
GRADIENTS = 44 + 1


def run(network: nn.Module, data: list[dict[str, Any]] | None = None, batches: int | None = None, **arguments: Any):
    """Evaluate and attack; return the handler, the engine, and how many gradients were computed."""
    count = 0

    class Counted(PixelCrossEntropy):
        def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            nonlocal count
            count += 1
            return super().forward(input, target)

    of_attack = {
        key: arguments.pop(key) for key in ("step", "value_range", "loss_function", "unit") if key in arguments
    }
    attack = IterativeFGSM(**{"loss_function": Counted("sum"), **of_attack})
    handler = AdversarialEvaluation(**{"attack": attack, "epsilons": EPSILONS, "progress": False, **arguments})
    evaluator = make_evaluator(network, data, [handler])
    if batches is not None:
        evaluator.data_loader = FailingLoader(evaluator.data_loader, batches)
        evaluator.state.dataloader = evaluator.data_loader
        with pytest.raises(Interrupted):
            evaluator.run()
    else:
        evaluator.run()
    return handler, evaluator, count


def paper_gradient(network: nn.Module, label: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """The gradient of equation 4 towards the inverse mask with respect to the picture in grey levels."""

    def gradient(picture: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            picture = picture.detach().requires_grad_()
            loss = nn.functional.cross_entropy(network(picture / 255), 1 - label[:, 0].long(), reduction="sum")
            return torch.autograd.grad(loss, picture)[0]

    return gradient


@pytest.mark.parametrize(
    "epsilon, name", [(0.5, "DIC_eps_00.5"), (8.0, "DIC_eps_08.0"), (32.0, "DIC_eps_32.0"), (0.25, "DIC_eps_0.25")]
)
def test_epsilon_name(epsilon: float, name: str) -> None:
    assert epsilon_name("DIC", epsilon) == name


def test_scores_are_those_of_one_attack_per_epsilon() -> None:
    network, data = make_network(), make_data()
    handler, evaluator, _ = run(network, data)
    network.eval()
    assert [row["epsilon"] for row in handler.table] == [0.0, *EPSILONS] * len(data)
    assert [row["image"] for row in handler.table[:: len(EPSILONS) + 1]] == [entry["id"] for entry in data]
    table = {(row["image"], row["epsilon"]): (row["DIC"], row["JSC"]) for row in handler.table}
    for start in range(0, len(data), 3):
        batch = data[start : start + 3]
        image, label = (torch.stack([entry[key] for entry in batch]) for key in ("image", "label"))
        gradient = paper_gradient(network, label)
        for epsilon in (0.0, *EPSILONS):
            attacked = shared_sweep(gradient, image * 255, [epsilon])[epsilon] if epsilon else image * 255
            with torch.no_grad():
                prediction = network(attacked / 255).argmax(1, keepdim=True)
            for entry, found, mask in zip(batch, prediction.bool(), label.bool(), strict=True):
                hit, wrong = (found & mask).sum().item(), (found ^ mask).sum().item()
                dic, jsc = (2 * hit / (2 * hit + wrong), hit / (hit + wrong)) if hit + wrong else (1.0, 1.0)
                assert table[entry["id"], epsilon] == pytest.approx((dic, jsc), abs=1e-6)
    for column, metric in enumerate(("DIC", "JSC")):
        for epsilon in (0.0, *EPSILONS):
            values = [table[entry["id"], epsilon][column] for entry in data]
            mean = evaluator.state.metrics[epsilon_name(metric, epsilon)]
            assert isinstance(mean, float) and mean == pytest.approx(sum(values) / len(values))
            details = evaluator.state.metric_details[epsilon_name(metric, epsilon)]
            assert details.shape == (len(data), 1) and details[:, 0].tolist() == values
    # the attack does harm, and more of it more
    assert evaluator.state.metrics["DIC"] > evaluator.state.metrics["DIC_eps_08.0"] > 0
    assert evaluator.state.metrics["DIC_eps_08.0"] > evaluator.state.metrics["DIC_eps_40.0"]


def test_clean_rows_are_the_evaluators_metrics_with_empty_masks() -> None:
    handler, evaluator, _ = run(make_network())
    clean = [row for row in handler.table if row["epsilon"] == 0]
    for metric in ("DIC", "JSC"):
        own = evaluator.state.metric_details[metric][:, 0].tolist()
        assert [row[metric] for row in clean] == pytest.approx(own, abs=1e-6)
        assert evaluator.state.metrics[metric] == pytest.approx(sum(own) / len(own))
    assert (clean[2]["DIC"], clean[2]["JSC"]) == (0.0, 0.0)
    assert (clean[6]["DIC"], clean[6]["JSC"]) == (1.0, 1.0)


def test_no_epsilons_give_the_clean_rows_only() -> None:
    handler, evaluator, gradients = run(make_network(), epsilons=())
    assert gradients == 0 and len(handler.table) == 7
    assert set(evaluator.state.metrics) == {"DIC", "JSC", "DIC_eps_00.0", "JSC_eps_00.0"}


def test_the_network_is_left_as_it_was() -> None:
    network = make_network()
    network.head.bias.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    run(network)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [p.requires_grad for p in network.parameters()] == [True] * 5 + [False]
    assert all(parameter.grad is None for parameter in network.parameters())


def test_attaching_twice_attacks_once() -> None:
    network = make_network()
    count = 0
    handler = AdversarialEvaluation(epsilons=EPSILONS, progress=False)
    evaluator = make_evaluator(network, None, [handler])
    handler.attach(evaluator)
    forward = network.forward

    def counting(x: torch.Tensor) -> torch.Tensor:
        nonlocal count
        count += 1
        return forward(x)

    network.forward = counting  # type: ignore[method-assign]
    evaluator.run()
    assert count == 3 * (GRADIENTS + len(EPSILONS) + 1 + 1)


def test_an_interrupted_sweep_goes_on(tmp_path: Path) -> None:
    whole, _, gradients = run(make_network(), results_file=tmp_path / "whole.json")
    assert gradients == 3 * GRADIENTS
    file = tmp_path / "sweep.json"
    _, _, first = run(make_network(), batches=2, results_file=file)
    rest, evaluator, second = run(make_network(), results_file=file)
    assert (first, second) == (2 * GRADIENTS, GRADIENTS)
    assert rest.table == whole.table
    assert evaluator.state.metrics["DIC_eps_08.0"] < evaluator.state.metrics["DIC"]
    _, _, third = run(make_network(), results_file=file)
    assert third == 0
    assert file.read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] in (["sweep.json", "whole.json"], ["whole.json", "sweep.json"])


def other_pixel(data: list[dict[str, Any]]) -> None:
    data[4]["image"] = data[4]["image"].clone()
    data[4]["image"][0, 0, 0] = 0.5


def other_mask(data: list[dict[str, Any]]) -> None:
    data[4]["label"] = 1 - data[4]["label"]


def mean_loss(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return PixelCrossEntropy()(input, target)


@pytest.mark.parametrize(
    "seed, change, arguments, batches",
    [
        (1, None, {}, 3),
        (0, None, {"step": 0.5}, 3),
        (0, None, {"epsilons": (0.5, 2.0)}, 3),
        (0, None, {"value_range": None}, 3),
        (0, None, {"loss_function": mean_loss}, 3),
        (0, other_pixel, {}, 1),
        (0, other_mask, {}, 1),
        (0, None, {}, 0),
    ],
    ids=["network", "step", "epsilons", "range", "loss", "pixel", "mask", "nothing"],
)
def test_what_was_made_under_other_conditions_is_made_anew(
    tmp_path: Path, seed: int, change: Callable[[list[dict[str, Any]]], None] | None, arguments: dict[str, Any], batches
) -> None:
    file = tmp_path / "sweep.json"
    run(make_network(), results_file=file)
    data = make_data()
    if change is not None:
        change(data)
    before = json.loads(file.read_text())["images"]
    fresh, _, _ = run(make_network(seed), data, **arguments)
    network, forwards = make_network(seed), 0

    def count(module: nn.Module, *_: Any) -> None:
        nonlocal forwards
        forwards += module is network

    # one of its own would make it another network
    hook = nn.modules.module.register_module_forward_hook(count)
    resumed, _, _ = run(network, data, results_file=file, **arguments)
    hook.remove()
    assert resumed.table == fresh.table
    # the evaluator's own three passes come on top
    assert (forwards > 3) == (batches > 0)
    after = json.loads(file.read_text())["images"]
    assert sum(after[name] != before[name] for name in before) <= 3 * batches


@pytest.mark.parametrize("channels", [1, 3])
def test_saved_pictures(tmp_path: Path, channels: int) -> None:
    data = make_data()
    network: nn.Module = make_network()
    if channels == 3:
        network = nn.Sequential(nn.Conv2d(3, 1, 1), network)
        for entry in data:
            entry["image"] = entry["image"].repeat(3, 1, 1)
    handler, _, _ = run(network, data, save_dir=tmp_path, save_count=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"image{index}.npz" for index in range(4)]
    for index in range(4):
        with np.load(tmp_path / f"image{index}.npz") as content:
            assert {name: (content[name].shape, content[name].dtype) for name in content} == {
                "image": ((channels, 12, 10), np.dtype(np.float32)),
                "label": ((12, 10), np.dtype(np.uint8)),
                "epsilons": ((4,), np.dtype(np.float64)),
                "delta": ((4, channels, 12, 10), np.dtype(np.float32)),
                "prediction": ((5, 12, 10), np.dtype(np.uint8)),
            }
            assert np.array_equal(content["image"], data[index]["image"].numpy() * 255)
            assert np.array_equal(content["label"], data[index]["label"][0].numpy())
            assert content["epsilons"].tolist() == list(EPSILONS)
            for delta, epsilon in zip(content["delta"], EPSILONS, strict=True):
                assert epsilon - 1e-4 < np.abs(delta).max() < epsilon + 1e-4
                assert (content["image"] + delta).min() >= 0 and (content["image"] + delta).max() <= 255
            scores = [row["DIC"] for row in handler.table if row["image"] == f"image{index}"]
            for prediction, dic in zip(content["prediction"], scores, strict=True):
                total = int(prediction.sum()) + int(content["label"].sum())
                hit = int((prediction & content["label"]).sum())
                assert dic == pytest.approx(2 * hit / total if total else 1.0, abs=1e-6)


def test_pictures_are_saved_only_as_asked(tmp_path: Path) -> None:
    run(make_network(), save_dir=tmp_path / "none", save_count=0)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda entry: entry.pop("id"),
            "AdversarialEvaluation: the batch has no key 'id' with the images' names; add it to the data list or set "
            "id_key.",
        ),
        (
            lambda entry: entry.pop("label"),
            "AdversarialEvaluation: the batch has no masks; give the dataset labels to attack.",
        ),
        (
            lambda entry: entry.update(id="same"),
            "AdversarialEvaluation: two different images are named 'same'; give each image its own name.",
        ),
    ],
    ids=["no_names", "no_masks", "one_name_for_all"],
)
def test_batches_that_cannot_be_attacked(change: Callable[[dict[str, Any]], Any], message: str) -> None:
    data = make_data()
    for entry in data:
        change(entry)
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run(make_network(), data)


@pytest.mark.parametrize("names", ["ab", ["a"]])
def test_each_image_of_a_batch_needs_a_name(names: Any) -> None:
    batch = {"image": torch.rand(2, 1, 8, 8), "label": torch.ones(2, 1, 8, 8), "id": names}
    handler = AdversarialEvaluation(epsilons=[1.0], progress=False)
    evaluator = SupervisedEvaluator(torch.device("cpu"), [batch], make_network(), val_handlers=[handler])
    with pytest.raises(InputError, match="2 images need as many names, each its own, but 'id' has 'a"):
        evaluator.run()


class Changed(TinyNetwork):
    """Gives something else than logits of two channels."""

    def __init__(self, change: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: torch.Tensor) -> Any:
        return self.change(super().forward(x))


SUBJECT = "AdversarialEvaluation, 'image0', 'image1', 'image2'"


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x: x[:, 1:], "the network must give logits, .* shape (3, 1, 12, 10)"),
        (lambda x: {"out": x}, "the network must give logits, .* the keys 'out'"),
        (lambda x: x * torch.nan, "the network gives logits that are not finite;"),
    ],
    ids=["one_channel", "dict", "nan"],
)
def test_networks_that_give_no_logits_of_two_channels(change: Callable[[torch.Tensor], Any], message: str) -> None:
    pattern = re.escape(f"{SUBJECT}: {message}").replace(r"\.\*", ".*")
    with pytest.raises(InputError, match=f"^{pattern}"):
        run(Changed(change), epsilons=())


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda e: e.update(image=255 * e["image"]), "the images hold values from 0.*, but must be in [0, 1]; scale"),
        (lambda e: e.update(image=e["image"].repeat(3, 1, 1)), "TinyNetwork cannot take images .*(3, 3, 12, 10).*"),
        (lambda e: e.update(label=e["label"].repeat(2, 1, 1)), "the masks must be .* of shape (3, 2, 12, 10) and"),
        (lambda e: e.update(label=255 * e["label"]), "the masks hold values from 0 to 255, but must hold 0 and 1 only"),
    ],
    ids=["grey_levels", "color", "two_masks", "masks_of_255"],
)
@pytest.mark.parametrize("value_range", [(0.0, 255.0), None])
def test_images_and_masks_outside_the_contract(
    change: Callable[[dict[str, Any]], Any], message: str, value_range: tuple[float, float] | None
) -> None:
    data = make_data()
    for entry in data:
        change(entry)
    pattern = re.escape(f"{SUBJECT}: {message}").replace(r"\.\*", ".*")
    with pytest.raises(InputError, match=f"^{pattern}"):
        run(make_network(), data, value_range=value_range)


def test_logits_that_are_not_finite_under_attack_only() -> None:
    data = make_data()
    original = torch.stack([entry["image"] for entry in data[:3]])
    network = make_network()
    other = make_network()
    forward = network.forward
    network.forward = lambda x: forward(x) if torch.allclose(x, original, atol=1e-4) else forward(x) * torch.nan  # type: ignore
    with pytest.raises(InputError, match=f"^{SUBJECT}, attacked with ε = 0.5: the network gives logits that are not"):
        run(network, data, attacked=other)


def test_an_attack_without_a_finite_gradient_is_named() -> None:
    with pytest.raises(InputError, match=f"^{SUBJECT}: The attack's gradient is not finite; "):
        run(make_network(), loss_function=lambda logits, target: (0 * logits).sqrt().sum())


@pytest.mark.parametrize(
    "change, found", [(lambda x: [x, x], "a list of 2, the first being a tensor"), (lambda x: x[:, 1:], "a tensor of")]
)
def test_an_attacked_network_that_the_loss_does_not_take(change: Callable[[torch.Tensor], Any], found: str) -> None:
    message = rf"^{SUBJECT}: the attack's loss cannot be computed from {found}.* gives \((Attribute|Index)"
    with pytest.raises(InputError, match=message):
        run(make_network(), attacked=Changed(change))


def test_a_damaged_results_file_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    run(make_network(), results_file=file, batches=1)
    file.write_text(file.read_text()[: file.stat().st_size // 2])
    message = f"{file} is not the file of an interrupted sweep, or is damaged; remove it to start again."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run(make_network(), results_file=file)


def test_another_key_for_the_names() -> None:
    data = [{"image": entry["image"], "label": entry["label"], "file": entry["id"]} for entry in make_data()]
    handler, _, _ = run(make_network(), data, id_key="file")
    assert handler.table[0]["image"] == "image0"


def test_the_highest_value_of_a_range_is_no_grey_level_above_255() -> None:
    """In float32 250 is grey level 255.000015 of (-175, 250), and was refused."""
    network, data = make_network(), make_data()
    for entry in data:
        entry["image"][0, 0, :2] = torch.tensor([0.0, 1.0])

    class FromHU(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.network((x + 175) / 425)

    usual, _, _ = run(network, data, epsilons=(8.0,))
    moved = [entry | {"image": 425 * entry["image"] - 175} for entry in data]
    found, _, _ = run(FromHU(), moved, epsilons=(8.0,), intensity_range=(-175.0, 250.0))
    assert all(entry["image"].max() == 250 for entry in moved)
    for row, wanted in zip(found.table, usual.table, strict=True):
        assert row["DIC"] == pytest.approx(wanted["DIC"], abs=0.03)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"epsilons": [0.0]}, "epsilons: every intensity must be above 0 grey levels, got [0.0]."),
        ({"epsilons": [2, 1]}, "epsilons: the intensities must rise and not repeat, got [2, 1]."),
        (
            {"intensity_range": (1.0, 0.0)},
            "intensity_range: two numbers are needed, the lower one first, got (1.0, 0.0).",
        ),
    ],
)
def test_bad_numbers_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        AdversarialEvaluation(**arguments)


def test_progress_counts_gradients(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, _, gradients = run(make_network(), progress=True, results_file=tmp_path / "sweep.json")
    assert gradients == 3 * GRADIENTS
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 10 and lines[-1] == f"attack: 100% ({gradients}/{gradients} gradients)"
    # what was done before is not done again
    run(make_network(), progress=True, results_file=tmp_path / "sweep.json")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("epsilons", "kept", "sentence"),
    [
        (EPSILONS, True, "Interrupted in the attack, after 3 of 7 images. Type the same command again to go on."),
        (
            (),
            False,
            "Interrupted in the evaluation, after 3 of 7 images. Type the same command again to start it anew.",
        ),
    ],
)
def test_an_interruption_says_how_many_images_are_kept(
    epsilons: tuple[float, ...], kept: bool, sentence: str, tmp_path: Path
) -> None:
    def stop(engine: Engine) -> None:
        raise Interrupted

    handler = AdversarialEvaluation(epsilons=epsilons, results_file=tmp_path / "sweep.json" if kept else None)
    evaluator = make_evaluator(make_network(), handlers=[handler])
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, stop)
    with pytest.raises(Interrupted):
        evaluator.run()
    assert interruption_sentence() == sentence


def test_a_shared_batch_has_not_the_statistics_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    message = (
        "batch_statistics: several processes share each batch, so that its statistics are another's; start one process."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run(make_network(), batch_statistics=True)


def part_of_a_sweep(rank: int, folder: str) -> None:
    """One of two processes: 7 images in batches of 2, of which the first process has 4 and the other 3."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    handler = AdversarialEvaluation(epsilons=EPSILONS, progress=False, results_file=f"{folder}/sweep.json")
    evaluator = make_evaluator(make_network(), make_data()[4 * rank : 4 + 4 * rank], [handler], batch_size=2)
    evaluator.run()
    names = ("DIC_eps_08.0", "JSC_eps_40.0")
    content = {
        "table": handler.table,
        "metrics": [evaluator.state.metrics[name] for name in names],
        "details": [evaluator.state.metric_details[name].tolist() for name in names],
    }
    Path(folder, f"found{rank}.json").write_text(json.dumps(content))
    torch.distributed.destroy_process_group()


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    assert start_processes(part_of_a_sweep, 2, str(tmp_path)) == [0, 0]
    handler, evaluator, _ = run(make_network())
    for rank in (0, 1):
        found = json.loads((tmp_path / f"found{rank}.json").read_text())
        assert [(row["image"], row["epsilon"]) for row in found["table"]] == [
            (row["image"], row["epsilon"]) for row in handler.table
        ]
        for row, expected in zip(found["table"], handler.table, strict=True):
            # batches of another shape may round differently
            assert (row["DIC"], row["JSC"]) == pytest.approx((expected["DIC"], expected["JSC"]), abs=0.02)
        assert found["metrics"][0] == pytest.approx(evaluator.state.metrics["DIC_eps_08.0"], abs=0.02)
        assert len(found["details"][0]) == 7
    assert {path.name for path in tmp_path.glob("sweep*")} == {"sweep.json", "sweep.rank1.json"}


def test_mlflow_handler_logs_the_scalars(tmp_path: Path) -> None:
    uri = path_to_sqlite_uri(tmp_path / "mlruns.db")
    handler = AdversarialEvaluation(epsilons=(2.0,), progress=False)
    tracker = MLFlowHandler(uri, iteration_log=False, experiment_name="sweep", run_name="one", close_on_complete=True)
    evaluator = make_evaluator(make_network(), None, [handler, tracker])
    evaluator.run()
    client = MlflowClient(uri)
    (logged,) = client.search_runs([client.get_experiment_by_name("sweep").experiment_id])
    assert {name: logged.data.metrics[name] for name in evaluator.state.metrics} == evaluator.state.metrics
    assert set(evaluator.state.metrics) == {
        "DIC",
        "JSC",
        "DIC_eps_00.0",
        "JSC_eps_00.0",
        "DIC_eps_02.0",
        "JSC_eps_02.0",
    }


def test_a_network_of_another_kind_of_numbers(tmp_path: Path) -> None:
    class Wrapped(TinyNetwork):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.to(self.head.weight.dtype)).float()

    torch.manual_seed(0)
    handler, _, _ = run(Wrapped().bfloat16(), results_file=tmp_path / "sweep.json", epsilons=(1.0,))
    assert len(handler.table) == 14


def test_data_loader_of_tensors_only_is_untouched_by_the_attack() -> None:
    """The evaluator scores the clean images, whatever was attacked before."""
    plain = make_evaluator(make_network())
    plain.run()
    _, attacked, _ = run(make_network())
    assert attacked.state.metrics["DIC"] == plain.state.metrics["DIC"]
    assert len(DataLoader(Dataset(make_data()), batch_size=3)) == attacked.state.iteration


def attack(network: nn.Module, entries: list[dict[str, Any]], epsilon: float, **arguments: Any) -> torch.Tensor:
    image, label = (torch.stack([entry[key] for entry in entries]) for key in ("image", "label"))
    return shared_sweep(paper_gradient(network, label), image * 255, [epsilon], **arguments)[epsilon]


def deltas(folder: Path, data: list[dict[str, Any]]) -> torch.Tensor:
    """(image, ε, C, H, W)."""
    return torch.stack([torch.from_numpy(np.load(folder / f"{entry['id']}.npz")["delta"]) for entry in data])


def test_grey_levels_of_twelve_bits(tmp_path: Path) -> None:
    network, data = make_network(), make_data()[:3]
    level = 255 / 4095
    handler, _, _ = run(network, data, unit=level, save_dir=tmp_path, save_count=3)
    steps = {epsilon: handler.attack.steps(epsilon) for epsilon in EPSILONS}
    assert steps == {0.5: 1, 2.0: 3, 8.0: 10, 40.0: 44}
    assert sorted({row["epsilon"] for row in handler.table}) == [0.0, *EPSILONS]
    network.eval()
    for index, (epsilon, iterations) in enumerate(steps.items()):
        found = deltas(tmp_path, data)[:, index]
        # the largest change is so many steps of one level of twelve bits, and not above ε of them
        assert found.abs().max() <= epsilon * level + 1e-4
        expected = attack(network, data, epsilon * level, step=level, iterations=lambda _, n=iterations: n)
        clean = torch.stack([entry["image"] for entry in data]) * 255
        assert torch.allclose(found, expected - clean, atol=1e-4)


def test_attack_on_another_network(tmp_path: Path) -> None:
    network, other, data = make_network(), make_network(1), make_data()[:3]
    run(network, data, attacked=other, save_dir=tmp_path, save_count=3, epsilons=(8.0,))
    other.eval()
    expected = attack(other, data, 8.0)
    clean = torch.stack([entry["image"] for entry in data]) * 255
    assert torch.allclose(deltas(tmp_path, data)[:, 0], expected - clean, atol=1e-4)
    network.eval()
    with torch.no_grad():
        prediction = network(expected / 255).argmax(1)
    saved = np.load(tmp_path / "image0.npz")["prediction"]
    assert np.array_equal(saved[1], prediction[0].numpy())
    assert not torch.allclose(attack(network, data, 8.0), expected)


def test_attack_with_the_statistics_of_the_batch(tmp_path: Path) -> None:
    network, data = make_network(), make_data()[:3]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    run(network, data, batch_statistics=True, save_dir=tmp_path, save_count=3, epsilons=(8.0,))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    network.eval()
    network.norm.train()
    expected = attack(network, data, 8.0)
    clean = torch.stack([entry["image"] for entry in data]) * 255
    assert torch.allclose(deltas(tmp_path, data)[:, 0], expected - clean, atol=1e-4)
    network.load_state_dict(before)
    network.eval()
    with torch.no_grad():
        prediction = network(expected / 255).argmax(1)  # scored in evaluation mode
    assert np.array_equal(np.load(tmp_path / "image1.npz")["prediction"][1], prediction[1].numpy())


def test_transmission_comes_before_the_prediction(tmp_path: Path) -> None:
    network, data = make_network(), make_data()[:3]
    run(network, data, transmission=torch.round, save_dir=tmp_path, save_count=3, epsilons=(0.5, 8.0))
    clean = torch.stack([entry["image"] for entry in data]) * 255
    received = clean.unsqueeze(1) + deltas(tmp_path, data)
    assert torch.allclose(received, received.round(), atol=1e-4)
    network.eval()
    with torch.no_grad():
        prediction = network(attack(network, data, 8.0).round() / 255).argmax(1)
    assert np.array_equal(np.load(tmp_path / "image0.npz")["prediction"][2], prediction[0].numpy())


@pytest.mark.parametrize(
    "arguments",
    [
        {"unit": 0.5},
        {"attacked": make_network(1)},
        {"batch_statistics": True},
        {"transmission": torch.round},
    ],
    ids=["unit", "attacked", "batch_statistics", "transmission"],
)
def test_results_of_another_reading_are_not_taken(tmp_path: Path, arguments: dict[str, Any]) -> None:
    file = tmp_path / "sweep.json"
    run(make_network(), results_file=file)
    _, _, gradients = run(make_network(), results_file=file, **arguments)
    assert gradients > 0


def test_results_of_a_network_of_equal_weights_that_computes_otherwise_are_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    first, _, _ = run(make_network(), results_file=file)
    second, _, _ = run(Changed(torch.neg), results_file=file)
    fresh, _, _ = run(Changed(torch.neg))
    assert second.table == fresh.table != first.table


def test_another_attack_and_its_identity(tmp_path: Path) -> None:
    """Noise: no gradient, progress by batches, and results that no other seed takes over."""
    file = tmp_path / "sweep.json"
    handler, _, gradients = run(make_network(), attack=UniformNoise(), results_file=file)
    assert gradients == handler.gradients == 0
    first = json.loads(file.read_text())
    assert first["conditions"]["attack"] == {
        "attack": "pipeline.attacks.uniform_noise.UniformNoise",
        "seed": 0,
        "unit": 1.0,
        "value_range": [0.0, 255.0],
    }
    again, _, _ = run(make_network(), attack=UniformNoise(), batches=1, results_file=tmp_path / "part.json")
    again, _, _ = run(make_network(), attack=UniformNoise(), results_file=tmp_path / "part.json")
    assert again.table == handler.table
    other, _, _ = run(make_network(), attack=UniformNoise(seed=1), results_file=file)
    assert other.table != handler.table


@pytest.mark.parametrize(
    ("title", "arguments"), [("attack", {"attack": UniformNoise()}), ("evaluation", {"epsilons": ()})]
)
def test_progress_without_gradients(title: str, arguments: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    run(make_network(), **arguments)
    lines = [line.split(",")[0] for line in capfd.readouterr().err.splitlines()]
    assert lines == [f"{title}: {33 * n + n // 3}% ({n}/3 steps)" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("classes", "attack"),
    [(Softmax(4), IterativeFGSM(target=None)), (Sigmoid(1), IterativeFGSM()), (Sigmoid(3), IterativeFGSM())],
    ids=["many", "one_channel", "labels"],
)
def test_other_outputs_in_a_range_of_their_own(
    tmp_path: Path, classes: Softmax | Sigmoid, attack: IterativeFGSM
) -> None:
    """Scores and saved masks against NumPy, for a network of z-scores from -2 to 3."""
    torch.manual_seed(0)
    network = nn.Conv2d(1, classes.channels, 3, padding=1)
    images = [5 * entry["image"] - 2 for entry in make_data()]
    label_channels = classes.mask_channels
    labels = [torch.randint(0, classes.labels + 1, (label_channels, 12, 10)).float() for _ in images]
    data = [{"image": i, "label": m, "id": str(n)} for n, (i, m) in enumerate(zip(images, labels, strict=True))]
    handler = AdversarialEvaluation(
        attack, (8.0,), classes, (-2.0, 3.0), save_dir=tmp_path, save_count=7, progress=False
    )
    plain = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(data), batch_size=3),
        network=network,
        val_handlers=[handler],
    )
    plain.run()
    scores = {(row["image"], row["epsilon"]): (row["DIC"], row["JSC"]) for row in handler.table}
    for n, (image, label) in enumerate(zip(images, labels, strict=True)):
        with np.load(tmp_path / f"{n}.npz") as saved:
            delta, predictions = saved["delta"][0], saved["prediction"]
            assert np.allclose(saved["image"], 51 * (image.numpy() + 2), atol=1e-3)
        assert np.abs(delta).max() <= 8 + 1e-4
        for prediction, epsilon, moved in ((predictions[0], 0.0, 0), (predictions[1], 8.0, delta / 51)):
            with torch.no_grad():
                output = network(torch.as_tensor(image.numpy() + moved)[None])[0].numpy()
            expected = output.argmax(0)[None] if isinstance(classes, Softmax) else output > 0
            assert (expected.reshape(prediction.shape) == prediction).mean() > 0.99
            found, true = (
                [mask == k for k in range(1, 4)] if isinstance(classes, Softmax) else list(mask)
                for mask in (prediction.reshape(label.shape), label.numpy())
            )
            hits = [np.logical_and(f, m).sum() for f, m in zip(found, true, strict=True)]
            dic = np.mean([2 * h / (f.sum() + m.sum()) for h, f, m in zip(hits, found, true, strict=True)])
            jsc = np.mean([h / np.logical_or(f, m).sum() for h, f, m in zip(hits, found, true, strict=True)])
            assert scores[str(n), epsilon] == pytest.approx((dic, jsc), abs=1e-6)
    assert plain.state.metrics["DIC_eps_08.0"] <= plain.state.metrics["DIC_eps_00.0"]


class Cheats(UniformNoise):
    def __call__(self, *arguments: Any) -> dict[float, torch.Tensor]:
        return {epsilon: picture + 1 for epsilon, picture in super().__call__(*arguments).items()}


class GivesNothing(UniformNoise):
    def __call__(self, *arguments: Any) -> dict[float, torch.Tensor]:
        return {epsilon: picture * torch.nan for epsilon, picture in super().__call__(*arguments).items()}


@pytest.mark.parametrize(("attack", "moved"), [(Cheats(value_range=None), r"8\.\d+"), (GivesNothing(), "nan")])
def test_an_attack_that_leaves_the_ball_is_not_scored(attack: UniformNoise, moved: str) -> None:
    name = type(attack).__name__
    with pytest.raises(InputError, match=rf"^{name} moved a grey level by {moved} where ε = 8 allows 8; correct"):
        run(make_network(), attack=attack, epsilons=(8.0,))


class Transferred:
    """An attack that uses another one."""

    unit = 1.0

    def __init__(self, attack: IterativeFGSM) -> None:
        self.attack = attack

    def gradients(self, epsilons: Sequence[float]) -> int:
        return self.attack.gradients(epsilons)


def test_the_identity_of_an_attack_is_that_of_the_one_it_uses_too() -> None:
    attacks = [
        IterativeFGSM(),
        IterativeFGSM(step=0.5),
        IterativeFGSM(loss_function=mean_loss),
        IterativeFGSM(target=None),
    ]
    identities = [
        json.dumps(attack_identity(kind(attack))) for kind in (lambda a: a, Transferred) for attack in attacks
    ]
    assert len(set(identities)) == len(identities)
