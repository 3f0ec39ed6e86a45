# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from pipeline.runs import SOURCE, code_digest, describe_code
from pipeline.transforms import mask_range_path
from pipeline.utils import InputError, atomic_path
from pipeline.weights import load_network

from .model_card import model_card, rename_packages
from .trained_run import TrainedRun, read_trained_run

__all__ = ["package_bundle"]

_ROOT = Path(__file__).parents[2]
_LEFT_OUT = ("packaging",)  # what works on the repository's bundles as a whole
_SOURCES = {".py", ".jinja", ".json"}  # the report has a template and a schema
_CONFIGS = {".json", ".conf"}  # not what an editor leaves there
_NAME = re.compile(r"[\w-]+", re.ASCII)
_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first: the same content makes the same file


def package_bundle(bundle: Path, run: Path, output: Path, report: Path | None = None, name: str | None = None) -> Path:
    """Write ``<output>/<name>.zip``, a bundle that needs nothing of this repository.

    As in MONAI's model zoo: one folder with ``LICENSE``, ``configs``, ``docs``, ``models/model.pt`` (and beside it what
    the masks of its training were like) and, as the package ``scripts``, the code, with ``data_prep`` in it. Links are
    resolved. The model card and ``metadata.json`` tell where the weights come from and what they scored.

    Args:
        bundle: a bundle of this repository.
        run: the folder of the training whose weights go into it.
        output: folder to write to.
        report: ``report.json`` of a robustness run of these weights for the model card; by default the one in the
            run's folder ``robustness``, if there is one.
        name: of the new bundle, which is its folder's, too; by default the bundle's own.

    Returns:
        The zip file.

    Raises:
        InputError: if one of the folders is none of these, the weights are of another network than the bundle's, or the
            name is none.
    """
    name = bundle.resolve().name if name is None else name
    if not _NAME.fullmatch(name):
        raise InputError(f"--name: letters, digits, _ and - make a bundle's name, got '{name}'.")
    config = bundle / "configs" / "inference.json"
    if not config.is_file():
        raise InputError(f"{bundle} is no bundle: there is no {config}.")
    trained = read_trained_run(run, bundle)
    parser = ConfigParser()
    parser.read_config(config)
    load_network(parser.get_parsed_content("network_def"), trained.weights)

    files = dict(_files(bundle, bundle.resolve().name, trained, report))
    files[f"scripts/{SOURCE}"] = _json(describe_code() | {"sha256": code_digest(files)})
    target = output / f"{name}.zip"
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files):
            entry = zipfile.ZipInfo(f"{name}/{file}", _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[file])
    return target


def _files(bundle: Path, name: str, trained: TrainedRun, report: Path | None) -> Iterator[tuple[str, bytes]]:
    """Names in the bundle and contents, all but ``scripts/source.json``."""
    yield "LICENSE", (bundle / "LICENSE").read_bytes()
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text("utf-8"))
    card = (bundle / "docs" / "README.md").read_text("utf-8")
    yield "docs/README.md", model_card(card, name, metadata, trained, report).encode()
    yield "docs/data_license.txt", (bundle / "docs" / "data_license.txt").read_bytes()
    yield "models/model.pt", trained.weights.read_bytes()
    masks = mask_range_path(trained.weights)
    if masks.is_file():  # earlier trainings have none
        yield f"models/{masks.name}", masks.read_bytes()
    configs = bundle.resolve() / "configs"
    # the names of the files that links of folders lead to, too
    for folder in (configs, *(path for path in configs.iterdir() if path.is_dir())):
        for path in folder.iterdir():
            if path.suffix in _CONFIGS and not path.name.startswith(".") and path.is_file():
                content = rename_packages(path.read_text("utf-8"))
                yield f"configs/{path.relative_to(configs).as_posix()}", content.encode()
    overlay = (_ROOT / "bundles" / "robustness.json").read_text("utf-8")
    yield "configs/robustness.json", rename_packages(overlay).encode()
    yield "configs/metadata.json", _json(_with_weights(metadata, trained))
    packages = ((_ROOT / "pipeline", "scripts"), (_ROOT / "data_prep", "scripts/data_prep"))
    for package, place in packages:
        for path in package.rglob("*"):
            inside = path.relative_to(package)
            if path.suffix in _SOURCES and inside.parts[0] not in _LEFT_OUT:
                yield f"{place}/{inside.as_posix()}", rename_packages(path.read_text("utf-8")).encode()


def _with_weights(metadata: dict[str, Any], trained: TrainedRun) -> dict[str, Any]:
    scores = {
        f"{metric} {f'at ε = {epsilon:g}' if epsilon else 'clean'}": round(score, 4)
        for epsilon, pair in sorted(trained.scores.items())
        for metric, score in zip(("DIC", "JSC"), pair, strict=True)
    }
    origin = f"weights: {trained.data}; the bundle is made for: {metadata['data_source']}"
    return metadata | {"data_source": origin, "eval_metrics": scores}


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=4, ensure_ascii=False) + "\n").encode()
