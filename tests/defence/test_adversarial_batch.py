# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.attacks import APGD, PGD, AttackedNetwork, GradientAttack, ProjectedAdam
from pipeline.defence import AdversarialBatch
from pipeline.losses import PixelCrossEntropy, SoftDice
from pipeline.networks import NWCN
from pipeline.utils import InputError
from tests.attacks.small import make_data, make_network
from tests.handlers.processes import start_processes


def batch(network: nn.Module) -> dict[str, torch.Tensor]:
    pictures, label = make_data(network)
    return {"image": pictures / 255, "label": label}


@pytest.mark.parametrize(
    "attack", [APGD(8, loss_function=SoftDice(), target=None), ProjectedAdam(8), PGD(8)], ids=["apgd", "adam", "pgd"]
)
def test_every_attack_by_gradients_keeps_each_image_to_its_own_epsilon(attack: GradientAttack) -> None:
    network = make_network()
    clean = batch(network)
    torch.manual_seed(0)
    image, _ = AdversarialBatch(network, attack, 16.0)(clean)
    torch.manual_seed(0)
    reach = 16.0 * torch.rand(len(image))
    moved = 255 * (image - clean["image"]).flatten(1).abs().amax(1)
    assert (moved <= reach + 1e-3).all() and (moved >= 0.8 * reach).all()


def test_pictures_are_attacked_within_the_drawn_epsilon_and_masks_stay() -> None:
    network = make_network()
    clean = batch(network)
    attacked = AttackedNetwork(network)
    before = attacked.scores(attacked.predict(255 * clean["image"], clean["label"]), clean["label"])[:, 0]
    reaches = []
    for seed in range(8):
        torch.manual_seed(seed)
        image, label = AdversarialBatch(network, PGD(4, 0.625), 16.0)(clean)
        torch.manual_seed(seed)
        reach = 16.0 * torch.rand(len(image))
        moved = 255 * (image - clean["image"]).flatten(1).abs().amax(1)
        assert (moved <= reach + 1e-3).all() and (moved >= 0.9 * reach).all()
        assert torch.equal(label, clean["label"]) and image.min() >= 0 and image.max() <= 1
        after = attacked.scores(attacked.predict(255 * image, label), label)[:, 0]
        reaches += zip(reach.tolist(), (before - after).tolist(), strict=True)
    assert len({reach for reach, _ in reaches}) == len(reaches)
    weak, strong = ([lost for reach, lost in reaches if (reach > 8) == side] for side in (False, True))
    assert sum(strong) / len(strong) > max(0.05, sum(weak) / len(weak))


def test_a_trainer_sees_the_attacked_batch_in_training_mode_and_the_attack_in_evaluation_mode() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    modes: list[tuple[bool, bool]] = []
    network.register_forward_pre_hook(lambda module, inputs: modes.append((module.training, inputs[0].requires_grad)))
    data = batch(make_network())
    items = [{key: value[index] for key, value in data.items()} for index in range(3)]
    counted = network[1].num_batches_tracked
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=DataLoader(items, batch_size=3),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        loss_function=PixelCrossEntropy(),
        prepare_batch=AdversarialBatch(network, PGD(2, 0.5), 8.0),
        decollate=False,
    )
    trainer.run()
    # one look whether the network can be attacked; for each batch two of the attack's, then the step
    assert modes == [(False, False), *[(False, True), (False, True), (True, False)] * 2]
    assert counted == 2  # the attack leaves the statistics alone
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_one_of_several_attacks_is_drawn_for_each_batch() -> None:
    network = make_network()
    clean = batch(network)
    # one step of a whole ε from the noise tells where an attack goes: towards the inverse mask, or the mask itself
    away, towards = PGD(1, 2.0), PGD(1, 2.0, target=lambda masks: masks)
    prepare = AdversarialBatch(network, [away, towards], 8.0)
    seen = set()
    for seed in range(12):
        torch.manual_seed(seed)
        number = int(torch.randint(2, ()))
        expected = AdversarialBatch(network, (away, towards)[number], 8.0)(clean)[0]
        torch.manual_seed(seed)
        assert torch.equal(prepare(clean)[0], expected)
        seen.add(number)
    assert seen == {0, 1}


def test_the_attack_does_not_wait_for_other_processes() -> None:
    class Wrapper(DistributedDataParallel):
        def __init__(self, module: nn.Module) -> None:
            nn.Module.__init__(self)
            self.module = module

        def forward(self, *inputs: Any) -> Any:
            raise AssertionError("The wrapper's forward pass waits for the others.")

    network = make_network()
    image, _ = AdversarialBatch(Wrapper(network), PGD(2, 0.5), 8.0)(batch(network))
    assert not torch.equal(image, batch(network)["image"])


