# SPDX-License-Identifier: Apache-2.0
"""What is said where a package of an extra is missing, and that nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from torch import nn

from pipeline.inference.export_network import export_network
from pipeline.utils import InputError, check_extra, extras
from tests.inference.test_dicom_segmentation_writer import write_segmentation


def hide(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda asked: None if asked == name else object())


def test_the_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_extra("export", ["json", "csv"])
    monkeypatch.setattr(extras, "find_spec", {"a": None, "b": object(), "c": None}.get)
    with pytest.raises(InputError, match=r"^This needs a, c: pip install '\.\[x\]' .* pip install a c\.$"):
        check_extra("x", ["a", "b", "c"])


@pytest.mark.parametrize("name", ["onnx", "onnxruntime", "onnxscript"])
def test_exporting_names_its_extra(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(name, monkeypatch)
    with pytest.raises(InputError, match=re.escape(f"{name}: pip install '.[export]'")):
        export_network(nn.Conv2d(1, 2, 1), 1, tmp_path, {})
    assert not [*tmp_path.iterdir()]


def test_a_dicom_segmentation_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide("highdicom", monkeypatch)
    (failure,) = write_segmentation(tmp_path).failures
    assert failure.startswith("a has its mask, but no DICOM SEG")
    assert "highdicom: pip install '.[dicom-seg]'" in failure
    assert not (tmp_path / "out").exists()
