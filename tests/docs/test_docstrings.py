# SPDX-License-Identifier: Apache-2.0
"""The examples of the docstrings run: ``network``, ``image`` and so on are what they say."""

from __future__ import annotations

import doctest
import inspect
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest
import torch
from monai.engines import SupervisedEvaluator, SupervisedTrainer

import pipeline.attacks
import pipeline.handlers
import pipeline.networks
from pipeline.attacks import PAPER_EPSILONS, PGD, AttackedNetwork, Softmax
from pipeline.losses import PixelCrossEntropy, SoftDice
from pipeline.networks import NLCEN
from pipeline.robustness import Budget
from pipeline.robustness.checks import CHECKS, Evidence
from pipeline.robustness.corruptions import CORRUPTIONS
from pipeline.robustness.report import make_report
from tests.attacks.small import make_data, make_network
from tests.robustness.report.assessments import undefended

from .pages import ROOT

MODULES = [path for path in sorted((ROOT / "pipeline").rglob("*.py")) if ">>> " in path.read_text("utf-8")]


def example_names() -> dict[str, Any]:
    """What the examples speak of: a small network, three pictures that it segments without a fault, and so on."""
    network, surrogate = make_network(), make_network(1)
    picture, label = make_data(network)
    image = picture / 255
    attacked = AttackedNetwork(network)
    test_set = [{"image": image[i], "label": label[i], "id": "abc"[i]} for i in range(3)]
    loader = [{"image": image, "label": label, "id": ["a", "b", "c"]}]
    rows = [(name, 0.0, "clean", 1.0, 0.0) for name in "abc"]
    rows += [(name, 8.0, attack, dic, 1.0) for name in "abc" for attack, dic in (("dice", 0.5), ("square", 0.75))]
    scores = pd.DataFrame(rows, columns=["image", "epsilon", "attack", "DIC", "moved"])
    optimizer = torch.optim.Adam(network.parameters())
    return {
        **{each.__name__: each for each in (torch, pd, Path, PGD, SoftDice, NLCEN, Softmax, Budget, AttackedNetwork)},
        **{each.__name__: each for each in (SupervisedTrainer, make_report, torch.utils.data.DataLoader)},
        **{
            "CORRUPTIONS": CORRUPTIONS,
            "PAPER_EPSILONS": PAPER_EPSILONS,
            "network": network,
            "surrogate": surrogate,
            "attacked": attacked,
        },
        **{"image": image, "picture": picture, "label": label, "test_set": test_set, "training_set": test_set},
        **{"loader": loader, "scores": scores, "assessment": undefended(), "optimizer": optimizer},
        "tracker": Mock(run=Mock(path=Path("run")), params=defaultdict(str)),
        "adversarial": pipeline.handlers.AdversarialEvaluation(),
        "loss": PixelCrossEntropy(),
        "scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
        "evidence": Evidence(attacked, picture, label, ("a", "b", "c"), scores, (8.0,)),
        "evaluator": SupervisedEvaluator(torch.device("cpu"), loader, network),
        "trainer": SupervisedTrainer(
            torch.device("cpu"),
            1,
            torch.utils.data.DataLoader(test_set, batch_size=3),
            network,
            optimizer,
            PixelCrossEntropy(),
        ),
    }


pytestmark = pytest.mark.usefixtures("quick_assessments")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    failed, tried = doctest.testmod(module, extraglobs=example_names())
    assert tried and not failed


@pytest.mark.parametrize("package", [pipeline.attacks, pipeline.handlers, pipeline.networks], ids=lambda p: p.__name__)
def test_attacks_handlers_and_networks_show_an_example(package: ModuleType) -> None:
    kinds = [kind for name, kind in vars(package).items() if name in package.__all__ and isinstance(kind, type)]
    made = [kind for kind in kinds if issubclass(kind, torch.nn.Module) or hasattr(kind, "attach") or is_attack(kind)]
    assert len(made) > 5 and [kind.__name__ for kind in made if ">>> " not in (kind.__doc__ or "")] == []


def is_attack(kind: type) -> bool:
    return hasattr(kind, "gradients") and not inspect.isabstract(kind) and not getattr(kind, "_is_protocol", False)


def test_checks_show_an_example() -> None:
    assert all(">>> " in (type(check).__doc__ or "") for check in CHECKS)
