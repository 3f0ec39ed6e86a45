# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import highdicom
import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, verify_net_in_out
from PIL import Image
from torch import nn

from pipeline.networks import NLCEN
from pipeline.transforms import MaskRange, write_mask_range
from pipeline.utils import find_input_error
from pipeline.weights import fingerprint_network
from tests.bundles.conftest import BUNDLE, ROOT, Start
from tests.transforms.files import asymmetric, write_dicom, write_nifti

CONFIG = str(BUNDLE / "configs" / "inference.json")
META = str(BUNDLE / "configs" / "metadata.json")
# no mirror image or rotation of it is like it; away from the borders, where resizing it to and fro is exact
SHAPE = np.zeros((150, 210), bool)
SHAPE[20:60, 30:180] = SHAPE[60:120, 30:70] = True


class Brightness(nn.Module):
    """Stands in for the network: bright is lung."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - x, x - 0.5], dim=1)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "in").mkdir()
    torch.save({}, tmp_path / "brightness.pt")
    return {
        "dataset_dir": str(tmp_path / "in"),
        "output_dir": str(tmp_path / "out"),
        "ckpt_path": str(tmp_path / "brightness.pt"),
        "original_names": True,
        "progress": False,
    }


@pytest.fixture
def overrides(folders: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # a run changes it
    return {**folders, "network_def": {"_target_": f"{__name__}.Brightness"}}


def infer(overrides: dict[str, Any], *overlays: str) -> None:
    files = [CONFIG, *overlays]
    workflow = ConfigWorkflow(config_file=files, workflow_type="infer", logging_file=False, **overrides)
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def sentence(overrides: dict[str, Any]) -> str:
    with pytest.raises(RuntimeError) as error:
        infer(overrides)
    return str(find_input_error(error.value))


def read_png(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def agrees(mask: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two masks are of one shape and differ in the outline at most."""
    return mask.shape == expected.shape and np.mean((mask > 0) != expected) < 0.01


def grey(maximum: int, dtype: type[np.integer]) -> np.ndarray:
    return np.where(SHAPE, 0.8 * maximum, 0.1 * maximum).astype(dtype)


def write_png(path: Path) -> None:
    Image.fromarray(grey(255, np.uint8)).save(path)


def write_png_16(path: Path) -> None:
    Image.fromarray(grey(65535, np.uint16)).save(path)


def write_monochrome2(path: Path) -> None:
    write_dicom(path, grey(4095, np.uint16), bits=12)


def write_monochrome1(path: Path) -> None:
    write_dicom(path, 4095 - grey(4095, np.uint16), bits=12, photometric="MONOCHROME1", PixelSpacing=[0.4, 0.3])


@pytest.mark.parametrize(
    ("name", "write", "spacing"),
    [
        ("a.png", write_png, (1, 1)),
        ("a.jpg", write_png, (1, 1)),
        ("a.png", write_png_16, (1, 1)),
        ("a.dcm", write_monochrome2, (1, 1)),
        ("a.dcm", write_monochrome1, (0.4, 0.3)),
    ],
)
def test_masks_have_the_size_and_orientation_of_the_picture(
    name: str, write: Any, spacing: tuple[float, float], overrides: dict[str, Any], tmp_path: Path
) -> None:
    write(tmp_path / "in" / name)
    infer(overrides)
    mask = read_png(tmp_path / "out" / "a_mask.png")
    assert set(np.unique(mask)) == {0, 255}
    assert agrees(mask, SHAPE)
    nifti = nib.load(tmp_path / "out" / "a_mask.nii.gz")
    np.testing.assert_array_equal(np.asarray(nifti.dataobj)[..., 0].T, mask // 255)
    np.testing.assert_allclose(nifti.affine, np.diag([-spacing[1], -spacing[0], 1, 1]), rtol=1e-6)
    overlay = read_png(tmp_path / "out" / "a_overlay.png")
    assert overlay.shape == (*SHAPE.shape, 3)
    assert np.abs(overlay[mask == 0].astype(int) - 25).max() <= 20  # the dark background; JPEG makes waves


@pytest.mark.parametrize(
    ("affine", "turn"),
    [
        (np.diag([-0.5, -0.25, 1, 1]), lambda a: a.T),
        (np.diag([0.5, 0.25, 1, 1]), lambda a: a.T[::-1, ::-1]),
        (np.array([[0, -0.5, 0, 7], [-0.25, 0, 0, -3], [0, 0, 2, 1], [0, 0, 0, 1.0]]), lambda a: a),
    ],
)
def test_nifti_masks_lie_where_the_picture_lies(
    affine: np.ndarray, turn: Any, overrides: dict[str, Any], tmp_path: Path
) -> None:
    values = grey(255, np.uint8)
    write_nifti(tmp_path / "in" / "a.nii.gz", values[..., None], affine)
    infer(overrides)
    nifti = nib.load(tmp_path / "out" / "a_mask.nii.gz")
    assert agrees(np.asarray(nifti.dataobj), SHAPE[..., None])
    np.testing.assert_allclose(nifti.affine, affine, rtol=1e-6)
    assert agrees(read_png(tmp_path / "out" / "a_mask.png"), turn(SHAPE))


def test_outlines_of_large_pictures_have_no_steps(overrides: dict[str, Any], tmp_path: Path) -> None:
    expected = np.add(*np.indices((1024, 1024)) * np.array([0.7, 0.4]).reshape(2, 1, 1)) > 500
    Image.fromarray(np.where(expected, 255, 0).astype(np.uint8)).save(tmp_path / "in" / "a.png")
    infer(overrides)
    mask = read_png(tmp_path / "out" / "a_mask.png") > 0
    assert (
        np.count_nonzero(mask != expected) < 400
    )  # the outline is 1024 rows long; without interpolation 1200 are wrong


def test_very_small_picture(overrides: dict[str, Any], tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 0]], np.uint8)).save(tmp_path / "in" / "a.png")
    infer(overrides)
    np.testing.assert_array_equal(read_png(tmp_path / "out" / "a_mask.png"), [[0, 255, 0]])


