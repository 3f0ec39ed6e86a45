# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import highdicom
import nibabel as nib
import pydicom
import pytest
import skimage
import torch
from monai.bundle import ConfigWorkflow

from pipeline.networks import NLCEN
from pipeline.transforms import is_picture, is_unread_picture
from pipeline.utils import find_input_error
from tests.bundles.conftest import ROOT

PACKAGES = (pydicom, nib, skimage, highdicom)


def pictures_of(package: ModuleType) -> Iterator[Path]:
    """The files of a package that are DICOM, NIfTI or pictures, relative to the folder that the package lies in."""
    folder = Path(str(package.__file__)).parent
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc") and (is_picture(path) or is_unread_picture(path)):
            yield path.relative_to(folder.parent)


@pytest.mark.slow
@pytest.mark.parametrize(("bundle", "channels"), [("nlcen_jsrt", 1), ("nlcen_isbi2016", 3)])
def test_each_file_ends_in_one_count(
    bundle: str,
    channels: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The files that packages bring along to try readers on: many are broken, or are no pictures."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # a run changes it
    count = 0
    for package in PACKAGES:
        for name in pictures_of(package):
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(package.__file__)).parent.parent / name, tmp_path / "in" / name)
            count += 1
    assert count > 150
    torch.manual_seed(0)
    torch.save(NLCEN(in_channels=channels).state_dict(), tmp_path / "model.pt")
    workflow = ConfigWorkflow(
        config_file=str(ROOT / "bundles" / bundle / "configs" / "inference.json"),
        workflow_type="infer",
        logging_file=False,
        dataset_dir=str(tmp_path / "in"),
        output_dir=str(tmp_path / "out"),
        ckpt_path=str(tmp_path / "model.pt"),
        image_size=[32, 32],
        backbone="resnet18",
        device="$torch.device('cpu')",
        progress=False,
    )
    workflow.initialize()
    with pytest.raises(RuntimeError) as caught:
        workflow.run()
    workflow.finalize()
    output, errors = capsys.readouterr()
    segmented, total = map(int, re.findall(r"^Pictures segmented: (\d+) of (\d+);", output, re.MULTILINE)[0])
    ignored = sum(map(int, re.findall(r"^DICOM files ignored: (\d+) ", output, re.MULTILINE)))
    skipped = sum(map(int, re.findall(r"^skipped: (\d+) ", output, re.MULTILINE)))
    assert total + ignored + skipped == count
    masks = sum(1 for _ in (tmp_path / "out").rglob("*_mask.png"))
    assert masks == segmented > 10
    failed = f"{total - segmented} of {total} pictures could not be segmented"
    assert total > segmented and failed in str(find_input_error(caught.value))
    # a sentence for each: what no reader has foreseen is told by the name of its exception
    lines = [line for line in errors.splitlines() if line.startswith("failed: ")]
    assert [line for line in lines if "could not be segmented (" in line] == []
    assert len([line for line in lines if "DICOM SEG" not in line]) == total - segmented
