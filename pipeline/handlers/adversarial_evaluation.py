# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import hashlib
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
from monai.metrics import compute_dice, compute_iou
from monai.networks.utils import one_hot
from monai.utils import convert_to_tensor
from torch import nn

from pipeline.attacks import (
    PAPER_EPSILONS,
    check_attack,
    epsilon_sweep,
    frozen,
    inverse_mask,
    num_gradients,
    num_iterations,
    targeted_gradient,
)
from pipeline.losses import PixelCrossEntropy
from pipeline.utils import (
    InputError,
    Progress,
    atomic_path,
    check_images,
    check_logits,
    check_masks,
    describe_output,
    explain_misfits,
    file_name,
    fingerprint_network,
    network_output,
    say_if_interrupted,
)

from .sweep_results import SweepResults

__all__ = ["AdversarialEvaluation", "epsilon_name"]


def epsilon_name(metric: str, epsilon: float) -> str:
    """Return the name of ``metric`` at ``epsilon``, such as ``DIC_eps_08.0``, which sorts by ε."""
    return f"{metric}_eps_{epsilon:04.1f}" if round(epsilon, 1) == epsilon else f"{metric}_eps_{epsilon:g}"


class AdversarialEvaluation:
    """Attack the network of a MONAI evaluator on every batch, at many intensities, and score what it then predicts.

    The attack is the paper's: targeted iterative FGSM towards the inverse mask (equation 6), on the picture in grey
    levels of 0 to 255, against the network in evaluation mode. DIC and JSC (equations 7 and 8) are MONAI's Dice and
    IoU of the foreground; an empty mask scores 1 where nothing is predicted and 0 otherwise.

    At the end of the epoch ``engine.state.metrics`` holds the mean over the images for each ε as a scalar
    (``DIC_eps_08.0``, ``JSC_eps_08.0``), ``engine.state.metric_details`` the values per image, (N, 1), under the same
    names, and ``table`` one row per image and ε, the clean picture as ε = 0 first. Attach it before the handlers that
    log metrics.

    The images of a batch are attacked together; with several processes each attacks its part, and all hold the whole
    result at the end. The evaluator must run its network with ``engine.network`` on images (B, C, *spatial) in [0, 1],
    from which it makes finite logits (B, 2, *spatial) of the size of the masks, (B, 1, *spatial) of 0 and 1; each batch
    must name its images. All this is checked before a batch is attacked.

    Args:
        epsilons: intensities ε in grey levels, rising. The paper's 18 by default; none gives the clean rows only.
        step: α in grey levels.
        value_range: the picture's grey levels are kept in it; None for equation 6 to the letter.
        loss_function: from logits and target (B, 1, *spatial) to the scalar that the attack lowers; the sum of the
            pixels' cross-entropies (equation 4) by default.
        grey_level: what ε and α count, in grey levels of 255: 1 by default, 255 / 4095 for levels of 12 bits.
        attacked: network whose gradient the attack follows, on the evaluator's device; the evaluated one by default.
        batch_statistics: whether ``attacked`` normalizes with the statistics of the attacked batch, see ``frozen``.
        transmission: from adversarial pictures in grey levels to what reaches the evaluated network, for example
            ``torch.round`` for pictures that are saved with 8 bits; nothing happens on the way by default.
        id_key: key of the batch that holds the images' names.
        results_file: JSON file of what has been done, from which an interrupted sweep goes on; None for no such file.
        save_dir: folder for the adversarial pictures of the first ``save_count`` images, one ``.npz`` each, named by
            ``file_name``, with ``image`` (C, *spatial), ``label``, ``epsilons`` (E,), ``delta`` (E, C, *spatial) in
            grey levels, and ``prediction`` (E + 1, *spatial), the clean one first; masks have the network's size,
            pictures their own.
        save_count: number of images of each process to save.
        progress: whether a progress bar is wanted; without one or a terminal there are lines, see ``Progress``.

    Raises:
        InputError: if an ε or α is not above 0, the intensities do not rise, a batch has no names or no masks, two
            images have one name, images, masks or logits are not as above, the attack's loss does not take what the
            attacked network gives, its gradient is not finite, or ``results_file`` is damaged.
    """

    def __init__(
        self,
        epsilons: Sequence[float] = PAPER_EPSILONS,
        step: float = 1.0,
        value_range: tuple[float, float] | None = (0.0, 255.0),
        loss_function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
        grey_level: float = 1.0,
        attacked: nn.Module | None = None,
        batch_statistics: bool = False,
        transmission: Callable[[torch.Tensor], torch.Tensor] | None = None,
        id_key: str = "id",
        results_file: str | os.PathLike[str] | None = None,
        save_dir: str | os.PathLike[str] | None = None,
        save_count: int = 0,
        progress: bool = True,
    ) -> None:
        self.epsilons = [float(epsilon) for epsilon in epsilons]
        self.step = step
        self.value_range = value_range
        self.loss_function = PixelCrossEntropy(reduction="sum") if loss_function is None else loss_function
        self.grey_level = grey_level
        self.attacked = attacked
        self.batch_statistics = batch_statistics
        self.transmission = transmission
        self.id_key = id_key
        self.results_file = None if results_file is None else Path(results_file)
        self.save_dir = None if save_dir is None else Path(save_dir)
        self.save_count = save_count
        self.progress = progress
        self.table: list[dict[str, Any]] = []
        check_attack(torch.empty(0), self.epsilons, step, value_range)
        # by the scaled value itself: dividing it again could round 1.25 ε over a whole number
        self._nominal = {epsilon * grey_level: epsilon for epsilon in self.epsilons}

    @property
    def iterations(self) -> dict[float, int]:
        """The number of iterations for each ε."""
        return {epsilon: num_iterations(epsilon) for epsilon in self.epsilons}

    @property
    def gradients(self) -> int:
        """The number of gradients that are computed for each batch."""
        return num_gradients(list(self._nominal), self.step * self.grey_level, iterations=self._iterations)

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
        self._results = SweepResults(
            self._rank_file(),
            {
                "network": fingerprint_network(engine.network),
                "epsilons": self.epsilons,
                "step": self.step,
                "value_range": self.value_range,
                "loss_function": _describe(self.loss_function),
                "inferer": _describe(engine.inferer),
                "grey_level": self.grey_level,
                "attacked": None if self.attacked is None else _describe_network(self.attacked),
                "batch_statistics": self.batch_statistics,
                "transmission": None if self.transmission is None else _describe(self.transmission),
            },
        )
        state: Any = engine.state
        if self.epsilons:
            self._progress = Progress("attack", self.gradients * state.epoch_length, "gradient", self.progress)
        else:
            self._progress = Progress("evaluation", state.epoch_length, "step", self.progress)
        self._prepare_interruption(engine)

    def attack_batch(self, engine: SupervisedEvaluator) -> None:
        """Attack the images of ``engine.state.batch`` and keep their scores."""
        state: Any = engine.state
        image, label, *_ = engine.prepare_batch(state.batch, state.device, engine.non_blocking)
        names = self._names(state.batch, label)
        # MONAI's MetaTensor would carry its metadata through every operation of the network
        image, label = convert_to_tensor(image), convert_to_tensor(label)
        subject = f"AdversarialEvaluation, {_list_names(names)}"
        check_images(image, subject)
        check_masks(label, len(image), subject)
        digests = [_digest(*pair) for pair in zip(image, label, strict=True)]
        for name, digest in zip(names, digests, strict=True):
            _claim_name(self._digests, name, digest)
        if all(self._results.done(name, digest) for name, digest in zip(names, digests, strict=True)):
            self._progress.skip(self.gradients if self.epsilons else 1)
            self._saved += len(names)
            return

        clean = image * 255
        # before the attack, which would end in the loss if the network gave something else
        predictions = {0.0: self._predict(engine, clean, label, subject)}
        pictures = {0.0: clean} | self._attack(engine, clean, inverse_mask(label), subject)
        for epsilon in self.epsilons:
            attacked = f"{subject}, attacked with ε = {epsilon:g}"
            predictions[epsilon] = self._predict(engine, pictures[epsilon], label, attacked)
        scores = {epsilon: _dic_jsc(prediction, label) for epsilon, prediction in predictions.items()}
        for index, (name, digest) in enumerate(zip(names, digests, strict=True)):
            self._results.add(name, digest, {epsilon: pairs[index] for epsilon, pairs in scores.items()})
            self._save_pictures(name, index, label, pictures, predictions)
        self._results.save()
        if not self.epsilons:
            self._progress.update()
        self._prepare_interruption(engine)

    def _prepare_interruption(self, engine: SupervisedEvaluator) -> None:
        images = getattr(engine.data_loader, "sampler", None)
        count = f"{len(self._results.images)} of {len(images)}" if isinstance(images, Sized) else "some of the"
        say_if_interrupted(
            f"Interrupted in the {self._progress.title}, after {count} images. Type the same command again to "
            f"{'start it anew' if self.results_file is None else 'go on'}."
        )

    def _predict(
        self, engine: SupervisedEvaluator, picture: torch.Tensor, label: torch.Tensor, subject: str
    ) -> torch.Tensor:
        """The masks, (B, 1, *spatial), that the evaluated network finds in pictures in grey levels."""
        with frozen(engine.network), torch.no_grad():
            logits = network_output(engine.network, engine.inferer, picture / 255, subject)
        check_logits(logits, len(label), label.shape[2:], subject)
        return logits.argmax(1, keepdim=True)

    def _attack(
        self, engine: SupervisedEvaluator, clean: torch.Tensor, target: torch.Tensor, subject: str
    ) -> dict[float, torch.Tensor]:
        """For each ε the adversarial pictures, as they reach the evaluated network."""
        attacked = engine.network if self.attacked is None else self.attacked

        def loss(output: Any, mask: torch.Tensor) -> torch.Tensor:
            with explain_misfits(
                f"{subject}: the attack's loss cannot be computed from {describe_output(output)}, which the attacked "
                "network gives"
            ):
                return self.loss_function(output, mask)

        with frozen(attacked, batch_statistics=self.batch_statistics):
            loss_gradient = targeted_gradient(
                lambda x: network_output(attacked, engine.inferer, x, subject), loss, target
            )

            def gradient(x: torch.Tensor) -> torch.Tensor:
                self._progress.update()
                return loss_gradient(x)

            try:
                found = epsilon_sweep(
                    gradient,
                    clean,
                    list(self._nominal),
                    self.step * self.grey_level,
                    iterations=self._iterations,
                    value_range=self.value_range,
                )
            except FloatingPointError as error:
                raise InputError(f"{subject}: {error}") from error
        return {
            self._nominal[scaled]: picture if self.transmission is None else self.transmission(picture)
            for scaled, picture in found.items()
        }

    def _iterations(self, scaled: float) -> int:
        return num_iterations(self._nominal[scaled])

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
        for epsilon in self.epsilons:
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
            for name, (digest, scores) in part.items():
                _claim_name(digests, name, digest)
                images[name] = scores
        return images

    def _names(self, batch: dict[str, Any], label: torch.Tensor | None) -> list[str]:
        if label is None:
            raise InputError("AdversarialEvaluation: the batch has no masks; give the dataset labels to attack.")
        if self.id_key not in batch:
            raise InputError(
                f"AdversarialEvaluation: the batch has no key '{self.id_key}' with the images' names; "
                "add it to the data list or set id_key."
            )
        return [str(name) for name in batch[self.id_key]]

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
                label=label[index, 0].cpu().numpy().astype(np.uint8),
                epsilons=np.array(self.epsilons),
                delta=np.array(delta, dtype=np.float32),
                prediction=np.array([p[index, 0].cpu().numpy() for p in predictions.values()], dtype=np.uint8),
            )

    def _rank_file(self) -> Path | None:
        if self.results_file is None or idist.get_rank() == 0:
            return self.results_file
        return self.results_file.with_name(f"{self.results_file.stem}.rank{idist.get_rank()}{self.results_file.suffix}")


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _digest(image: torch.Tensor, label: torch.Tensor) -> str:
    return hashlib.sha256(image.cpu().numpy().tobytes() + label.cpu().numpy().tobytes()).hexdigest()


