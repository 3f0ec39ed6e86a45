# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.robustness.report import read_report
from pipeline.utils import InputError
from pipeline.weights import fingerprint_file

from .trained_run import TrainedRun

__all__ = ["PHANTOM_WARNING", "model_card", "rename_packages", "rename_paths"]


def rename_packages(text: str) -> str:
    """Let Python code, a configuration or a document name the packages as a packaged bundle has them.

    The zoo keeps a bundle's own code in its package ``scripts``: ``pipeline.networks`` becomes ``scripts.networks``,
    ``data_prep`` becomes ``scripts.data_prep``.
    """
    text = re.sub(r"\bpipeline(?=\.[a-z])", "scripts", text)
    text = re.sub(r"\b((?:from|import) )data_prep\b", r"\1scripts.data_prep", text)
    return re.sub(r"\bpython -m data_prep\b", "python -m scripts.data_prep", text)


def rename_paths(text: str, name: str) -> str:
    """Let the paths of a document of ``bundles/<name>`` start from the bundle's own folder."""
    text = text.replace(f"bundles/{name}/configs/", "configs/").replace(f"bundles/{name}/models/", "models/")
    return re.sub(rf"\bbundles/{name}/(?=[\w/]+\.json)", "configs/", text)


PHANTOM_WARNING = (
    "**The weights in this bundle were trained on phantoms, pictures that a program draws. They show that everything "
    "works, and segment no real picture: train the bundle on real data first.**"
)
_CHOICE = re.compile(r"<!-- repository -->\n(.*?)<!-- package\n(.*?)-->\n", re.DOTALL)


_REPORT = Path("robustness") / "report.json"  # in a run's folder


def model_card(text: str, name: str, metadata: Mapping[str, Any], run: TrainedRun, report: Path | None = None) -> str:
    """Return the model card of a packaged bundle.

    Args:
        text: ``docs/README.md`` of ``bundles/<name>``. Where it says ``<!-- repository -->`` … ``<!-- package`` …
            ``-->``, the second part, which a reader of the repository does not see, takes the place of the first,
            the weights' origin and figures that of ``{weights}`` in it, the pinned packages that of ``{packages}``.
        name: of the bundle.
        metadata: of the bundle.
        run: the training of the weights.
        report: the ``report.json`` of a robustness run of these weights, of which the card's last section is made; the
            one in the folder ``robustness`` beside the weights by default, if there is one.

    Raises:
        InputError: if the report is none, or is not one of these weights.
    """
    text = _CHOICE.sub(lambda choice: choice[2], text)
    text = text.replace("{weights}", _weights(run)).replace("{packages}", _packages(metadata))
    text = rename_packages(rename_paths(text, name))
    beside = run.weights.parent / _REPORT
    text = f"{text.rstrip()}\n\n## Robustness\n\n{_robustness(report or (beside if beside.exists() else None), run)}"
    return f"{PHANTOM_WARNING}\n\n{text}" if run.phantoms else text


def _packages(metadata: Mapping[str, Any]) -> str:
    own = {"torch": "pytorch_version", "monai": "monai_version", "numpy": "numpy_version"}
    versions = {package: metadata[key] for package, key in own.items()} | metadata["required_packages_version"]
    return " ".join(f"{package}=={version}" for package, version in versions.items())


def _weights(run: TrainedRun) -> str:
    training, test = run.pictures
    code = f"commit {run.commit}{' with changes' if run.dirty else ''}" if run.commit else "an unknown commit"
    defence = f" by adversarial training (`{run.defence}`)" if run.defence else ""
    rows = [f"| {epsilon:g} | {dic:.3f} | {jsc:.3f} |" for epsilon, (dic, jsc) in sorted(run.scores.items())]
    return "\n".join(
        [
            f"`models/model.pt` was trained for {run.epochs} epochs{defence} on {training} pictures of this data: "
            f"{run.data}. "
            f"Code: {code}. Means over the {test} test pictures, clean (ε = 0) and under the paper's attack, one seed:",
            "",
            "| ε, grey levels | DIC | JSC |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _robustness(path: Path | None, run: TrainedRun) -> str:
    """What the report of a robustness run says; its sentences may quote names that are no Markdown."""
    if path is None:
        return "How robust these weights are was not assessed: there is no report of a robustness run of them.\n"
    report = read_report(path)
    if report["facts"].get("weights_sha256") != fingerprint_file(run.weights):
        raise InputError(
            f"{path}: facts: weights_sha256: is not that of {run.weights}; attack these weights, or remove the report."
        )
    findings = [
        f"{place}. {html.escape(sentence, quote=False)}" for place, sentence in enumerate(report["findings"], 1)
    ]
    rows = {"0": report["clean"]} | report["worst_case"]
    table = [f"| {epsilon} | {row['DIC']:.3f} | {_ends(row)} | {row['JSC']:.3f} |" for epsilon, row in rows.items()]
    budget = html.escape(str(report["budget"] or "not given"), quote=False)
    return "\n".join(
        [
            "What was found, worst first:",
            "",
            *findings,
            "",
            f"Means over the {report['images']} test images, clean (ε = 0) and in the worst case of all attacks. "
            f"Budget: {budget}, {report['gradients']} gradients for each image.",
            "",
            "| ε, grey levels | DIC | 95 % interval | JSC |",
            "|---|---|---|---|",
            *table,
            "",
            "```",
            str(report["facts"].get("command", "the command was not given")),
            "```",
            "",
        ]
    )


def _ends(row: Mapping[str, Any]) -> str:
    return "–" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