def test_the_subnetwork_that_is_trained_is_the_one_that_is_attacked() -> None:
    torch.manual_seed(0)
    network = NWCN(1, 2)
    image, label = torch.rand(2, 1, 32, 32), torch.ones(2, 1, 32, 32)
    network.train_stage(0)
    gradients = []
    for moved in (network.first, network.second):
        with torch.no_grad():
            for parameter in moved.parameters():
                parameter.add_(0.1)
        torch.manual_seed(1)
        gradients.append(AdversarialBatch(network, PGD(1, 1.0), 16.0)({"image": image, "label": label})[0])
    assert torch.equal(*gradients)  # the second's weights make no difference, and the first's do
    network.train_stage(1)
    torch.manual_seed(1)
    assert not torch.equal(AdversarialBatch(network, PGD(1, 1.0), 16.0)({"image": image, "label": label})[0], image)


def test_a_part_of_the_batch_stays_clean_and_the_bound_of_epsilon_rises_with_the_epoch() -> None:
    network = make_network()
    clean = batch(network)
    prepare = AdversarialBatch(network, PGD(2, 1.0), 16.0, ramp_epochs=4, clean=0.4)
    with pytest.raises(InputError, match=r"call its attach\(trainer\), or add it to"):
        prepare(clean)
    bounds, moved = [], []
    trainer = Engine(lambda engine, data: (bounds.append(prepare.largest_epsilon()), moved.append(prepare(data)[0])))
    prepare.attach(trainer)
    prepare.attach(trainer)
    trainer.run([clean], max_epochs=6)
    assert bounds == [4.0, 8.0, 12.0, 16.0, 16.0, 16.0]
    for image, bound in zip(moved, bounds, strict=True):
        change = 255 * (image - clean["image"]).flatten(1).abs().amax(1)
        # two fifths of three are one or two
        assert change[0] == 0 and change[2] > 0 and change.max() <= bound + 1e-3


def test_the_part_that_stays_clean_is_kept_on_average_for_batches_of_one_too() -> None:
    network = make_network()
    clean = {key: value[:1] for key, value in batch(network).items()}
    prepare = AdversarialBatch(network, PGD(1, 1.0), 16.0, clean=0.25)
    torch.manual_seed(0)
    kept = sum(torch.equal(prepare(clean)[0], clean["image"]) for _ in range(200))
    assert 30 <= kept <= 70


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attack": []}, "at least one attack"),
        ({"ramp_epochs": -1}, "ramp_epochs must be 0 or more"),
        ({"clean": 1.0}, "clean from 0 up to, but not, 1"),
        ({"attack": PGD(2, restarts=2)}, "restarts: an attack begins once for each batch"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AdversarialBatch(**({"network": make_network(), "attack": PGD(2), "epsilon": 8.0} | settings))


@pytest.mark.parametrize(("epsilon", "scale", "message"), [(0.0, 1, "epsilon must be above 0"), (8.0, 255, "values")])
def test_bad_input_is_refused(epsilon: float, scale: int, message: str) -> None:
    network = make_network()
    data: dict[str, Any] = batch(network)
    data["image"] = scale * data["image"]
    with pytest.raises(InputError, match=message):
        AdversarialBatch(network, PGD(2), epsilon)(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda data: {"image": torch.full_like(data["image"], 2.0)},
            "the images hold values from 2 to 2, but must be in [0, 1]; say a range that leaves room for random "
            'augmentation, such as --intensity_range "[-0.2,2.2]", here and in the assessment, since ε counts its '
            "255th parts; or scale them in the preprocessing.",
        ),
        (
            lambda data: {"image": torch.cat([data["image"][:2], data["image"][2:] / 0])},
            "image 3 of the 3 holds values that are no numbers, or infinite; correct its file or the preprocessing.",
        ),
        (
            lambda data: {"label": 255 * data["label"]},
            "the masks hold values from 0 to 255, but must hold 0 and 1 only; correct this in the preprocessing with "
            "AsDiscreted and a threshold.",
        ),
        (lambda data: {"label": None}, "the batches have no key 'label'; attacks need the true masks."),
    ],
    ids=["range", "nan", "mask", "no mask"],
)
def test_what_to_do_about_bad_input_is_said(change: Any, message: str) -> None:
    network = make_network()
    data = batch(network)
    with pytest.raises(InputError) as error:
        AdversarialBatch(network, PGD(2), 8.0)(data | change(data))
    assert str(error.value) == f"Adversarial training: {message}"


def say_range(held: str, allowed: str, proposed: str) -> str:
    return (
        f"Adversarial training: the images hold values from {held}, but must be in {allowed}; say a range that leaves "
        f'room for random augmentation, such as --intensity_range "{proposed}", here and in the assessment, since ε '
        "counts its 255th parts; or scale them in the preprocessing."
    )