def _claim_name(digests: dict[str, str], name: str, digest: str) -> None:
    """Refuse a second image under the name of a first, whose scores it would replace."""
    if digests.setdefault(name, digest) != digest:
        raise InputError(
            f"AdversarialEvaluation: two different images are named '{name}'; give each image its own name."
        )


def _describe(function: Callable[..., Any]) -> str:
    """What tells one loss or inferer from another: its name and, of an object and its parts, its plain settings."""
    kind = function if hasattr(function, "__qualname__") else type(function)
    parts = dict(function.named_modules()) if isinstance(function, nn.Module) else {"": function}
    settings = {
        f"{part} {type(module).__name__}.{name}": value
        for part, module in parts.items()
        for name, value in getattr(module, "__dict__", {}).items()
        if isinstance(value, (int, float, str, list, tuple)) and name != "training"
    }
    code = getattr(function, "__code__", None)  # two lambdas differ in nothing else
    body = hashlib.sha256(repr((code.co_code, code.co_consts, code.co_names)).encode()).hexdigest() if code else ""
    return f"{kind.__module__}.{kind.__qualname__} {settings} {body}"


def _describe_network(network: nn.Module) -> str:
    return f"{type(network).__module__}.{type(network).__qualname__} {fingerprint_network(network)}"


def _dic_jsc(prediction: torch.Tensor, label: torch.Tensor) -> list[tuple[float, float]]:
    """DIC and JSC of the foreground for each image of (B, 1, *spatial) maps of 0 and 1."""
    maps = one_hot(prediction, num_classes=2), one_hot(label, num_classes=2)
    dic = compute_dice(*maps, include_background=False, ignore_empty=False)
    jsc = compute_iou(*maps, include_background=False, ignore_empty=False)
    return list(zip(dic[:, 0].tolist(), jsc[:, 0].tolist(), strict=True))
