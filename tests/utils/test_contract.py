# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.utils import (
    InputError,
    OutOfMemory,
    check_finite,
    check_images,
    check_logits,
    check_mask_size,
    check_masks,
    describe_output,
    explain_misfits,
    network_output,
    short_number,
)

NAN, INF = float("nan"), float("inf")


def message_of(function: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as raised:
        function(*arguments)
    return str(raised.value)


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (3, 3, 2, 7), (2, 1, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_keeps_the_contract_passes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    images = torch.linspace(0, 1, torch.Size(shape).numel(), dtype=dtype).reshape(shape)
    masks = torch.ones(shape[0], 1, *shape[2:])
    masks[0] = 0
    check_images(images, "Pictures")
    for kind in (torch.uint8, torch.int64, torch.float32):
        check_masks(masks.to(kind), shape[0], "Masks")
    check_logits(1e30 * torch.randn(shape[0], 2, *shape[2:], dtype=dtype), shape[0], shape[2:], "Logits")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0.0, 255.0], "0 to 255"),
        ([-1.5, 2.25], "-1.5 to 2.25"),
        ([-0.125, 1.0], "-0.125 to 1"),
        ([0.0, 1.125], "0 to 1.125"),
        ([0.0, 1.000001], "0 to 1.000001"),
    ],
)
def test_images_out_of_range(values: list[float], found: str) -> None:
    message = message_of(check_images, torch.tensor([[[values]]]), "Pictures")
    assert message.startswith(f"Pictures: the images hold values from {found}, but must be in [0, 1]; scale them")


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_images_that_are_not_finite(value: float) -> None:
    images = torch.zeros(3, 1, 2, 2)
    images[1, 0, 0, 1] = value
    end = "holds values that are no numbers, or infinite; correct its file or the preprocessing."
    assert message_of(check_images, images, "Pictures") == f"Pictures: image 2 of the 3 {end}"
    assert message_of(check_finite, images[1:2], "case/t1.nii") == f"case/t1.nii: the image {end}"
    check_finite(images[[0, 2]], "Pictures")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_the_ends_of_a_range_are_rounded_as_the_images_are(dtype: torch.dtype) -> None:
    # ImageNet's own lowest and highest value, as its range is written
    images = torch.tensor([[[(0 - 0.406) / 0.225, (1 - 0.406) / 0.225]]]).to(dtype)
    check_images(images, "Pictures", (-1.8045, 2.64))
    message = message_of(check_images, images.float(), "Pictures", (-1.8045, 2.6399))
    assert "values from -1.804" in message and "but must be in [-1.8045, 2.6399]" in message


def test_a_number_in_a_message_can_be_typed() -> None:
    values = [
        0.1,
        2.6400001,
        -2.117904,
        1e-30,
        3.0,
        250.0,
        *torch.randn(300).tolist(),
        *(1e5 * torch.randn(300)).tolist(),
    ]
    for value in values:
        assert torch.tensor(float(short_number(value))) == torch.tensor(value)
    assert [short_number(value) for value in (0.1, -2.117904, 3.0, 0.125)] == ["0.1", "-2.117904", "3", "0.125"]


def test_masks_of_another_size_than_their_images() -> None:
    check_mask_size(torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 8, 8), "Pictures")
    assert message_of(check_mask_size, torch.zeros(1, 1, 28, 32, 32), torch.zeros(1, 1, 32, 32, 32), "case 7") == (
        "case 7: the masks have the size (28, 32, 32), but their images (32, 32, 32); give each image a mask of its "
        "own size."
    )


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), "a tensor of shape (1, 1, 2, 2) and type torch.uint8"),
        (torch.zeros(2, 2), "a tensor of shape (2, 2) and type torch.float32"),
        (None, "a value of type NoneType"),
    ],
)
def test_images_that_are_none(images: object, found: str) -> None:
    message = message_of(check_images, images, "Pictures")
    assert message.startswith("Pictures: the images must be a tensor (B, C, *spatial)") and f" are {found}; " in message


@pytest.mark.parametrize(
    ("masks", "found"),
    [
        (torch.zeros(2, 1, 3, 3, dtype=torch.bool), "a tensor of shape (2, 1, 3, 3) and type torch.bool"),
        (torch.zeros(2, 2, 3, 3), "a tensor of shape (2, 2, 3, 3) and type torch.float32"),
        (torch.zeros(1, 1, 3, 3), "a tensor of shape (1, 1, 3, 3) and type torch.float32"),
        (torch.zeros(2, 3), "a tensor of shape (2, 3) and type torch.float32"),
        ([0, 1], "a list of 2, the first being a value of type int"),
    ],
    ids=["bool", "channels", "count", "no_channel", "list"],
)
def test_masks_of_another_kind(masks: object, found: str) -> None:
    message = message_of(check_masks, masks, 2, "Masks")
    assert message.startswith(f"Masks: the masks must be a tensor (2, 1, *spatial) of numbers, but are {found}; turn")