@pytest.mark.parametrize(
    ("values", "proposed"),
    [
        # a tenth of the width more at both ends, to the next tenth of that
        ([(-2.0, 1.0), (0.0, 5.0), (-1.0, 1.0)], "[-2.7,5.7]"),
        ([(0.0, 255.0), (3.0, 200.0), (1.0, 2.0)], "[-30,290]"),
        ([(-1024.0, 0.0), (0.0, 3071.0), (1.0, 2.0)], "[-1500,3500]"),
        ([(7.0, 7.0), (7.0, 7.0), (7.0, 7.0)], "[6,8]"),
    ],
)
def test_the_range_of_all_training_images_is_said_at_once(values: list[tuple[float, float]], proposed: str) -> None:
    batches = [{"image": torch.tensor(each).view(1, 1, 1, 2).expand(2, 1, 3, 2)} for each in values]
    network = make_network()
    with pytest.raises(InputError) as error:
        AdversarialBatch(network, PGD(2), 8.0).check_data(batches)
    lowest, highest = min(low for low, _ in values), max(high for _, high in values)
    assert str(error.value) == say_range(f"{lowest:g} to {highest:g}", "[0, 1]", proposed)
    low, high = (float(each) for each in proposed.strip("[]").split(","))
    width = highest - lowest
    assert low <= lowest - 0.1 * width and high >= highest + 0.1 * width and high - low <= 1.5 * width + 2
    AdversarialBatch(network, PGD(2), 8.0, intensity_range=(low, high)).check_data(batches)
    AdversarialBatch(network, PGD(2), 8.0, intensity_range=(lowest - 1e-3, highest)).check_data(batches)


def part_of_the_training_images(rank: int, folder: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    batches = [{"image": torch.tensor([(-2.0, 1.0), (0.0, 5.0)][rank]).view(1, 1, 1, 2)}]
    with pytest.raises(InputError) as error:
        AdversarialBatch(make_network(), PGD(2), 8.0, intensity_range=(-3.0, 3.0)).check_data(batches)
    Path(folder, f"{rank}.txt").write_text(str(error.value), encoding="utf-8")
    torch.distributed.destroy_process_group()


def test_of_several_processes_each_says_the_range_of_all_images(tmp_path: Path) -> None:
    assert start_processes(part_of_the_training_images, 2, str(tmp_path)) == [0, 0]
    for rank in range(2):
        said = (tmp_path / f"{rank}.txt").read_text(encoding="utf-8")
        assert said == say_range("-2 to 5", "[-3, 3]", "[-2.7,5.7]")


def test_training_images_with_what_is_no_number_are_named_before_the_training() -> None:
    data = [{"image": torch.rand(2, 1, 4, 4), "id": ["a", "b"]}, {"image": torch.rand(2, 1, 4, 4), "id": ["c", "d"]}]
    data[1]["image"][1, 0, 2, 2] = float("nan")
    prepare = AdversarialBatch(make_network(), PGD(2), 8.0)
    prepare.check_data(data[:1])
    with pytest.raises(InputError, match="^c, d: image 2 of the 2 holds values that are no numbers"):
        prepare.check_data(data)
    with pytest.raises(InputError, match="^Adversarial training: there are no training images"):
        prepare.check_data([])


def test_a_batch_that_augmentation_takes_out_of_the_range_names_one_that_holds_all() -> None:
    network = make_network()
    data = batch(network)
    prepare = AdversarialBatch(network, PGD(2), 8.0, intensity_range=(-2.8, 5.6))
    prepare(data)
    data["image"][0, 0, 0, :2] = torch.tensor([-0.5, 5.9])
    with pytest.raises(InputError) as error:
        prepare(data)
    assert str(error.value) == say_range("-0.5 to 5.9", "[-2.8, 5.6]", "[-3.7,6.8]")


@pytest.mark.parametrize("kind", ["bool", "one-hot", "not whole"])
def test_masks_are_taken_as_the_battery_takes_them_and_returned_as_they_are(kind: str) -> None:
    network = make_network()
    clean = batch(network)
    label = {
        "bool": clean["label"].bool(),
        "one-hot": torch.cat([1 - clean["label"], clean["label"]], 1),
        "not whole": clean["label"] + 0.25,
    }[kind]
    prepared = []
    for each in (clean["label"], label):
        torch.manual_seed(0)
        prepared.append(AdversarialBatch(network, PGD(2), 8.0)({**clean, "label": each}))
    assert torch.equal(prepared[1][0], prepared[0][0]) and torch.equal(prepared[1][1], label)


def test_a_network_with_one_output_channel_is_refused_before_it_is_attacked() -> None:
    network = nn.Conv2d(1, 1, 1)
    with pytest.raises(InputError) as error:
        AdversarialBatch(network, PGD(2), 8.0)({"image": torch.rand(2, 1, 8, 8), "label": torch.zeros(2, 1, 8, 8)})
    assert str(error.value) == (
        "Adversarial training: the network must give logits, background first, as a tensor of shape (2, 2, 8, 8) and "
        "type torch.float32, but gives a tensor of shape (2, 1, 8, 8) and type torch.float32; change it, or wrap it in "
        "a module that gives this."
    )


def test_weights_that_have_diverged_end_in_a_sentence() -> None:
    network = make_network()
    clean = batch(network)
    prepare = AdversarialBatch(network, PGD(2), 16.0)
    prepare(clean)
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(InputError) as error:
        prepare(clean)
    assert str(error.value) == (
        "Adversarial training: The attack's gradient is not finite; the network or the loss overflows on this image. "
        "The weights may have diverged: train with a lower learning rate."
    )
