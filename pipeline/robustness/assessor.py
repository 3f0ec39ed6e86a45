# SPDX-License-Identifier: Apache-2.0
"""The assessment of a network: battery, corruptions and bounds for each image, checks at the end, and the report."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from monai.utils import convert_to_tensor
from torch import nn

from pipeline.attacks import (
    GREY_LEVELS,
    AttackedNetwork,
    OutputClasses,
    Softmax,
    describe,
    fast_precision,
    network_identity,
)
from pipeline.attacks.grey_levels import check_epsilons
from pipeline.metrics import class_dic, surface_scores
from pipeline.runs import FolderLock, KeptResults, content_digest, device_name
from pipeline.utils import InputError, Progress, check_folder, check_images, check_masks, say_if_interrupted

from .assessment import MEASURED, Assessment, Criterion
from .battery import Battery, Finding
from .bounds import ConstantMask, ceiling, why_no_ceiling
from .budgets import Budget, find_budget
from .checked_pictures import CheckedPictures
from .checks import CHECKS, CheckResult, Evidence
from .copy_network import copy_network
from .corruptions import CORRUPTIONS, corrupted_scores
from .facts import collect_facts
from .gallery import Failure, Gallery, badness
from .likeness import Likeness
from .read_batch import whole_masks
from .report import read_criteria, write_report
from .scores import CLEAN, COLUMNS, class_cells

__all__ = ["Assessor"]

_SAY_RANGE = "say with intensity_range=(lowest, highest) what range their values have, or scale them"

# of the DIC of a clean picture, which the same network gives again; another device may turn single pixels
_SAME = 0.01

# the folders that assessments of this process have, which another one of it may take over
_held: dict[Path, FolderLock] = {}


class Assessor:
    """Tell how robust a segmentation network is: attack it, check whether the attack can be trusted, and report.

    ``add`` takes the batches of the test set one by one and keeps what it finds in ``output_dir``; ``finish`` runs the
    checks and writes the report. An assessment that was interrupted goes on: give it the same batches again.

    Args:
        network: from images (B, C, *spatial) to logits of the masks' size.
        output_dir: folder for ``report.html``, ``report.json``, ``scores.parquet`` and pictures.
        inferer: how the network is run, see ``AttackedNetwork``.
        classes: how its output becomes classes: two by softmax by default.
        intensity_range: what of the images' values is grey level 0 and 255.
        budget: ``"quick"``, ``"standard"``, ``"full"``, or a :class:`Budget`.
        epsilons: intensities instead of the budget's, in grey levels, rising.
        training_masks: masks (C, *spatial) for the best constant mask; None where there are none.
        surrogate: another network for the same task, see :class:`Battery`.
        criteria: acceptance criteria, or dictionaries of their attributes; fix them before you know the figures.
        gallery: how many failures are shown.
        tolerance: of NSD, in pixels or voxels.
        seed: of all random starts.
        facts: what else the report is to say, see :class:`Assessment`.
        progress: whether a progress bar is wanted.
        images: how many images there are, for the progress.

    Raises:
        InputError: if a setting is wrong, or another process assesses into the folder; in ``add``, if images or masks
            are not as they should be; the message says what to do.

    Example:
        >>> assessor = Assessor(network, "robustness", budget="quick")
        >>> for batch in loader:
        ...     assessor.add(batch["image"], batch["label"], batch["id"])
        >>> findings = assessor.finish()["findings"]
    """

    def __init__(
        self,
        network: nn.Module,
        output_dir: str | os.PathLike[str],
        *,
        inferer: Callable[..., Any] | None = None,
        classes: OutputClasses | None = None,
        intensity_range: tuple[float, float] = (0.0, 1.0),
        budget: str | Budget = "standard",
        epsilons: Sequence[float] | None = None,
        training_masks: Sequence[torch.Tensor] | None = None,
        surrogate: nn.Module | None = None,
        criteria: Sequence[Criterion | Mapping[str, Any]] = (),
        gallery: int = 4,
        tolerance: float = 2.0,
        seed: int = 0,
        facts: Mapping[str, Any] | None = None,
        progress: bool = True,
        images: int | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        if self.output_dir.exists() and not self.output_dir.is_dir():
            raise InputError(f"{self.output_dir} is a file; name a folder for the report.")
        _hold(self.output_dir)
        self.classes: OutputClasses = Softmax() if classes is None else classes
        self.intensity_range = (float(intensity_range[0]), float(intensity_range[1]))
        self.budget_name = budget if isinstance(budget, str) else "own"
        self.battery = Battery(_budget(budget, epsilons), surrogate, seed)
        self.epsilons = self.battery.budget.epsilons
        self.criteria = read_criteria(criteria)
        self.tolerance = tolerance
        self.seed = seed
        self.device = next((each.device for each in network.parameters()), torch.device("cpu"))
        self.precision = fast_precision(self.device)
        self.attacked = AttackedNetwork(
            network,
            inferer,
            self.classes,
            self.intensity_range,
            precision=self.precision,
            keep_going=True,
            subject=type(network).__name__,
        )
        self.constant = None if training_masks is None else ConstantMask(training_masks, self.classes)
        self.facts = dict(facts or {})
        self.corruptions = [
            each for each in CORRUPTIONS if not (each.needs_zero and self.facts.get("range_source") == MEASURED)
        ]
        self.results = KeptResults(self.output_dir / "images.json", "assessment", self._conditions(surrogate))
        self.gallery = Gallery(self.output_dir / "failures", gallery)
        self.gallery.keep_only(self.results.images)
        self._cut_masks = 0
        self._extremes: list[float] = []
        self._floor: dict[str, float] = {}
        self._checked = CheckedPictures(self.battery.budget.checked, self.classes)
        self._fresh = copy_network(network)
        self._alike, self._masks_alike = Likeness(self.classes), Likeness(self.classes)
        self._count = images
        self._progress = Progress("robustness", images or 1, "image", progress, lines=images is not None)

    def add(self, image: torch.Tensor, label: torch.Tensor, names: Sequence[str]) -> None:
        """Attack a batch, and keep what is found.

        Args:
            image: (B, C, *spatial) in the network's own range.
            label: masks (B, 1, *spatial) of class numbers, or (B, C', *spatial) of labels that may overlap or one-hot.
            names: of the images, each its own.

        Raises:
            InputError: if a name came before, images or masks are not as above, the network does not take them, or it
                is not the one whose results are kept.
        """
        image, label = convert_to_tensor(image).to(self.device), convert_to_tensor(label).to(self.device)
        self.attacked.subject = f"{type(self.attacked.network).__name__}, {', '.join(names)}"
        if isinstance(names, str) or len(names) != len(image):
            raise InputError(f"{self.attacked.subject}: {len(image)} images need as many names, each its own.")
        for name in names:
            if name in self._floor:
                raise InputError(f"Two images are named '{name}'; give each image its own id in the data list.")
            self._floor[name] = float("nan")
        check_images(image, self.attacked.subject, self.intensity_range, _SAY_RANGE)
        label, cut = whole_masks(label, self.classes)
        self._cut_masks += int(cut.sum())
        check_masks(label, len(image), self.attacked.subject, self.classes.mask_channels, self.classes.labels)
        self._extremes += [image.min().item(), image.max().item()]
        digests = [content_digest(*pair) for pair in zip(image, label, strict=True)]
        picture = self.attacked.grey_levels(image)
        self._checked.offer(picture, label, names)
        if self.constant is not None:
            self._floor |= {name: self.constant.score(mask) for name, mask in zip(names, label, strict=True)}
        clean = self.attacked.predict(picture, label)
        self._alike.offer(clean)
        self._masks_alike.offer(label)
        new = [index for index, pair in enumerate(zip(names, digests, strict=True)) if not self.results.done(*pair)]
        self._compare_kept(set(names) - {names[index] for index in new}, names, picture, label, clean)
        if new:
            started = time.perf_counter()
            found = self._assess(picture[new], label[new], clean[new], [names[index] for index in new])
            seconds, device = (time.perf_counter() - started) / len(new), device_name(self.device)
            for index, name in zip(new, found, strict=True):
                self.results.add(name, digests[index], found[name] | {"seconds": seconds, "device": device})
            self.results.save()
        self._progress.update(len(names))
        done = f"{len(self.results.images)} of {self._count or 'the'} images"
        say_if_interrupted(f"Interrupted after {done}. Type the same command again to go on.")

    def finish(self) -> dict[str, Any]:
        """Run the checks, write all files, and return the content of ``report.json``.

        Raises:
            InputError: if no batch was added.
        """
        self._progress.close()
        if not self._checked:
            raise InputError("There are no images to attack; check dataset_dir and the data list.")
        images = {name: self.results.images[name] for name in self._floor}
        self.gallery.keep_only(images)
        scores = pd.DataFrame([row for found in images.values() for row in found["scores"]])
        scores = scores.astype({name: float for name in scores if name not in ("image", "attack")})
        shown = self._checked.chosen()
        checks, spent = self._check(scores, images, *shown)
        ceilings = [found["ceiling"] for found in images.values() if found["ceiling"] is not None]
        steps = pd.DataFrame([step for found in images.values() for step in found["convergence"]])
        assessment = Assessment(
            scores=scores,
            epsilons=self.epsilons,
            checks=checks,
            corruptions=pd.DataFrame([row for found in images.values() for row in found["corruptions"]]),
            convergence=_mean_convergence(steps),
            floor=None if self.constant is None else self._floor,
            floor_reason="" if self.constant else "No training masks were given.",
            ceiling={
                epsilon: sum(each[f"{epsilon:g}"] for each in ceilings) / len(ceilings) for epsilon in self.epsilons
            }
            if ceilings
            else None,
            ceiling_reason="" if ceilings else why_no_ceiling(self.classes, shown[0].ndim - 2),
            sameness=self._alike.mean(),
            mask_sameness=self._masks_alike.mean(),
            criteria=self.criteria,
            gallery=self.gallery.pictures(),
            gradients=max(found["gradients"] for found in images.values()),
            check_gradients=spent,
            queries=len(self.epsilons) * self.battery.budget.queries,
            facts={
                **collect_facts(self.attacked, self.battery, images),
                "budget": self.budget_name,
                "intensity_range": list(self.intensity_range),
                "measured_range": [min(self._extremes), max(self._extremes)],
                "corruptions_left_out": [each.name for each in self.corruptions if not each.applies(shown[0][0])],
                "corruptions_without_zero": [each.name for each in CORRUPTIONS if each not in self.corruptions],
                "tolerance": self.tolerance,
                "cut_masks": self._cut_masks,
                "gallery_lacks": self.gallery.lacks({name: found["badness"] for name, found in images.items()}),
                **self.facts,
            },
        )
        write_report(assessment, self.output_dir)
        _release(self.output_dir)
        return json.loads((self.output_dir / "report.json").read_text(encoding="utf-8"))

    def _conditions(self, surrogate: nn.Module | None) -> dict[str, Any]:
        """What the results of an image depend on."""
        return {
            "network": network_identity(self.attacked.network),
            "surrogate": None if surrogate is None else network_identity(surrogate),
            "budget": dataclasses.asdict(self.battery.budget),
            "classes": describe(self.classes),
            "intensity_range": self.intensity_range,
            "inferer": describe(self.attacked.inferer),
            "precision": str(self.precision),
            "tolerance": self.tolerance,
            "corruptions": [each.name for each in self.corruptions],
            "seed": self.seed,
        }

    def _compare_kept(
        self, kept: set[str], names: Sequence[str], picture: torch.Tensor, label: torch.Tensor, clean: torch.Tensor
    ) -> None:
        """Refuse results of a network that gave other masks for the clean pictures, by code that nothing else shows."""
        for name, dic in zip(names, self.attacked.scores(clean, label)[:, 0].tolist(), strict=True):
            before = self.results.images[name]["scores"][0]["DIC"] if name in kept else dic
            if not abs(before - dic) <= _SAME:
                if not torch.equal(self.attacked.predict(picture, label), clean):
                    return  # a random network gives other masks each time
                raise InputError(
                    f"{self.results.path} holds results of another network: the DIC of '{name}' was {before:.3f}, "
                    f"and is {dic:.3f} now; name another folder for the report, or remove this one."
                )

    def _assess(
        self, picture: torch.Tensor, label: torch.Tensor, clean: torch.Tensor, names: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """All that is found about the images of a batch, of whose clean pictures the prediction is known."""
        results: dict[str, dict[str, Any]] = {
            name: {"scores": [], "convergence": [], "corruptions": []} for name in names
        }

        def keep(what: str, rows: Iterable[dict[str, Any]]) -> None:
            for row in rows:
                results[row["image"]][what].append(row)

        keep("scores", self._rows(CLEAN, 0.0, clean, label, names, torch.zeros(len(names))))
        gradients, not_finite = torch.zeros(2, len(names), dtype=torch.long)
        shown = [Failure(self.attacked, picture, label, clean, index, name) for index, name in enumerate(names)]
        for epsilon, findings in groupby(self.battery(self.attacked, picture, label), key=lambda each: each.epsilon):
            spent = torch.zeros(len(names), dtype=torch.long)
            last: dict[str, Finding] = {}
            for step, finding in enumerate(findings):
                spent += finding.gradients
                not_finite += finding.not_finite
                last[finding.attack] = finding
                for each in shown:
                    each.offer(finding)
                keep(
                    "convergence",
                    (
                        {"image": each.name, "epsilon": epsilon, "step": step, "gradients": int(count), "DIC": each.dic}
                        for each, count in zip(shown, spent, strict=True)
                    ),
                )
            gradients += spent
            for name, finding in last.items():
                keep("scores", self._rows(name, epsilon, finding.prediction, label, names, finding.moved))
        for each in shown:
            failure = each.picture()
            self.gallery.offer(failure)
            results[each.name]["badness"] = badness(failure)
        keep("corruptions", corrupted_scores(self.attacked, picture, label, names, self.corruptions, self.seed))
        present = self.classes.foreground(label).flatten(2).any(2).tolist()
        for index, found in enumerate(results.values()):
            found["ceiling"] = self._ceiling(picture[index], label[index])
            found["gradients"], found["not_finite"] = int(gradients[index]), int(not_finite[index])
            found["classes"], found["full"] = present[index], bool((label[index] > 0).all())
        return results

    def _ceiling(self, picture: torch.Tensor, label: torch.Tensor) -> dict[str, float] | None:
        if why_no_ceiling(self.classes, picture.ndim - 1):
            return None
        return {f"{epsilon:g}": dic for epsilon, dic in ceiling(picture, label, self.epsilons).items()}

    def _rows(
        self,
        attack: str,
        epsilon: float,
        prediction: torch.Tensor,
        label: torch.Tensor,
        names: Sequence[str],
        moved: torch.Tensor,
    ) -> list[dict[str, Any]]:
        """The rows of the table of scores that an attack gives, one for each image."""
        scores = self.attacked.scores(prediction, label).tolist()
        maps = self.classes.foreground(prediction), self.classes.foreground(label)
        surfaces = surface_scores(*maps, self.tolerance).tolist()
        of_classes = class_dic(*maps).tolist()
        return [
            dict(zip(COLUMNS, (name, epsilon, attack, *pair, *surface, reach), strict=True)) | class_cells(dic)
            for name, pair, surface, reach, dic in zip(names, scores, surfaces, moved.tolist(), of_classes, strict=True)
        ]

    def _check(
        self,
        scores: pd.DataFrame,
        images: Mapping[str, Mapping[str, Any]],
        picture: torch.Tensor,
        label: torch.Tensor,
        names: tuple[str, ...],
    ) -> tuple[list[CheckResult], int]:
        """What the checks find, and how many gradients they need for an image."""
        spent = 0

        def count() -> None:
            nonlocal spent
            spent += 1

        attacked = AttackedNetwork(
            self.attacked.network,
            self.attacked.inferer,
            self.classes,
            self.intensity_range,
            keep_going=True,
            on_gradient=count,
            subject=type(self.attacked.network).__name__,
        )
        floor = None if self.constant is None else self._floor
        empty = frozenset(name for name, found in images.items() if not any(found["classes"]))
        full = frozenset(name for name, found in images.items() if found["full"])
        evidence = Evidence(attacked, picture, label, names, scores, self.epsilons, floor, self._fresh, empty, full)
        return [check(evidence) for check in CHECKS], spent


def _hold(folder: Path) -> None:
    """Take a folder for this process: two at once would show each other's pictures, and lose results."""
    check_folder(folder, "robustness")
    place = folder.resolve()
    lock = _held.get(place) or FolderLock(place)
    if place not in _held and not lock.acquire():
        raise InputError(f"Another process assesses a network into {folder}; wait for its end, or name another folder.")
    _held[place] = lock


def _release(folder: Path) -> None:
    lock = _held.pop(folder.resolve(), None)
    if lock is not None:
        lock.release()


def _mean_convergence(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the means over images for each step; an image whose search has ended keeps its last values."""
    each = steps.pivot(index=["epsilon", "step"], columns="image", values=["gradients", "DIC"])
    filled = each.groupby(level="epsilon").ffill()
    return pd.DataFrame({name: filled[name].mean(axis=1) for name in ("gradients", "DIC")}).reset_index()


def _budget(budget: str | Budget, epsilons: Sequence[float] | None) -> Budget:
    if isinstance(budget, str):
        budget = find_budget(budget)
    wanted = budget.epsilons if epsilons is None else epsilons
    check_epsilons(wanted, GREY_LEVELS)
    if not wanted:
        raise InputError("epsilons: the list is empty; attack at one intensity at least.")
    # so they are called in reports
    called = Counter(f"{epsilon:g}" for epsilon in wanted)
    twice = next((name for name, count in called.items() if count > 1), None)
    if twice is not None:
        raise InputError(f"epsilons: two are {twice} in six digits, in which reports tell them apart; leave one out.")
    return dataclasses.replace(budget, epsilons=tuple(float(epsilon) for epsilon in wanted))
