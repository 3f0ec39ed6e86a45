# SPDX-License-Identifier: Apache-2.0
"""Masks as DICOM SEG."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from ignite.engine import Engine, Events
from monai.config import PathLike
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from pydicom.valuerep import DA, TM
from tqdm import tqdm

from pipeline.transforms import dicom_pseudonym, is_dicom_picture, quiet_pydicom, read_dicom
from pipeline.utils import InputError, check_extra

from .segmentation_writer import predicted_masks, result_file

__all__ = ["DicomSegmentationWriter"]

_SERIES_NUMBER = 9001  # out of the way of the acquisition's own
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_FORMS = {
    "PatientAge": re.compile(r"\d{3}[DWMY]"),
    "PatientBirthDate": re.compile(r"\d{8}"),
    "PatientSex": re.compile(r"[MFO]"),
    "StudyDate": re.compile(r"\d{8}"),
    "StudyTime": re.compile(r"\d{2,6}(\.\d{1,6})?"),
}
_PARSERS = {"PatientBirthDate": DA, "StudyDate": DA, "StudyTime": TM}
# type 2 attributes: a DICOM SEG must have them, if need be empty, and many an export has lost them
_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)


class _MissingTag(ValueError):
    """A DICOM file lacks a tag without which a segmentation has no place."""


class DicomSegmentationWriter:
    """Write the mask of each DICOM picture as DICOM SEG, ``<name>_seg.dcm``, into the study of the picture.

    It is of type BINARY, at the picture's size, refers to the picture, and says that it was made by artificial
    intelligence and is not for clinical use. The algorithm's version names the weights. Patient and study are those of
    the picture: that is what ties the two together. Other pictures get none. The same mask of
    the same file by the same weights has the same UIDs, so that it replaces itself in an archive.

    Args:
        output_dir: folder to write to.
        fingerprint: gives the hexadecimal digits of the weights, which are part of the algorithm's version. It is
            called when the run starts, so that the weights may be loaded after this is made.
        label: name of the segment.
        category: its category, (value, scheme, meaning), such as ``["91723000", "SCT", "Anatomical Structure"]``.
        kind: its type, likewise.
        algorithm: name and version of the algorithm.

    Attributes:
        failures: a message for each picture whose tags do not allow a DICOM SEG, or for each without the extra
            ``dicom-seg``; its other results are there.
    """

    def __init__(
        self,
        output_dir: PathLike,
        fingerprint: Callable[[], str],
        label: str,
        category: tuple[str, str, str],
        kind: tuple[str, str, str],
        algorithm: tuple[str, str],
    ) -> None:
        self.output_dir = Path(output_dir)
        self.fingerprint = fingerprint
        self.label = label
        self.category = Code(*category)
        self.kind = Code(*kind)
        self.algorithm = algorithm
        self.failures: list[str] = []

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: an evaluator as for ``SegmentationWriter``, whose items also hold the file, ``"picture"``'s
                ``filename_or_obj``.
        """
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def start(self) -> None:
        """Take the fingerprint of the weights."""
        self._version = f"{self.algorithm[1]}, weights {self.fingerprint()[:12]}"

    def __call__(self, engine: Engine) -> None:
        """Write the files of one batch.

        Raises:
            InputError: if a file cannot be written.
        """
        for item, mask in predicted_masks(engine):
            path = Path(item["picture"].meta["filename_or_obj"])
            if is_dicom_picture(path):
                self._write(item, path, mask)

    def _write(self, item: Mapping[str, Any], path: Path, mask: np.ndarray) -> None:
        try:
            with quiet_pydicom():
                segmentation = self._segmentation(read_dicom(path, pixels=False), dicom_pseudonym(path), mask)
                with result_file(self.output_dir, item["name"], "_seg.dcm") as temporary:
                    segmentation.save_as(temporary)
        # tags may be wrong in any way, and the picture has its other results
        except Exception as error:
            # the error itself may quote what the tags say of the patient, and the path may be made of the name
            said = isinstance(error, (_MissingTag, InputError))
            reason = str(error).replace(str(path), item["shown"]) if said else type(error).__name__
            self.failures.append(f"{item['shown']} has its mask, but no DICOM SEG could be made ({reason}).")
            tqdm.write(f"failed: {self.failures[-1]}", file=sys.stderr)

    def _segmentation(self, source: pydicom.Dataset, digest: str, mask: np.ndarray) -> pydicom.Dataset:
        check_extra("dicom-seg", ["highdicom"])
        import highdicom

        for keyword in _NEEDED:
            if not source.get(keyword):
                raise _MissingTag(f"no {keyword}")
        if not source.SOPClassUID.keyword:
            raise _MissingTag("a SOP class that is not of the standard")
        # to Unicode: highdicom refuses several character sets, among them those of Japanese and Korean names
        source.decode()
        source.SpecificCharacterSet = "ISO_IR 192"
        for keyword in _FORMS:
            if not _is_possible(keyword, str(source.get(keyword) or "")):
                source.pop(keyword, None)  # that the age is "62" or the sex "female" is no reason for no segmentation
        for keyword in _EMPTY:
            if keyword not in source:
                setattr(source, keyword, None)
        # a projection's: without a slice's thickness it makes pixel measures that readers refuse
        source.pop("PixelSpacing", None)
        # two files may have one SOP Instance UID
        made_from = [str(source.SOPInstanceUID), digest, self._version, hashlib.sha256(mask.tobytes()).hexdigest()]
        name, number = self.algorithm
        description = highdicom.seg.SegmentDescription(
            segment_number=1,
            segment_label=self.label,
            segmented_property_category=self.category,
            segmented_property_type=self.kind,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=highdicom.AlgorithmIdentificationSequence(
                name=name, version=self._version, family=codes.DCM.ArtificialIntelligence
            ),
        )
        segmentation = highdicom.seg.Segmentation(
            source_images=[source],
            pixel_array=mask[None],
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[description],
            series_instance_uid=generate_uid(entropy_srcs=["series", *made_from]),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=generate_uid(entropy_srcs=["instance", *made_from]),
            instance_number=1,
            manufacturer="The NLCEN authors",
            manufacturer_model_name=name,
            software_versions=f"{number}, torch {version('torch')}",
            device_serial_number="0",
            content_label=self.label.upper(),
            content_description="AI generated, not for clinical use",
            series_description="AI generated, not for clinical use",
        )
        segmentation.PatientOrientation = source.get("PatientOrientation")  # of type 2 where there is no plane in space
        return segmentation


def _is_possible(keyword: str, text: str) -> bool:
    """Whether a tag of ``_FORMS`` has its form and, for a date or time, names one: not "00000000"."""
    if not _FORMS[keyword].fullmatch(text):
        return False
    try:
        _PARSERS.get(keyword, str)(text)
    except ValueError:
        return False
    return True
