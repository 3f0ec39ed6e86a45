# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from monai.transforms import LoadImaged
from PIL import Image

from pipeline.transforms import PictureReader, read_mask, read_picture

from .files import asymmetric, fails

PICTURE = asymmetric()


@pytest.mark.parametrize("read", [read_picture, read_mask])
def test_a_phones_picture_is_the_first_of_its_file(tmp_path, read):
    """MPO: a JPEG that is followed by others, such as a thumbnail or a map of depths."""
    # of one value, which a JPEG keeps, for the mask
    first = Image.fromarray(PICTURE if read is read_picture else np.full_like(PICTURE, 255))
    first.save(tmp_path / "plain.jpg", quality=95)
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.fromarray(255 - PICTURE)], quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    picture = read(tmp_path / "a.jpg")
    np.testing.assert_array_equal(picture.pixels, read(tmp_path / "plain.jpg").pixels)
    assert picture.notes == "The file holds 2 pictures, of which the first was read."


@pytest.mark.parametrize("read", [read_picture, read_mask])
def test_an_animated_png(tmp_path, read):
    Image.fromarray(PICTURE).save(tmp_path / "a.png", save_all=True, append_images=[Image.fromarray(255 - PICTURE)])
    message = f"The file {tmp_path}/a.png holds 2 frames; one picture per file is needed."
    with fails(message):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
@pytest.mark.parametrize("read", [read_picture, read_mask])
def test_another_format_under_the_ending_of_one(tmp_path, mode, read):
    Image.new(mode, (5, 4)).save(tmp_path / "a.png", format="TIFF")
    message = (
        f"The file {tmp_path}/a.png is TIFF with pixels of the kind {mode}, whose range is not known; convert it to "
        "PNG."
    )
    with fails(message):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_levels_of_few_bits_span_the_range(tmp_path, bits):
    levels = (asymmetric(maximum=2**bits - 1)).astype(np.uint8)
    image = Image.fromarray(levels)
    image.putpalette([round(255 * level / (2**bits - 1)) for level in range(2**bits) for _ in range(3)])
    image.save(tmp_path / "a.png", bits=bits)
    np.testing.assert_allclose(read_picture(tmp_path / "a.png").pixels[0], levels / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_level_of_a_grey_png_is_black(tmp_path, bits):
    """PNG 11.3.2.1: the level is named as it is stored."""
    levels = asymmetric((16, 64), maximum=2**bits - 1)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    bits_of_levels = np.unpackbits(levels[..., None], axis=-1)[..., 8 - bits :].reshape(16, -1)
    lines = b"".join(b"\0" + line.tobytes() for line in np.packbits(bits_of_levels, axis=-1))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 16, bits, 0, 0, 0, 0)) + chunk(b"tRNS", struct.pack(">H", 1))
    content = header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    expected = np.where(levels == 1, 0, levels / (2**bits - 1))
    np.testing.assert_allclose(read_picture(tmp_path / "a.png").pixels[0], expected, atol=1e-6)


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_the_orientation_is_carried_along(tmp_path, ending, orientation):
    image = Image.fromarray(PICTURE)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"a.{ending}", exif=exif)
    turned = orientation if 2 <= orientation <= 8 else 1
    assert read_picture(tmp_path / f"a.{ending}").exif_orientation == turned
    loaded = LoadImaged("image", reader=PictureReader())({"image": tmp_path / f"a.{ending}"})["image"]
    assert loaded.meta["exif_orientation"] == turned
    assert loaded.shape[1:] == ((64, 40) if turned >= 5 else (40, 64))


@pytest.mark.parametrize(
    ("levels", "notes"),
    [
        (
            PICTURE.astype(np.uint16) * 16,
            "The picture uses only 0.062 of its range of grey levels, from 0 to 0.0623, where 0 is black and 1 is "
            "white.",
        ),
        (np.full((4, 5), 9, np.uint8), "All pixels of the picture have the same value."),
        (PICTURE // 7 + 100, ""),
        (
            PICTURE // 9 + 100,
            "The picture uses only 0.11 of its range of grey levels, from 0.392 to 0.502, where 0 is "
            "black and 1 is white.",
        ),
    ],
)
def test_a_picture_that_uses_little_of_its_range(tmp_path, levels, notes):
    """Such as 12 bits in a PNG of 16."""
    Image.fromarray(levels).save(tmp_path / "a.png")
    loaded = LoadImaged("image", reader=PictureReader())({"image": tmp_path / "a.png"})["image"]
    assert loaded.meta["notes"] == notes
