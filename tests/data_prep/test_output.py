# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from PIL import Image

from data_prep import phantoms
from data_prep.__main__ import main
from data_prep.output import OutputFolder, raise_errors
from pipeline.utils import InputError

PICTURE = np.arange(48, dtype=np.uint8).reshape(6, 8)
ENTRY = {"image": "images/a.png", "label": "masks/a.png"}


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("pixels", [PICTURE, PICTURE.astype(np.uint16) * 1000, np.stack([PICTURE] * 3, -1)])
def test_pictures_read_back(tmp_path, pixels):
    OutputFolder(tmp_path).save_picture(pixels, "images/a.png")
    back = np.asarray(Image.open(tmp_path / "images/a.png"))
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)


def test_datalist_goes_before_the_first_change(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.save_picture(PICTURE, "images/a.png")
    folder.save_bytes(b"mask", "masks/a.png")
    folder.save_datalist([ENTRY], [ENTRY], "")
    again = OutputFolder(tmp_path)
    again.save_picture(PICTURE, "images/a.png")
    again.save_bytes(b"mask", "masks/a.png")
    assert (again.written, again.kept) == (0, 2)
    assert (tmp_path / "datalist.json").exists()
    again.save_bytes(b"other", "masks/a.png")
    assert not (tmp_path / "datalist.json").exists()


def test_datalist_of_an_empty_part(tmp_path):
    with pytest.raises(InputError, match="^The split leaves the training part empty; no data list was written.$"):
        OutputFolder(tmp_path).save_datalist([], [ENTRY], "")
    assert names(tmp_path) == []


def test_errors_are_listed_line_by_line():
    raise_errors([])
    with pytest.raises(InputError, match="^a is bad.\nb is bad.\n2 files are wrong; no data list"):
        raise_errors(["a is bad.", "b is bad."])
    with pytest.raises(InputError, match="^a b is bad.\n1 file is wrong; no data list"):
        raise_errors(["a\nb is bad."])


@pytest.mark.parametrize("failing", ["write", "replace"])
def test_full_disk(tmp_path, monkeypatch, capsys, failing):
    """The sixth file does not fit: five whole files stay, no half file, no data list; the next run goes on."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    calls = []

    def counted(original):
        def call(*args, **kwargs):
            calls.append(args)
            if len(calls) == 6:
                if failing == "write":
                    args[1].write_bytes(b"half a pict")
                raise full
            return original(*args, **kwargs)

        return call

    command = ["phantoms", "--output", str(tmp_path), "--count", "4", "--size", "32"]
    with monkeypatch.context() as patch:
        if failing == "write":
            patch.setattr(Image.Image, "save", counted(Image.Image.save))
        else:
            patch.setattr(os, "replace", counted(os.replace))
        assert main(command) == 1
    assert "error: Cannot write or read: No space left on device." in capsys.readouterr().err
    assert names(tmp_path) == [
        "images/phantom_0000.png",
        "images/phantom_0001.png",
        "images/phantom_0002.png",
        "masks/phantom_0000.png",
        "masks/phantom_0001.png",
    ]
    assert main(command) == 0
    assert "(3 files written, 5 were there already)" in capsys.readouterr().out


def test_interrupt(tmp_path, monkeypatch, capsys):
    original = phantoms.make_phantom

    def interrupted(seed, index, size):
        if index == 2:
            raise KeyboardInterrupt
        return original(seed, index, size)

    monkeypatch.setattr(phantoms, "make_phantom", interrupted)
    assert main(["phantoms", "--output", str(tmp_path), "--count", "4", "--size", "32"]) == 130
    assert capsys.readouterr().err.endswith("Interrupted. Run the same command again: it goes on where it stopped.\n")
    assert len(names(tmp_path)) == 4


def test_output_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["phantoms", "--output", str(tmp_path / "file"), "--count", "2", "--size", "32"]) == 1
    assert "error: Cannot write or read" in capsys.readouterr().err