@pytest.mark.parametrize(
    ("values", "found"), [([0, 255], "0 to 255"), ([0, 2], "0 to 2"), ([0.5, 1], "0.5 to 1"), ([0, NAN], "nan to nan")]
)
def test_masks_of_other_values(values: list[float], found: str) -> None:
    assert message_of(check_masks, torch.tensor([[[values]]]), 1, "Masks") == (
        f"Masks: the masks hold values from {found}, but must hold 0 and 1 only; correct this in the preprocessing "
        "with AsDiscreted and a threshold."
    )


GOOD = torch.zeros(2, 2, 4, 4)


@pytest.mark.parametrize(
    ("logits", "found"),
    [
        (GOOD[:, :1], "a tensor of shape (2, 1, 4, 4) and type torch.float32"),
        (torch.zeros(2, 3, 4, 4), "a tensor of shape (2, 3, 4, 4) and type torch.float32"),
        (torch.zeros(2, 2, 4, 6), "a tensor of shape (2, 2, 4, 6) and type torch.float32"),
        (torch.zeros(2, 2, 1, 4, 4), "a tensor of shape (2, 2, 1, 4, 4) and type torch.float32"),
        (GOOD[0], "a tensor of shape (2, 4, 4) and type torch.float32"),
        (GOOD.half(), "a tensor of shape (2, 2, 4, 4) and type torch.float16"),
        (GOOD.long(), "a tensor of shape (2, 2, 4, 4) and type torch.int64"),
        (GOOD.bool(), "a tensor of shape (2, 2, 4, 4) and type torch.bool"),
        ((GOOD, GOOD), "a tuple of 2, the first being a tensor of shape (2, 2, 4, 4) and type torch.float32"),
        ([GOOD], "a list of 1, the first being a tensor of shape (2, 2, 4, 4) and type torch.float32"),
        ([], "a value of type list"),
        ({"out": GOOD, "aux": GOOD}, "a dictionary with the keys 'out', 'aux'"),
        (GOOD.numpy(), "a value of type ndarray"),
        (None, "a value of type NoneType"),
    ],
)
def test_logits_of_another_kind(logits: object, found: str) -> None:
    message = message_of(check_logits, logits, 2, (4, 4), "Pictures")
    assert message.startswith(
        "Pictures: the network must give logits, background first, as a tensor of shape (2, 2, 4, 4)"
    )
    assert f"but gives {found}; change it" in message


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_logits_that_are_not_finite(value: float) -> None:
    logits = GOOD.clone()
    logits[1, 0, 3, 3] = value
    message = message_of(check_logits, logits, 2, (4, 4), "Pictures")
    assert message.startswith("Pictures: the network gives logits that are not finite; ")


def test_a_network_that_cannot_take_the_images() -> None:
    network = nn.Conv2d(1, 2, 3, padding=1)
    images = torch.rand(1, 1, 4, 4)
    assert torch.equal(network_output(network, lambda x, f: f(x), images, "Pictures"), network(images))
    assert re.fullmatch(
        r"Pictures: Conv2d cannot take images that are a tensor of shape \(1, 3, 4, 4\) and type torch\.float32; give "
        r"it as many channels and pixels as it is made for \(RuntimeError: .*to have 1 channels, but got 3 .*\)\.",
        message_of(network_output, network, lambda x, f: f(x), torch.rand(1, 3, 4, 4), "Pictures"),
    )


def test_a_sentence_of_our_own_and_interruptions_are_left_alone() -> None:
    for error in (InputError("Our own sentence."), KeyboardInterrupt(), ZeroDivisionError()):
        with pytest.raises(type(error)) as raised, explain_misfits("What"):
            raise error
        assert raised.value is error


def test_describe_output_of_nested_ones() -> None:
    assert describe_output(([torch.zeros(1)], 2)) == (
        "a tuple of 2, the first being a list of 1, the first being a tensor of shape (1,) and type torch.float32"
    )


def test_a_full_memory_is_no_misfit() -> None:
    def full(images: torch.Tensor, network: nn.Module) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(OutOfMemory, match=r"^The GPU's memory is not enough: take smaller .*CUDA out of memory"):
        network_output(nn.Identity(), full, torch.zeros(1, 1, 4, 4), "Pictures")
