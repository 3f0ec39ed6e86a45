# SPDX-License-Identifier: Apache-2.0
"""The worst failures, as pictures in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.attacks import AttackedNetwork
from pipeline.utils import atomic_path

from .assessment import GalleryPicture
from .battery import Finding
from .scores import CLEAN

__all__ = ["Failure", "Gallery", "badness"]


class Gallery:
    """Keep the ``count`` worst failures in a folder, one ``.npz`` each, across interruptions.

    Of each image it shows the smallest ε that halves its DIC, or the largest. The worst failures are those at the
    smallest ε, and of these the ones that lost most; an image from which no attack takes anything comes last.
    """

    def __init__(self, folder: Path, count: int = 4) -> None:
        self.folder = folder
        self.count = count

    def keep_only(self, images: Collection[str]) -> None:
        """Remove the pictures of all other images: those of another network, or of images that are not there now."""
        for path in self._paths():
            if _read(path).image not in images:
                path.unlink()

    def offer(self, shown: GalleryPicture) -> None:
        """Keep a picture if it is among the worst, in place of the least bad one, and of what its image had before."""
        # a name may be longer than those of files, or differ from another in its case alone
        own = self.folder / f"{hashlib.sha256(shown.image.encode()).hexdigest()[:32]}.npz"
        own.unlink(missing_ok=True)
        if self.count < 1:
            return
        kept = {path: badness(_read(path)) for path in self._paths()}
        if len(kept) >= self.count:
            least = max(kept, key=lambda path: kept[path])
            if badness(shown) >= kept[least]:
                return
            least.unlink()
        with atomic_path(own) as path, open(path, "wb") as file:
            np.savez_compressed(file, **vars(shown))

    def pictures(self) -> list[GalleryPicture]:
        """Return what is kept, the worst first; of what a larger gallery has left, no more than ``count``."""
        return sorted((_read(path) for path in self._paths()), key=badness)[: self.count]

    def lacks(self, found: Mapping[str, Sequence[Any]]) -> int:
        """Return how many of the worst failures were not kept, because the gallery was smaller or had other images.

        Args:
            found: the :func:`badness` of all images by their names.
        """
        worst = sorted(found, key=lambda name: tuple(found[name]))[: self.count]
        return len(set(worst) - {shown.image for shown in self.pictures()})

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))


def badness(shown: GalleryPicture) -> tuple[bool, float, float, str]:
    """Return by what failures are sorted, the worst first."""
    lost = shown.clean_DIC - shown.DIC
    return lost <= 0, shown.epsilon, -lost, shown.image


def _read(path: Path) -> GalleryPicture:
    with np.load(path) as content:
        values: dict[str, Any] = {name: content[name] for name in content.files}
    return GalleryPicture(**{name: value.item() if value.ndim == 0 else value for name, value in values.items()})


class Failure:
    """What the gallery would show of an image: the worst picture at the smallest ε that halves DIC, or at the largest.

    Args:
        attacked: the network.
        picture, label, prediction: of the batch, clean.
        index: the image's place in the batch.
        name: of the image.
    """

    def __init__(
        self,
        attacked: AttackedNetwork,
        picture: torch.Tensor,
        label: torch.Tensor,
        prediction: torch.Tensor,
        index: int,
        name: str,
    ) -> None:
        self.name = name
        self._attacked, self._index = attacked, index
        self._clean, self._label, self._clean_prediction = picture[index], label[index], prediction[index]
        self._shown = (CLEAN, self._clean, self._clean_prediction)
        self._epsilon = 0.0
        self.clean_dic = self.dic = self._shown_dic = self._dic(self._clean_prediction)

    def offer(self, finding: Finding) -> None:
        """Look at what an attack has found at an ε; these must come rising."""
        dic = finding.dic[self._index].item()
        halved = self._shown_dic <= self.clean_dic / 2 and self._epsilon > 0
        if not halved or finding.epsilon == self._epsilon:
            self._epsilon = finding.epsilon
            if dic < self._shown_dic:
                self._shown = (finding.attack, finding.picture[self._index], finding.prediction[self._index])
                self._shown_dic = dic
        self.dic = min(self.dic, dic)

    def picture(self) -> GalleryPicture:
        """Return what is shown; of volumes the slice with most of the true mask."""
        attack, moved, prediction = self._shown
        place = None
        if self._clean.ndim == 4:
            place = int((self._label > 0).flatten(0, 2).sum(0).argmax())
        return GalleryPicture(
            self.name,
            self._epsilon,
            attack,
            self._shown_dic,
            self.clean_dic,
            *(_picture(each, place) for each in (self._clean, moved)),
            *(_numbers(each, place) for each in (self._label, self._clean_prediction, prediction)),
        )

    def _dic(self, prediction: torch.Tensor) -> float:
        return self._attacked.scores(prediction[None], self._label[None])[0, 0].item()


def _slice(tensor: torch.Tensor, place: int | None) -> torch.Tensor:
    return (tensor if place is None else tensor[..., place]).detach().cpu()


def _picture(picture: torch.Tensor, place: int | None) -> np.ndarray:
    """(C, H, W), of other than grey and color pictures the first channel."""
    shown = _slice(picture, place).float().numpy()
    return shown if len(shown) in (1, 3) else shown[:1]


def _numbers(mask: torch.Tensor, place: int | None) -> np.ndarray:
    """Class numbers (H, W), of overlapping labels the highest."""
    maps = _slice(mask, place).long()
    if len(maps) > 1:
        maps = maps * torch.arange(1, len(maps) + 1).view(-1, 1, 1)
    return maps.amax(0).to(torch.uint8).numpy()
