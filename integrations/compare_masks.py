# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["compare_masks"]


def compare_masks(reference: Path, result: Path) -> int:
    """Print how each ``*_mask.png`` and ``*_mask.nii.gz`` of ``result`` differs from that of ``reference``.

    Returns:
        how many differ in a pixel, in size or in place, or are in one of the folders only; 1 if there is no mask at
        all.
    """
    ours, theirs = _masks(reference), _masks(result)
    wrong = 0
    for name in sorted(ours | theirs):
        if name in ours & theirs:
            difference = _difference(reference / name, result / name)
        else:
            difference = "missing" if name in ours else "the bundle has none"
        wrong += difference is not None
        print(f"{name}: {difference or 'equal'}")
    print(f"{wrong} of {len(ours | theirs)} masks differ")
    return wrong if ours else 1


def _masks(folder: Path) -> set[Path]:
    found = (path for path in folder.rglob("*_mask.*") if path.suffix in (".png", ".gz"))
    return {path.relative_to(folder) for path in found}


def _difference(own: Path, other: Path) -> str | None:
    (mask, place), (other_mask, other_place) = _read(own), _read(other)
    if mask.shape != other_mask.shape:
        return f"{other_mask.shape} instead of {mask.shape}"
    if not np.allclose(place, other_place, atol=1e-5):
        return "elsewhere in space"
    pixels = int((mask != other_mask).sum())
    return f"{pixels} pixels differ" if pixels else None


def _read(path: Path) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    if path.suffix == ".png":
        return np.asarray(Image.open(path)) > 0, np.eye(4)
    volume = nib.load(path)
    mask = np.asarray(volume.dataobj) > 0
    return mask.reshape(mask.shape + (1,) * (3 - mask.ndim)), volume.affine


if __name__ == "__main__":
    sys.exit(min(compare_masks(Path(sys.argv[1]), Path(sys.argv[2])), 100))
