# SPDX-License-Identifier: Apache-2.0
"""What is attacked: weights, pictures, masks and intensities, as the parent hands them to a process of its own."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipeline.networks import NLCEN
from pipeline.utils import InputError

__all__ = ["Answer", "CountedNetwork", "Problem", "load_network", "read_pictures"]


@dataclass(frozen=True)
class Problem:
    """What an attack is given.

    Attributes:
        weights: file of a state dict, or its parts with commas between them.
        images: grey levels, (N, H, W) of uint8.
        labels: masks of 0 and 1, (N, H, W) of uint8.
        epsilons: intensities in grey levels, rising.
        budget: of the battery, see ``BUDGETS``.
        sea_steps: of each of SEA's losses.
        worst: the worst pictures so far, in grey levels, (N, H, W); None for the images themselves. SEA leaves those
            alone whose DIC is 0.
    """

    weights: str
    images: np.ndarray
    labels: np.ndarray
    epsilons: np.ndarray
    budget: str = "full"
    sea_steps: int = 300
    worst: np.ndarray | None = None

    def save(self, path: Path) -> None:
        np.savez(path, **{key: value for key, value in vars(self).items() if value is not None})

    def digest(self) -> str:
        """Return the same text for the same problem, with the same content of the files of weights."""
        digest = hashlib.sha256(_content(self.weights))
        for key, value in vars(self).items():
            if key != "weights":
                digest.update(f"{key} {getattr(value, 'shape', '')}".encode())
                digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return digest.hexdigest()[:16]

    @classmethod
    def load(cls, path: Path) -> Problem:
        with np.load(path) as file:
            content = dict(file)
        numbers = {key: content.pop(key).item() for key in ("weights", "budget", "sea_steps")}
        return cls(**content, **numbers)


@dataclass(frozen=True)
class Answer:
    """What an attack has found.

    Attributes:
        pictures: in grey levels, (E, N, H, W); one for each intensity, or E = 1 where it looked for a smallest change.
        gradients: mean number of gradients for each image, of all intensities together.
        seconds: it took, without its start.
        device: where.
        commit: of the code that found them.
    """

    pictures: np.ndarray
    gradients: float
    seconds: float
    device: str
    commit: str

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Answer:
        with np.load(path) as file:
            content = dict(file)
        return cls(content.pop("pictures"), **{key: value.item() for key, value in content.items()})


class CountedNetwork(nn.Module):
    """A network that counts the images whose gradient is asked for.

    Attributes:
        count: images that went through with a gradient.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.count = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and images.requires_grad:
            self.count += len(images)
        return self.network(images)


def load_network(weights: str, device: torch.device) -> nn.Module:
    """Return NLCEN without NLCE, on ResNet-18, in evaluation mode and with weights that need no gradient.

    Raises:
        InputError: if a file is missing.
    """
    state = torch.load(io.BytesIO(_content(weights)), map_location="cpu", weights_only=True)
    network = NLCEN(1, 2, backbone="resnet18", nlce=False)
    # copies half-precision numbers into single ones
    network.load_state_dict(state)
    return network.to(device).eval().requires_grad_(False)


def _content(weights: str) -> bytes:
    paths = [Path(part) for part in weights.split(",")]
    for path in paths:
        if not path.is_file():
            raise InputError(f"There is no file {path}; name a file of weights, or its parts with commas between them.")
    return b"".join(path.read_bytes() for path in paths)


def read_pictures(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return ``images`` and ``labels``, both (N, H, W) of uint8, of an npz file.

    Raises:
        InputError: if the file is missing, or they are no such pictures and masks.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}; name an npz file with images and labels.")
    with np.load(path) as file:
        missing = {"images", "labels"} - set(file)
        if missing:
            raise InputError(f"{path}: {sorted(missing)[0]} is missing; images and labels are needed.")
        images, labels = file["images"], file["labels"]
    if images.dtype != np.uint8 or images.ndim != 3 or labels.shape != images.shape:
        raise InputError(f"{path}: images (N, H, W) of uint8 and labels of that shape are needed.")
    if not np.isin(labels, (0, 1)).all():
        raise InputError(f"{path}: labels must hold 0 and 1 only.")
    return images, labels.astype(np.uint8)
