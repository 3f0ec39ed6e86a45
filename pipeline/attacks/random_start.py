# SPDX-License-Identifier: Apache-2.0
"""Random numbers that depend on a picture and a seed only."""

from __future__ import annotations

import hashlib

import torch

from pipeline.utils import InputError

__all__ = ["check_seed", "image_generator", "uniform_noise"]


def check_seed(seed: int) -> None:
    """Refuse a seed that cannot seed random numbers.

    Raises:
        InputError: if it is not a whole number of at least 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InputError(f"seed must be a whole number of at least 0, got {seed!r}.")


def uniform_noise(picture: torch.Tensor, seed: int, number: int = 0) -> torch.Tensor:
    """Return noise from −1 to 1 of the shape of pictures (B, C, *spatial), the same for the same picture and seed.

    It is drawn on the CPU for each image by its content, so that it depends neither on the device nor on what else is
    in the batch.

    Args:
        picture: the pictures.
        seed: another seed gives other noise.
        number: which of the noises of a seed.
    """
    return torch.stack([_noise_of(image, seed, number) for image in picture]).to(picture)


def image_generator(image: torch.Tensor, seed: int, number: int = 0) -> torch.Generator:
    """Return a generator of random numbers on the CPU that depends on an image's content, a seed and a number only."""
    content = image.detach().cpu().contiguous().numpy().tobytes()
    digest = hashlib.sha256(seed.to_bytes(8, "little") + number.to_bytes(8, "little") + content).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def _noise_of(image: torch.Tensor, seed: int, number: int) -> torch.Tensor:
    return 2 * torch.rand(image.shape, generator=image_generator(image, seed, number), dtype=image.dtype) - 1
