# SPDX-License-Identifier: Apache-2.0
"""The battery on the evaluator of any MONAI segmentation bundle."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import pandas as pd
import torch
from ignite.engine import Engine, Events
from monai.utils import convert_to_tensor

from pipeline.attacks import AttackedNetwork, OutputClasses, check_intensity_range
from pipeline.robustness import (
    MEASURED,
    Assessor,
    Budget,
    find_classes,
    image_names,
    measure_range,
    read_criteria,
    whole_masks,
)
from pipeline.tracking import Tracker
from pipeline.utils import (
    InputError,
    check_finite,
    check_images,
    check_mask_size,
    check_masks,
    find_input_error,
    innermost_cause,
    short_number,
    with_progress,
)

from .adversarial_evaluation import epsilon_name
from .robustness_result import write_robustness_result

__all__ = ["RobustnessAssessment"]


class RobustnessAssessment:
    """Assess the network of an evaluator on each of its batches, and write the report at the end.

    The network is judged in its own space, on the images and masks that the data loader gives, before any
    postprocessing. It takes the evaluator's network, inferer, device and ``prepare_batch``; the evaluator itself need
    do nothing with a batch (``iteration_update``).

    Args:
        output_dir: folder for the report.
        budget, epsilons, tolerance, seed, gallery, progress: see :class:`Assessor`.
        intensity_range: what of the images' values is grey level 0 and 255; None for [0, 1] if all values are in it,
            and else their range, which is said.
        sigmoid: whether masks are made of the network's output by a sigmoid: labels that may overlap.
        training_data: items whose ``label`` makes the best constant mask: a sequence of dictionaries; None for none.
        criteria: acceptance criteria: dictionaries of ``epsilon``, ``at_least`` and ``metric``.
        facts: what the report is to say, see :class:`Assessment`.
        tracker: a tracker that is given the files and figures; None for none. The figures of the worst case are in the
            engine's metrics, too, so that a handler behind this one can log them.

    Raises:
        InputError: in a run, see :class:`Assessor`; if several processes share the images, or batches have no masks.

    Example:
        >>> RobustnessAssessment("robustness", budget="quick").attach(evaluator)  # evaluator.run() writes the report
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        budget: str | Budget = "standard",
        epsilons: Sequence[float] | None = None,
        intensity_range: Sequence[float] | None = None,
        sigmoid: bool = False,
        training_data: Sequence[Mapping[str, Any]] | None = None,
        criteria: Sequence[Mapping[str, Any]] = (),
        facts: Mapping[str, Any] | None = None,
        tracker: Tracker | None = None,
        **settings: Any,
    ) -> None:
        if intensity_range is not None:
            check_intensity_range((intensity_range[0], intensity_range[1]))
        self.output_dir = Path(output_dir)
        self.budget = budget
        self.epsilons = epsilons
        self.intensity_range = intensity_range
        self.sigmoid = sigmoid
        self.training_data = training_data
        self.criteria = read_criteria(criteria)
        self.facts = dict(facts or {})
        self.tracker = tracker
        self.settings = settings
        self.report: dict[str, Any] = {}

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a MONAI evaluator.
        """
        if not engine.has_event_handler(self.start, Events.STARTED):
            engine.add_event_handler(Events.STARTED, self.start)
            # before the iteration: MONAI's engines take the batch apart at its end
            engine.add_event_handler(Events.ITERATION_STARTED, self.add_batch)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Look through the bundle's images and masks once, so that nothing is wrong with them after hours."""
        if self.tracker is not None:
            self.tracker.start()
        if idist.get_world_size() > 1:
            raise InputError("robustness: the battery runs in one process; start it without torchrun.")
        evaluator: Any = engine
        for name in ("network", "inferer", "prepare_batch"):
            if not hasattr(evaluator, name):
                raise InputError(
                    f"validate#evaluator: a {type(evaluator).__name__} has no {name}; a SupervisedEvaluator is needed."
                )
        attacked = AttackedNetwork(evaluator.network, evaluator.inferer, subject=type(evaluator.network).__name__)
        classes, names, measured = self._look_through(evaluator, attacked)
        low, high = measured if self.intensity_range is None else self.intensity_range
        if self.intensity_range is not None:
            source = "stated"
        else:
            source = "not stated, all values lie in it" if (low, high) == (0.0, 1.0) else MEASURED
        training_masks, cut = self._training_masks(classes)
        self._assessor = Assessor(
            evaluator.network,
            self.output_dir,
            inferer=evaluator.inferer,
            classes=classes,
            intensity_range=(low, high),
            budget=self.budget,
            epsilons=self.epsilons,
            training_masks=training_masks or None,
            criteria=self.criteria,
            facts={"range_source": source, "cut_training_masks": cut, **self.facts},
            images=len(names),
            **self.settings,
        )
        self._seen = 0

    def add_batch(self, engine: Engine) -> None:
        """Attack the images of ``engine.state.batch``."""
        state: Any = engine.state
        image, label = self._prepare(engine, state.batch)
        self._assessor.add(image, label, image_names(state.batch, len(image), self._seen))
        self._seen += len(image)

    def finish(self, engine: Engine) -> None:
        """Write the report, show what it begins with, and give it to the engine's metrics and the tracker."""
        self.report = self._assessor.finish()
        print("\n".join(["", *self.report["findings"], "", f"Report: {self.output_dir / 'report.html'}"]))
        print("    ε     DIC     JSC   worst case")
        for epsilon, worst in self.report["worst_case"].items():
            print(f"{epsilon:>5}  {worst['DIC']:.4f}  {worst['JSC']:.4f}")
        figures = {
            f"robustness/{epsilon_name(f'{metric}_worst', float(epsilon))}": worst[metric]
            for epsilon, worst in self.report["worst_case"].items()
            for metric in ("DIC", "JSC")
        }
        engine.state.metrics.update(figures)
        if self.tracker is not None:
            self._track(self.tracker, figures)

    def _track(self, tracker: Tracker, figures: Mapping[str, float]) -> None:
        clean = self.report["clean"]
        tracker.log_metrics({**figures, "test/DIC": clean["DIC"], "test/JSC": clean["JSC"]}, step=0)
        for epsilon, row in {"0": clean, **self.report["worst_case"]}.items():
            step = round(10 * float(epsilon), 6)
            if step.is_integer():  # as in the curves of other runs
                curves = {f"robustness/{metric}_worst_vs_eps": row[metric] for metric in ("DIC", "JSC")}
                tracker.log_metrics(curves, step=int(step))
        for name in ("report.html", "report.json", "scores.parquet", "curves.png"):
            tracker.log_artifact(self.output_dir / name, "robustness")
        write_robustness_result(tracker, self.report, pd.read_parquet(self.output_dir / "scores.parquet"))
        tracker.close()

    def _look_through(
        self, evaluator: Any, attacked: AttackedNetwork
    ) -> tuple[OutputClasses, list[str], tuple[float, float]]:
        """The classes, the images' names and the range of their values, of all batches."""
        classes: OutputClasses | None = None
        names: list[str] = []
        extremes: list[torch.Tensor] = []
        batches: Any = _Explained(evaluator.data_loader, "validate#dataloader")
        for batch in with_progress(batches, "images", "batch"):
            image, label = self._prepare(evaluator, batch)
            new = image_names(batch, len(image), len(names))
            subject = ", ".join(new)
            check_finite(image, subject)
            if classes is None:
                attacked.subject += f", {subject}"
                classes = find_classes(attacked, image, label, self.sigmoid)
                same_size = label.shape[2:] == image.shape[2:]
            if same_size:
                check_mask_size(label, image, subject)
            check_masks(whole_masks(label, classes)[0], len(image), subject, classes.mask_channels, classes.labels)
            names += new
            extremes += [image.min(), image.max()]
        if classes is None:
            raise InputError("validate#dataloader: there are no images; check dataset_dir and the names of the data.")
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise InputError(f"Two images are named '{twice}'; give each image its own id in the data list.")
        measured = measure_range(extremes)
        if self.intensity_range is not None:
            check_images(
                torch.stack(extremes).view(1, 1, -1),
                "intensity_range",
                (self.intensity_range[0], self.intensity_range[1]),
                f'say their range (--intensity_range "[{",".join(map(short_number, measured))}]"), or leave the option '
                "out: it is measured then",
            )
        return classes, names, measured

    def _training_masks(self, classes: OutputClasses) -> tuple[list[torch.Tensor], int]:
        """The masks for the best constant mask, and how many of them held numbers that are not whole."""
        if not self.training_data:
            return [], 0
        what = "train#dataset#data, for the best constant mask"
        items: Any = _Explained(self.training_data, what, "--robustness_assessment#training_data []")
        masks, cut_masks = [], 0
        for item in with_progress(items, "training masks", "mask"):
            mask, cut = whole_masks(convert_to_tensor(item["label"])[None], classes)
            check_masks(mask, 1, what, classes.mask_channels, classes.labels)
            masks.append(mask[0].to(torch.uint8))
            cut_masks += int(cut.sum())
        return masks, cut_masks

    def _prepare(self, engine: Any, batch: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        image, label, *_ = engine.prepare_batch(batch, engine.state.device or engine.device, engine.non_blocking)
        if label is None:
            raise InputError("robustness: the batches have no key 'label'; a network is attacked against true masks.")
        return convert_to_tensor(image), convert_to_tensor(label)


class _Explained:
    """Batches or items of a bundle; what their reading raises becomes one sentence."""

    def __init__(self, items: Any, what: str, without: str = "") -> None:
        self._items = items
        self._what = what
        self._without = f", or do without them: {without}" if without else ""

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._items
        # readers and transforms may raise anything
        except Exception as error:
            cause = innermost_cause(error)
            raise find_input_error(error) or InputError(
                f"{self._what}: an image cannot be read ({type(cause).__name__}: {' '.join(str(cause).split())}); "
                f"check dataset_dir and the preprocessing{self._without}."
            ) from error
