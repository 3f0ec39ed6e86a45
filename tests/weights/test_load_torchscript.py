# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.utils import InputError
from pipeline.weights import load_torchscript


def save(path: Path) -> nn.Module:
    network = nn.Conv2d(1, 2, 3)
    torch.jit.script(network).save(path)
    return network


def cut(path: Path) -> None:
    save(path)
    path.write_bytes(path.read_bytes()[:-50])


def with_foreign_class(path: Path) -> None:
    """As TensorRT's files are, where torch_tensorrt is not imported."""
    save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(
                name, content.replace(b"weight : Tensor", b"weight : __torch__.torch.classes.tensorrt.Engine")
            )


def test_what_it_loads_is_what_was_saved(tmp_path: Path) -> None:
    network = save(tmp_path / "model.ts")
    image = torch.rand(2, 1, 8, 9)
    assert torch.equal(load_torchscript(tmp_path / "model.ts")(image), network(image))


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: path.write_bytes(b""), "PytorchStreamReader failed reading zip archive: not a ZIP archive"),
        (cut, "PytorchStreamReader failed reading zip archive: failed finding central directory"),
        (
            lambda path: torch.save(nn.Linear(1, 1).state_dict(), path),
            "PytorchStreamReader failed locating file constants.pkl: file not found",
        ),
        (with_foreign_class, "Unknown type name '__torch__.torch.classes.tensorrt.Engine'"),
    ],
    ids=["empty", "cut", "weights", "engine"],
)
def test_files_that_cannot_be_loaded(write: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model_trt.ts"
    write(path)
    message = (
        f"{path} cannot be loaded as TorchScript ({reason}); install torch_tensorrt, make the file anew with "
        "trt_export on this machine, or name another with --ckpt_path."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_torchscript(path)


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    network = nn.Conv2d(1, 2, 3)
    nn.init.constant_(network.bias, torch.inf)
    torch.jit.script(network).save(tmp_path / "model.ts")
    message = (
        f"{tmp_path}/model.ts holds numbers that are not finite, first in 'bias', as a training that diverged leaves "
        "them; remove it or name another."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_torchscript(tmp_path / "model.ts")


def test_no_file(tmp_path: Path) -> None:
    message = f"ckpt_path: there is no file {tmp_path}/gone.ts; make it with trt_export, or name it with --ckpt_path."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_torchscript(tmp_path / "gone.ts")
