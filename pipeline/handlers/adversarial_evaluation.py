# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Callable, Sequence, Sized
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from monai.utils import convert_to_tensor
from torch import nn

from pipeline.attacks import (
    GREY_LEVELS,
    PAPER_EPSILONS,
    Attack,
    AttackedNetwork,
    IterativeFGSM,
    OutputClasses,
    Softmax,
    attack_identity,
    check_intensity_range,
    describe,
    network_identity,
)
from pipeline.runs import KeptResults, content_digest
from pipeline.utils import InputError, Progress, atomic_path, check_images, check_masks, file_name, say_if_interrupted

__all__ = ["AdversarialEvaluation", "epsilon_name"]


def epsilon_name(metric: str, epsilon: float) -> str:
    """Return the name of ``metric`` at ``epsilon``, such as ``DIC_eps_08.0``, which sorts by ε."""
    return f"{metric}_eps_{epsilon:04.1f}" if round(epsilon, 1) == epsilon else f"{metric}_eps_{epsilon:g}"


class AdversarialEvaluation:
    """Attack the network of a MONAI evaluator on every batch, at many intensities, and score what it then predicts.

    DIC and JSC (equations 7 and 8) are Dice and IoU of the foreground; an empty mask scores 1 where nothing is
    predicted and 0 otherwise. Of several classes or labels the mean counts. The network is in evaluation mode.

    At the end of the epoch ``engine.state.metrics`` holds the mean over the images for each ε as a scalar
    (``DIC_eps_08.0``, ``JSC_eps_08.0``), for the clean pictures too (``DIC_eps_00.0``), ``engine.state.metric_details``
    the values per image, (N, 1), under the same names, and ``table`` one row per image and ε, the clean picture as
    ε = 0 first. Attach it before the handlers that log metrics.

    The images of a batch are attacked together; with several processes each attacks its part, and all hold the whole
    result at the end. The evaluator must run its network with ``engine.network`` on images (B, C, *spatial), from
    which it makes finite logits of ``classes``, of the size of the masks; each batch must name its images. All this is
    checked before a batch is attacked.

    Args:
        attack: how to attack; the paper's ``IterativeFGSM`` by default.
        epsilons: intensities ε in grey levels, rising. The paper's 18 by default; none gives the clean rows only.
        classes: how the network's output becomes classes: two by ``Softmax`` by default.
        intensity_range: what of the images' values is grey level 0 and 255.
        attacked: network that the attack sees, on the evaluator's device; the evaluated one by default.
        batch_statistics: whether the attack sees a network that normalizes with the statistics of the attacked batch,
            see ``evaluation_mode``.
        transmission: from adversarial pictures in grey levels to what reaches the evaluated network, for example
            ``torch.round`` for pictures that are saved with 8 bits; nothing happens on the way by default.
        id_key: key of the batch that holds the images' names.
        results_file: JSON file of what has been done, from which an interrupted sweep goes on; None for no such file.
        save_dir: folder for the adversarial pictures of the first ``save_count`` images, one ``.npz`` each, named by
            ``file_name``, with ``image`` (C, *spatial), ``label``, ``epsilons`` (E,), ``delta`` (E, C, *spatial) in
            grey levels, and ``prediction`` (E + 1, *spatial), the clean one first; masks have the network's size,
            pictures their own. With several labels, masks are (C, *spatial).
        save_count: number of images of each process to save.
        progress: whether a progress bar is wanted; without one or a terminal there are lines, see ``Progress``.

    Raises:
        InputError: if the attack is not defined for an ε or moves a grey level by more than it, a batch has no names or
            no masks, two images have one name, images, masks or logits are not as above, the attack's loss does not
            take what the attacked network gives, its gradient is not finite, or ``results_file`` is damaged.

    Example:
        >>> AdversarialEvaluation(epsilons=[2.0, 8.0]).attach(evaluator)
        >>> evaluator.run()
        >>> evaluator.state.metrics["DIC_eps_00.0"]
        1.0
    """

    def __init__(
        self,
        attack: Attack | None = None,
        epsilons: Sequence[float] = PAPER_EPSILONS,
        classes: OutputClasses | None = None,
        intensity_range: tuple[float, float] = (0.0, 1.0),
        attacked: nn.Module | None = None,
        batch_statistics: bool = False,
        transmission: Callable[[torch.Tensor], torch.Tensor] | None = None,
        id_key: str = "id",
        results_file: str | os.PathLike[str] | None = None,
        save_dir: str | os.PathLike[str] | None = None,
        save_count: int = 0,
        progress: bool = True,
    ) -> None:
        self.attack: Attack = IterativeFGSM() if attack is None else attack
        self.attack.check(epsilons)
        check_intensity_range(intensity_range)
        self.epsilons = [float(epsilon) for epsilon in epsilons]
        self.classes: OutputClasses = Softmax() if classes is None else classes
        self.intensity_range = intensity_range
        self.attacked = attacked
        self.batch_statistics = batch_statistics
        self.transmission = transmission
        self.id_key = id_key
        self.results_file = None if results_file is None else Path(results_file)
        self.save_dir = None if save_dir is None else Path(save_dir)
        self.save_count = save_count
        self.progress = progress
        self.table: list[dict[str, Any]] = []

    @property
    def gradients(self) -> int:
        """The number of gradients that are computed for each batch."""
        return self.attack.gradients(self.epsilons)

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a MONAI evaluator.
        """
        if not engine.has_event_handler(self.start, Events.STARTED):
            engine.add_event_handler(Events.STARTED, self.start)
            # before the iteration: MONAI's engines take the batch apart at its end
            engine.add_event_handler(Events.ITERATION_STARTED, self.attack_batch)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.complete)

    def start(self, engine: SupervisedEvaluator) -> None:
        """Read what an interrupted sweep of the same network, attack and images has left.

        Raises:
            InputError: if several processes share the batch whose statistics are to be used.
        """
        if self.batch_statistics and idist.get_world_size() > 1:
            raise InputError(
                "batch_statistics: several processes share each batch, so that its statistics are another's; start one "
                "process."
            )
        self._saved = 0
        self._digests: dict[str, str] = {}
        self._results = KeptResults(
            self._rank_file(),
            "sweep",
            {
                "network": network_identity(engine.network),
                "epsilons": self.epsilons,
                "attack": attack_identity(self.attack),
                "classes": describe(self.classes),
                "intensity_range": self.intensity_range,
                "inferer": describe(engine.inferer),
                "attacked": None if self.attacked is None else network_identity(self.attacked),
                "batch_statistics": self.batch_statistics,
                "transmission": None if self.transmission is None else describe(self.transmission),
            },
        )
        state: Any = engine.state
        # an attack without gradients, such as noise, is counted by batches
        self._work = self.gradients or 1
        title, unit = ("attack" if self.epsilons else "evaluation"), ("gradient" if self.gradients else "step")
        self._progress = Progress(title, self._work * state.epoch_length, unit, self.progress)
        self._prepare_interruption(engine)

    def attack_batch(self, engine: SupervisedEvaluator) -> None:
        """Attack the images of ``engine.state.batch`` and keep their scores."""
        state: Any = engine.state
        image, label, *_ = engine.prepare_batch(state.batch, state.device, engine.non_blocking)
        names = self._names(state.batch, label)
        # MONAI's MetaTensor would carry its metadata through every operation of the network
        image, label = convert_to_tensor(image), convert_to_tensor(label)
        subject = f"AdversarialEvaluation, {_list_names(names)}"
        seen, evaluated = self._networks(engine, subject)
        check_images(image, subject, self.intensity_range)
        check_masks(label, len(image), subject, self.classes.mask_channels, self.classes.labels)
        digests = [content_digest(*pair) for pair in zip(image, label, strict=True)]
        for name, digest in zip(names, digests, strict=True):
            _claim_name(self._digests, name, digest)
        if all(self._results.done(name, digest) for name, digest in zip(names, digests, strict=True)):
            self._progress.skip(self._work)
            self._saved += len(names)
            return

        clean = evaluated.grey_levels(image)
        # before the attack, which would end in the loss if the network gave something else
        predictions = {0.0: evaluated.predict(clean, label)}
        pictures = {0.0: clean} | self._attack(seen, clean, label, subject)
        for epsilon in self.epsilons:
            evaluated.subject = f"{subject}, attacked with ε = {epsilon:g}"
            predictions[epsilon] = evaluated.predict(pictures[epsilon], label)
        scores = {
            str(epsilon): evaluated.scores(prediction, label).tolist() for epsilon, prediction in predictions.items()
        }
        for index, (name, digest) in enumerate(zip(names, digests, strict=True)):
            self._results.add(name, digest, {"scores": {epsilon: pairs[index] for epsilon, pairs in scores.items()}})
            self._save_pictures(name, index, label, pictures, predictions)
        self._results.save()
        if not self.gradients:
            self._progress.update()
        self._prepare_interruption(engine)

    def _networks(self, engine: SupervisedEvaluator, subject: str) -> tuple[AttackedNetwork, AttackedNetwork]:
        """What the attack sees, and what is evaluated."""
        settings: dict[str, Any] = {
            "inferer": engine.inferer,
            "classes": self.classes,
            "intensity_range": self.intensity_range,
            "subject": subject,
        }
        seen = AttackedNetwork(
            engine.network if self.attacked is None else self.attacked,
            batch_statistics=self.batch_statistics,
            on_gradient=self._progress.update,
            **settings,
        )
        return seen, AttackedNetwork(engine.network, **settings)

    def _prepare_interruption(self, engine: SupervisedEvaluator) -> None:
        images = getattr(engine.data_loader, "sampler", None)
        count = f"{len(self._results.images)} of {len(images)}" if isinstance(images, Sized) else "some of the"
        say_if_interrupted(
            f"Interrupted in the {self._progress.title}, after {count} images. Type the same command again to "
            f"{'start it anew' if self.results_file is None else 'go on'}."
        )

    def _attack(
        self, seen: AttackedNetwork, clean: torch.Tensor, label: torch.Tensor, subject: str
    ) -> dict[float, torch.Tensor]:
        """For each ε the adversarial pictures, as they reach the evaluated network."""
        if not self.epsilons:
            return {}
        try:
            found = self.attack(seen, clean, label, self.epsilons)
        except FloatingPointError as error:
            raise InputError(f"{subject}: {error}") from error
        for epsilon in self.epsilons:
            self._check_reach(found[epsilon], clean, epsilon)
        return {
            epsilon: picture if self.transmission is None else self.transmission(picture)
            for epsilon, picture in found.items()
        }

    def _check_reach(self, picture: torch.Tensor, clean: torch.Tensor, epsilon: float) -> None:
        """Refuse what an attack gives that moves a grey level by more than ε: its score would be that of another ε."""
        reach, moved = epsilon * self.attack.unit, (picture - clean).abs().max().item()
        # x + δ is rounded to the picture's number type
        if not moved <= reach + 4 * GREY_LEVELS * torch.finfo(picture.dtype).eps:
            raise InputError(
                f"{type(self.attack).__name__} moved a grey level by {moved:g} where ε = {epsilon:g} allows {reach:g}; "
                "correct the attack."
            )

    def complete(self, engine: SupervisedEvaluator) -> None:
        """Gather the scores of all processes into the engine's state and ``table``."""
        self._progress.close()
        state: Any = engine.state
        images = self._gather()
        self.table = [
            {"image": name, "epsilon": epsilon, "DIC": dic, "JSC": jsc}
            for name, scores in images.items()
            for epsilon, (dic, jsc) in scores.items()
        ]
        for epsilon in (0.0, *self.epsilons):
            values = torch.tensor([scores[epsilon] for scores in images.values()], dtype=torch.float64)
            for column, metric in enumerate(("DIC", "JSC")):
                name = epsilon_name(metric, epsilon)
                state.metrics[name] = values[:, column].mean().item()
                state.metric_details[name] = values[:, column : column + 1]

    def _gather(self) -> dict[str, dict[float, tuple[float, float]]]:
        parts = [{name: self._results.images[name] for name in self._digests}]
        if idist.get_world_size() > 1:
            mine, parts = parts[0], [{} for _ in range(idist.get_world_size())]
            dist.all_gather_object(parts, mine)
        # a sampler that fills up the last batches gives an image to two processes; the name keeps it once
        digests: dict[str, str] = {}
        images: dict[str, dict[float, tuple[float, float]]] = {}
        for part in parts:
            for name, found in part.items():
                _claim_name(digests, name, found["digest"])
                images[name] = {float(epsilon): (dic, jsc) for epsilon, (dic, jsc) in found["scores"].items()}
        return images

    def _names(self, batch: dict[str, Any], label: torch.Tensor | None) -> list[str]:
        if label is None:
            raise InputError("AdversarialEvaluation: the batch has no masks; give the dataset labels to attack.")
        if self.id_key not in batch:
            raise InputError(
                f"AdversarialEvaluation: the batch has no key '{self.id_key}' with the images' names; "
                "add it to the data list or set id_key."
            )
        given = batch[self.id_key]
        names = [str(name) for name in ([given] if isinstance(given, str) else given)]
        if len(names) != len(label):
            raise InputError(
                f"AdversarialEvaluation: {len(label)} images need as many names, each its own, but '{self.id_key}' has "
                f"{_list_names(names)}."
            )
        return names

    def _save_pictures(
        self,
        name: str,
        index: int,
        label: torch.Tensor,
        pictures: dict[float, torch.Tensor],
        predictions: dict[float, torch.Tensor],
    ) -> None:
        if self.save_dir is None or self._saved >= self.save_count:
            return
        self._saved += 1
        clean = pictures[0.0][index]
        delta = [(pictures[epsilon][index] - clean).cpu().numpy() for epsilon in self.epsilons]
        with atomic_path(self.save_dir / f"{file_name(name)}.npz") as path:
            np.savez_compressed(
                path,
                image=clean.cpu().numpy(),
                label=_squeezed(label[index]),
                epsilons=np.array(self.epsilons),
                delta=np.array(delta, dtype=np.float32),
                prediction=np.array([_squeezed(prediction[index]) for prediction in predictions.values()]),
            )

    def _rank_file(self) -> Path | None:
        if self.results_file is None or idist.get_rank() == 0:
            return self.results_file
        return self.results_file.with_name(f"{self.results_file.stem}.rank{idist.get_rank()}{self.results_file.suffix}")


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _claim_name(digests: dict[str, str], name: str, digest: str) -> None:
    """Refuse a second image under the name of a first, whose scores it would replace."""
    if digests.setdefault(name, digest) != digest:
        raise InputError(
            f"AdversarialEvaluation: two different images are named '{name}'; give each image its own name."
        )


def _squeezed(mask: torch.Tensor) -> np.ndarray:
    """A mask (1, *spatial) without its channel; that of several labels keeps them."""
    return mask.to("cpu", torch.uint8).numpy()[0 if len(mask) == 1 else slice(None)]
