# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Fragment, Image, IOType, Operator, OperatorSpec
from monai.deploy.operators.monai_bundle_inference_operator import IOMapping, MonaiBundleInferenceOperator
from PIL import Image as Picture

__all__ = ["MaskWriter", "PictureLoader", "SegmentationApp"]


class PictureLoader(Operator):
    """Emit one picture after the other, read by the bundle's own reader: (C, rows, columns) in [0, 1].

    MONAI Deploy's bundle operator leaves out what a bundle has for reading.

    Args:
        files: the pictures.
        folder: where names of results start from.
        channels: C.
    """

    def __init__(
        self, fragment: Fragment, *args: Any, files: list[Path], folder: Path, channels: int, **kwargs: Any
    ) -> None:
        from scripts.transforms import PictureReader

        self.reader = PictureReader(channels=channels)
        self.files = iter(files)
        self.folder = folder
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Name the output."""
        spec.output("image")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Emit the next picture."""
        path = next(self.files)
        pixels, meta = self.reader.get_data(self.reader.read(path))
        op_output.emit(Image(pixels, metadata=meta | {"name": str(path.relative_to(self.folder))}), "image")


class MaskWriter(Operator):
    """Write masks as ``<name>_mask.png`` (0 and 255) and ``<name>_mask.nii.gz`` (0 and 1, in space as the picture).

    Args:
        output_dir: folder to write to.
    """

    def __init__(self, fragment: Fragment, *args: Any, output_dir: Path, **kwargs: Any) -> None:
        self.output_dir = output_dir
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Name the input."""
        spec.input("image")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write one mask."""
        from scripts.transforms import picture_name, to_original_orientation

        image = op_input.receive("image")
        mask, meta = image.asnumpy(), image.metadata()
        path = Path(meta["name"])
        target = self.output_dir / path.parent / picture_name(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(255 * mask).save(f"{target}_mask.png")
        nib.save(nib.Nifti1Image(*to_original_orientation(mask, meta)), f"{target}_mask.nii.gz")


class SegmentationApp(Application):
    """Segment pictures with a packaged bundle by MONAI Deploy's bundle operator.

    ``HOLOSCAN_INPUT_PATH`` (``-i``) is a picture or a folder of pictures (DICOM, PNG, JPEG, NIfTI),
    ``HOLOSCAN_OUTPUT_PATH`` (``-o``) the folder for the masks, ``HOLOSCAN_MODEL_PATH`` (``-m``) the unpacked bundle or,
    in it, its ``models/model.ts``. For research. Not for clinical use.

    Raises:
        FileNotFoundError: if there is no picture.
        ValueError: if two masks would have one name.
    """

    def compose(self) -> None:
        """Join loader, bundle and writer."""
        context = Application.init_app_context(self.argv)
        model, source = Path(context.model_path).resolve(), Path(context.input_path)
        if model.is_dir():
            # of a folder the App SDK makes a model that cannot predict, and takes it instead of the bundle's
            context.models = None
        bundle = model if model.is_dir() else model.parents[1]
        # the bundle's code, which TorchScript does not hold
        sys.path.insert(0, str(bundle))
        from scripts.transforms import FolderContent, is_picture, list_folder, picture_name

        found = FolderContent([source]) if source.is_file() else list_folder(source)
        files = [path for path in found.files if is_picture(path)]
        left_out = [f"{count} {kind}" for kind, count in found.skipped.items()]
        left_out += [f"{path} ({why})" for path, why in found.closed.items()]
        if left_out:
            print(f"skipped: {', '.join(left_out)}", file=sys.stderr)
        if not files:
            raise FileNotFoundError(
                f"There are no pictures in {source}; name a folder with some in HOLOSCAN_INPUT_PATH."
            )
        folder = source.parent if source.is_file() else source
        names = [path.parent / picture_name(path) for path in files]
        if len(set(names)) < len(names):
            raise ValueError(
                f"Pictures in {source} differ in their endings only; rename them, or their masks are lost."
            )
        metadata = json.loads((bundle / "configs" / "metadata.json").read_text("utf-8"))
        channels = metadata["network_data_format"]["inputs"]["image"]["num_channels"]
        loader = PictureLoader(
            self, CountCondition(self, len(files)), files=files, folder=folder, channels=channels, name="loader"
        )
        inference = MonaiBundleInferenceOperator(
            self,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            app_context=context,
            bundle_path=model,
            name="inference",
        )
        writer = MaskWriter(self, output_dir=Path(context.output_path), name="writer")
        self.add_flow(loader, inference, {("image", "image")})
        self.add_flow(inference, writer, {("pred", "image")})


if __name__ == "__main__":
    SegmentationApp().run()