def test_implausible_masks_are_told(
    overrides: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against what the training has left beside the weights; without it, empty ones only."""
    squares = np.kron(np.indices((16, 16)).sum(0) % 2 == 0, np.full((8, 8), 255)).astype(np.uint8)
    squares[::8] = squares[:, ::8] = 0  # so that they do not touch
    pictures = {
        "bright": np.full((90, 90), 255),
        "dark": np.zeros((90, 90)),
        "lungs": grey(255, np.uint8),
        "many": squares,
    }
    for name, values in pictures.items():
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / "in" / f"{name}.png")

    def said() -> list[str]:
        infer(overrides)
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith(("implausible", "Whether"))]

    folder = f"{tmp_path}/in"
    empty, unchecked = said()
    assert empty == f"implausible: {folder}/dark.png: the mask is empty."
    assert unchecked.startswith("Whether the masks are plausible") and "brightness_masks.json" in unchecked
    write_mask_range(MaskRange(fingerprint_network(Brightness()), 9, (0.2, 0.5), 2), overrides["ckpt_path"])
    assert said() == [
        f"implausible: {folder}/bright.png: the mask covers 100.0% of the picture; those of the training cover 20.0% "
        "to 50.0%.",
        f"implausible: {folder}/dark.png: the mask is empty.",
        f"implausible: {folder}/many.png: the mask has 128 parts; those of the training have 2 at most.",
    ]


def test_same_stems_and_a_second_run(overrides: dict[str, Any], tmp_path: Path) -> None:
    """Results lie inside the folder of the pictures here, and are no pictures in the second run."""
    overrides["output_dir"] = str(tmp_path / "in" / "out")
    (tmp_path / "in" / "sub").mkdir()
    for path, level in (("a.png", 0), ("sub/a.png", 255)):
        Image.fromarray(np.full((9, 8), level, np.uint8)).save(tmp_path / "in" / path)
    write_monochrome1(tmp_path / "in" / "a.dcm")
    for _ in range(2):
        infer(overrides)
        masks = {str(p.relative_to(tmp_path / "in" / "out")): p for p in (tmp_path / "in" / "out").rglob("*_mask.png")}
        assert sorted(masks) == ["a.dcm_mask.png", "a.png_mask.png", "sub/a_mask.png"]
        assert agrees(read_png(masks["a.dcm_mask.png"]), SHAPE)
        assert not read_png(masks["a.png_mask.png"]).any() and read_png(masks["sub/a_mask.png"]).all()
        # and a DICOM SEG
        assert sum(path.is_file() for path in (tmp_path / "in" / "out").rglob("*")) == 10


def test_dicom_in_and_dicom_seg_out(
    overrides: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """Of a folder as it comes from an archive; nothing but the SEG's own tags tells the patient's name."""
    del overrides["original_names"]
    folder = tmp_path / "in" / "DOE_JANE"
    folder.mkdir()
    # as exports often are: pydicom and highdicom would quote name, age, birth date and sex in warnings and errors
    patient = {
        "PatientName": "DOE JANE",
        "PatientID": "77",
        "PatientAge": "62",
        "PatientSex": "FDOE",
        "PixelSpacing": [0.4, 0.3],
    }
    pixels = grey(4095, np.uint16)
    write_dicom(folder / "DOE1", pixels, bits=12, SOPInstanceUID="1.2.31", **patient)
    write_dicom(folder / "DOE2", pixels, bits=12, SOPInstanceUID="1.2.32", Modality="CT", **patient)
    write_dicom(folder / "DOE3", pixels, bits=12, SOPInstanceUID="1.2.33", StudyInstanceUID=None, **patient)
    (folder / "DOE4.dcm").write_text("damaged")
    recwarn.clear()
    with caplog.at_level("DEBUG"):
        message = sentence(overrides)
    assert not [each for each in recwarn if "DOE" in str(each.message) or "62" in str(each.message)]
    assert message == (
        "1 of 3 pictures could not be segmented; 1 of 3 pictures have no DICOM SEG. The lines that begin with 'failed' "
        "say why."
    )
    names = [f"dicom_{sha256((folder / name).read_bytes()).hexdigest()[:12]}" for name in ("DOE1", "DOE3", "DOE4.dcm")]
    files = {f"{name}_{end}" for name in names[:2] for end in ("mask.nii.gz", "mask.png", "overlay.png")}
    assert set(os.listdir(tmp_path / "out")) == files | {f"{names[0]}_seg.dcm", "dicom_names.csv"}
    said = capsys.readouterr()
    assert "DICOM files ignored: 1 (modality CT, not CR or DX)" in said.out
    failed = [line for line in said.err.splitlines() if line.startswith("failed")]
    assert failed[0] == f"failed: {names[1]} has its mask, but no DICOM SEG could be made (no StudyInstanceUID)."
    assert failed[1].startswith(f"failed: The file {names[2]} cannot be read as a DICOM picture (")
    assert len(failed) == 2
    assert "DOE" not in said.out + said.err + caplog.text

    segmentation = highdicom.seg.segread(tmp_path / "out" / f"{names[0]}_seg.dcm")
    frame = segmentation.get_pixels_by_source_instance(["1.2.31"])[0, ..., 0]
    np.testing.assert_array_equal(frame, read_png(tmp_path / "out" / f"{names[0]}_mask.png") // 255)
    data = pydicom.dcmread(tmp_path / "out" / f"{names[0]}_seg.dcm")
    assert (data.PatientName, data.PatientID, data.StudyInstanceUID) == ("DOE JANE", "77", "1.2.4")
    assert not data.PatientSex and "PatientAge" not in data
    assert data.SeriesInstanceUID != "1.2.5" and data.SeriesDescription == "AI generated, not for clinical use"
    (segment,) = data.SegmentSequence
    assert segment.SegmentLabel == "Lung" and segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "39607008"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "91723000"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    weights = fingerprint_network(Brightness())[:12]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("NLCEN", f"0.1.0, weights {weights}")
    assert np.array_equal(data.pixel_array, frame)


def test_the_same_mask_keeps_its_uids(overrides: dict[str, Any], tmp_path: Path) -> None:
    def uids() -> tuple[str, str]:
        infer(overrides)
        data = pydicom.dcmread(tmp_path / "out" / "a_seg.dcm")
        return data.SOPInstanceUID, data.SeriesInstanceUID

    write_monochrome2(tmp_path / "in" / "a.dcm")
    first = uids()
    assert uids() == first
    write_dicom(tmp_path / "in" / "a.dcm", np.full((20, 30), 4000, np.uint16), bits=12)
    assert all(uid != earlier for uid, earlier in zip(uids(), first, strict=True))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy of Debian's dicom3tools")
def test_dicom_seg_satisfies_the_standard(overrides: dict[str, Any], tmp_path: Path) -> None:
    write_dicom(tmp_path / "in" / "a.dcm", grey(4095, np.uint16), bits=12, PatientAge="62", PixelSpacing=[0.4, 0.3])
    infer(overrides)
    command = ["dciodvfy", str(tmp_path / "out" / "a_seg.dcm")]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.stderr.startswith("Segmentation") or "Segmentation\n" in checked.stderr
    assert "Error" not in checked.stderr


def test_exporting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: dict[str, Any]) -> None:
    """What the command gets: the network with its weights, and the metadata."""
    given: list[Any] = []
    monkeypatch.setattr(
        "pipeline.inference.export_network.export_network", lambda *arguments: given.extend(arguments) or []
    )
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "models"
    workflow = ConfigWorkflow(
        config_file=[f"bundles/nlcen_jsrt/{name}.json" for name in ("inference", "export")],
        workflow_type="infer",
        logging_file=False,
        **overrides,
        export_dir=str(folder),
    )
    workflow.initialize()
    workflow.run()
    network, channels, where, metadata = given
    assert isinstance(network, Brightness) and (channels, where) == (1, str(folder))
    assert metadata == json.loads(Path(META).read_text())
    with pytest.raises(RuntimeError) as error:
        ConfigWorkflow(
            config_file=[f"bundles/nlcen_jsrt/{name}.json" for name in ("inference", "export")],
            workflow_type="infer",
            logging_file=False,
            **{**overrides, "ckpt_path": str(tmp_path / "gone.pt")},
        ).run()
    assert str(find_input_error(error.value)).startswith(f"ckpt_path: there is no file {tmp_path}/gone.pt;")


@pytest.mark.slow
def test_tensorrt(folders: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The overlay with a traced TorchScript in the place of TensorRT's gives the masks of the weights it came from."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "torch_tensorrt.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "stub")
    monkeypatch.delitem(sys.modules, "torch_tensorrt", raising=False)
    torch.manual_seed(0)
    torch.save(NLCEN(in_channels=1).state_dict(), folders["ckpt_path"])
    exported = tmp_path / "model_trt.ts"
    ckpt_export(
        net_id="network_def",
        filepath=str(exported),
        ckpt_file=folders["ckpt_path"],
        meta_file=META,
        config_file=CONFIG,
        use_trace=True,
        input_shape=[1, 1, 256, 256],
    )
    write_monochrome2(tmp_path / "in" / "a.dcm")
    infer(folders)
    engine = {**folders, "ckpt_path": str(exported), "output_dir": str(tmp_path / "trt")}
    infer(engine, str(BUNDLE / "inference_trt.json"))
    assert sys.modules["torch_tensorrt"].__file__ == str(tmp_path / "stub" / "torch_tensorrt.py")
    masks = [read_png(tmp_path / folder / "a_mask.png") for folder in ("out", "trt")]
    assert 0.05 < (masks[0] > 0).mean() < 0.95
    np.testing.assert_array_equal(masks[1], masks[0])
    # the engine is the network, whatever is laid over it
    engine["output_dir"] = str(tmp_path / "other")
    infer(engine, str(BUNDLE / "inference_trt.json"), str(BUNDLE / "networks" / "unet.json"))
    np.testing.assert_array_equal(read_png(tmp_path / "other" / "a_mask.png"), masks[0])
    (segment,) = pydicom.dcmread(tmp_path / "trt" / "a_seg.dcm").SegmentSequence
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    # an engine holds its weights where state_dict() does not see them
    assert algorithm.AlgorithmVersion == f"0.1.0, weights {sha256(exported.read_bytes()).hexdigest()[:12]}"


def test_tensorrt_before_its_export(folders: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    write_png(tmp_path / "in" / "a.png")
    root = tmp_path / "bundle"
    del folders["ckpt_path"]
    with pytest.raises(RuntimeError) as error:
        infer({**folders, "bundle_root": str(root)}, str(BUNDLE / "inference_trt.json"))
    assert str(find_input_error(error.value)) == (
        f"ckpt_path: there is no file {root}/models/model_trt.ts; make it with trt_export, or name it with --ckpt_path."
    )
    assert not (tmp_path / "out").exists()


def test_single_file(overrides: dict[str, Any], tmp_path: Path) -> None:
    write_png(tmp_path / "in" / "a.png")
    write_png(tmp_path / "in" / "b.png")
    infer({**overrides, "dataset_dir": str(tmp_path / "in" / "b.png")})
    assert sorted(os.listdir(tmp_path / "out")) == ["b_mask.nii.gz", "b_mask.png", "b_overlay.png"]


def test_folder_of_bad_files_only(overrides: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "in" / "a.png").write_text("nothing")
    assert sentence(overrides) == "1 of 1 pictures could not be segmented. The lines that begin with 'failed' say why."
    assert not (tmp_path / "out").exists()


def test_weights_of_another_architecture(folders: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    write_png(tmp_path / "in" / "a.png")
    torch.save(NLCEN(in_channels=1, nlce=False).state_dict(), folders["ckpt_path"])
    message = sentence(folders)
    assert message.startswith(f"{folders['ckpt_path']} holds the weights of another network: ")
    assert message.endswith("; name the weights of this network.")
    assert not (tmp_path / "out").exists()


def test_bad_file_among_good_ones_on_the_command_line(folders: dict[str, Any], tmp_path: Path, start: Start) -> None:
    """The command of the documentation, with weights of the network without NLCE."""
    torch.save(NLCEN(in_channels=1, nlce=False).state_dict(), folders["ckpt_path"])
    for name in ("a.png", "c.png"):
        Image.fromarray(asymmetric((40, 64))).save(tmp_path / "in" / name)
    (tmp_path / "in" / "b.nii.gz").write_text("no NIfTI")
    (tmp_path / "in" / "notes.txt").touch()
    settings = {key: str(value) for key, value in {**folders, "nlce": False}.items()}
    program = start("inferring", "bundles/nlcen_jsrt/inference.json", settings)
    lines = program.finish().splitlines()
    assert program.status == 1
    failed, error = [line for line in lines if line.startswith(("failed", "error"))]
    assert failed.startswith(f"failed: The file {tmp_path}/in/b.nii.gz cannot be read as NIfTI (")
    assert failed.endswith("); copy it again.")
    assert error == "error: 1 of 3 pictures could not be segmented. The lines that begin with 'failed' say why."
    assert not any("Traceback" in line for line in lines)
    assert {"skipped: 1 other files", f"Pictures segmented: 2 of 3; output folder: {tmp_path}/out"} <= set(lines)
    assert {name.split("_")[0] for name in os.listdir(tmp_path / "out")} == {"a", "c"}


@pytest.mark.parametrize("folder", ["", "configs/"])
def test_workflow_has_all_properties_without_data_or_weights(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    workflow = ConfigWorkflow(
        config_file=f"bundles/nlcen_jsrt/{folder}inference.json",
        workflow_type="infer",
        logging_file=False,
        ckpt_path=str(tmp_path / "gone.pt"),
        dataset_dir=str(tmp_path / "gone"),
    )
    workflow.initialize()
    assert (torch.tensor(1e-40) == 0).all()
    assert workflow.check_properties() == []
    assert workflow.bundle_root == "bundles/nlcen_jsrt"
    assert workflow.dataset_data == []
    for name in ("preprocessing", "postprocessing", "handlers", "inferer"):
        assert getattr(workflow, name)


def test_preprocessing_is_that_of_the_training(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", asymmetric((300, 421), 4095, np.uint16), bits=12)
    Image.fromarray(np.tri(300, 421, dtype=np.uint8)).save(tmp_path / "mask.png")
    train, inference = ConfigParser(), ConfigParser()
    train.read_config(str(BUNDLE / "configs" / "train.json"))
    inference.read_config(CONFIG)
    trained = train.get_parsed_content("train#preprocessing")({"image": path, "label": tmp_path / "mask.png"})["image"]
    inferred = inference.get_parsed_content("preprocessing")({"image": path})["image"]
    assert trained.shape == (1, 256, 256)
    assert torch.equal(trained, inferred.as_tensor())


def test_what_monai_label_and_monai_deploy_take_of_it(tmp_path: Path) -> None:
    picture = np.full((120, 200), 40, np.uint8)
    picture[20:50, 110:180] = 220
    Image.fromarray(picture).save(tmp_path / "a.png")
    parser = ConfigParser()
    parser.read_config(CONFIG)
    data = parser.get_parsed_content("preprocessing")({"image": tmp_path / "a.png"})
    # Deploy gives every tensor in it to the network
    assert [key for key, value in data.items() if isinstance(value, torch.Tensor)] == ["image"]
    # Label writes arrays as files hold them, columns first
    data["pred"] = Brightness()(data["image"][None])[0]
    mask = parser.get_parsed_content("post_transforms")(data)["pred"]
    assert mask.dtype == torch.uint8
    assert np.array_equal(mask[0, :, :, 0].numpy().T, picture > 128)


def test_network_of_the_training_is_that_of_the_inference() -> None:
    train, inference = (json.loads((BUNDLE / "configs" / f"{n}.json").read_text()) for n in ("train", "inference"))
    del train["network_def"]["backbone_weights"]
    assert inference["network_def"] == train["network_def"]
    for key in ("backbone", "nlce", "non_local", "context", "image_size"):
        assert inference[key] == train[key]


def test_network_matches_the_metadata() -> None:
    verify_net_in_out(net_id="network_def", meta_file=META, config_file=CONFIG, device="cpu", n=2)


def test_export_to_torchscript(tmp_path: Path) -> None:
    network = NLCEN(in_channels=1).eval()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(tmp_path / "model.pt"),
        meta_file=META,
        config_file=CONFIG,
    )
    image = torch.rand(1, 1, 64, 96)
    exported = torch.jit.load(tmp_path / "model.ts").eval()
    with torch.no_grad():
        torch.testing.assert_close(exported(image), network(image))
