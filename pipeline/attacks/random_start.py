# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib

import torch

__all__ = ["uniform_noise"]


def uniform_noise(picture: torch.Tensor, seed: int) -> torch.Tensor:
    """Return noise from −1 to 1 of the shape of pictures (B, C, *spatial), the same for the same picture and seed.

    It is drawn on the CPU for each image by its content, so that it depends neither on the device nor on what else is
    in the batch.
    """
    return torch.stack([_noise_of(image, seed) for image in picture]).to(picture)


def _noise_of(image: torch.Tensor, seed: int) -> torch.Tensor:
    content = image.detach().cpu().contiguous().numpy().tobytes()
    digest = hashlib.sha256(seed.to_bytes(8, "little") + content).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    return 2 * torch.rand(image.shape, generator=generator, dtype=image.dtype) - 1
