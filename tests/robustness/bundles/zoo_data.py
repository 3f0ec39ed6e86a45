# SPDX-License-Identifier: Apache-2.0
"""Small synthetic data, and a few steps of training, for four bundles of the model zoo."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import torch
from monai.bundle import ConfigParser
from monai.data import create_test_image_2d, create_test_image_3d
from PIL import Image

__all__ = ["WRITERS", "train"]


def volume(shape: tuple[int, int, int], seed: int, classes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A picture in [0, 1] with balls, whose values tell the class, and the numbers of the classes."""
    return create_test_image_3d(
        *shape,
        num_objs=3,
        rad_max=9,
        rad_min=5,
        num_seg_classes=classes,
        noise_max=0.2,
        random_state=np.random.RandomState(seed),
    )


def write_nifti(array: np.ndarray, path: Path, spacing: tuple[float, float, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([*spacing, 1.0])), path)


def spleen(folder: Path, bundle: Path) -> None:
    """Eleven volumes in HU: the configuration tests on the last nine."""
    for index in range(11):
        image, label = volume((40, 32, 24), index)
        write_nifti(
            (image * 300 - 100).astype(np.int16), folder / "imagesTr" / f"spleen_{index:02}.nii.gz", (1.5, 1.5, 2)
        )
        write_nifti(label.astype(np.uint8), folder / "labelsTr" / f"spleen_{index:02}.nii.gz", (1.5, 1.5, 2))


def brats(folder: Path, bundle: Path) -> None:
    """Four channels in files of their own, labels 1, 2 and 4, and a data list in the bundle."""
    lists: dict[str, list[dict[str, object]]] = {"training": [], "validation": []}
    for index in range(4):
        image, label = volume((32, 32, 24), index, 3)
        numbers = np.array([0, 1, 2, 4], np.uint8)[label.astype(int)]
        case = folder / f"case{index}"
        write_nifti(numbers, case / "seg.nii.gz", (1, 1, 1))
        names = []
        for channel, contrast in enumerate(("t1ce", "t1", "t2", "flair")):
            values = np.where(image > 0.1, 500 * image + 50 * channel, 0)
            write_nifti(values.astype(np.int16), case / f"{contrast}.nii.gz", (1, 1, 1))
            names.append(f"case{index}/{contrast}.nii.gz")
        lists["training" if index < 2 else "validation"].append({"image": names, "label": f"case{index}/seg.nii.gz"})
    (bundle / "configs" / "datalist.json").write_text(json.dumps(lists))


def endoscopic(folder: Path, bundle: Path) -> None:
    """Color pictures and their masks, both as JPEG, so that masks hold more than two grey levels."""
    for part, count in (("train", 3), ("val", 2)):
        for index in range(count):
            image, label = create_test_image_2d(
                96, 64, 3, 16, rad_min=8, num_seg_classes=1, random_state=np.random.RandomState(10 * count + index)
            )
            case = folder / part / "video1"
            case.mkdir(parents=True, exist_ok=True)
            color = np.stack([image, 0.8 * image, 1 - image], -1)
            Image.fromarray((255 * color).astype(np.uint8)).save(case / f"{part}{index}.jpg")
            Image.fromarray((255 * label).astype(np.uint8)).save(case / f"{part}{index}_seg.jpg")


def prostate(folder: Path, bundle: Path) -> None:
    """Two classes and background, with tables of the files."""
    for part, count in (("train", 3), ("valid", 2)):
        rows = []
        for index in range(count):
            image, label = volume((40, 32, 32), 10 * count + index, 2)
            names = [f"{part}/{index:03}/{name}.nii.gz" for name in ("t2", "t2_anatomy_reader1")]
            write_nifti((image * 1000).astype(np.int16), folder / names[0], (0.5, 0.5, 0.5))
            write_nifti(label.astype(np.uint8), folder / names[1], (0.5, 0.5, 0.5))
            rows.append(names)
        pd.DataFrame(rows, columns=["t2", "t2_anatomy_reader1"]).to_csv(folder / f"{part}.csv", index=False)


WRITERS = {
    "spleen_ct_segmentation": spleen,
    "brats_mri_segmentation": brats,
    "endoscopic_tool_segmentation": endoscopic,
    "prostate_mri_anatomy": prostate,
}


def train(bundle: Path, data: Path, steps: int = 1) -> None:
    """Train a bundle's network for a few steps on its test data, and write ``models/model.pt``."""
    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "train.json")
    # the folder's last slash is one bundle's own wish
    parser.update({"bundle_root": str(bundle), "dataset_dir": f"{data}/", "device": torch.device("cpu")})
    network, dataset, loss = (parser.get_parsed_content(key) for key in ("network", "validate#dataset", "loss"))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    network.train()
    for step in range(steps):
        items = [dataset[(step + place) % len(dataset)] for place in range(2)]
        image, label = (
            torch.stack([torch.as_tensor(item[key]).float() for item in items]) for key in ("image", "label")
        )
        size = [length // 32 * 32 or 16 for length in image.shape[2:]]
        image, label = (torch.nn.functional.interpolate(each, size) for each in (image, label))
        value = loss(network(image), label)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    (bundle / "models").mkdir(exist_ok=True)
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
