# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from pipeline.transforms import read_jsrt_image

from .files import fails


def test_big_endian_rows_from_the_top(tmp_path):
    path = tmp_path / "a.IMG"
    path.write_bytes(bytes([0x0F, 0xFF, 0, 0, 0, 1, 1, 0, 0x0A, 0xBC, 0, 2]))
    values = read_jsrt_image(path, shape=(2, 3))
    assert values.tolist() == [[4095, 0, 1], [256, 0xABC, 2]]
    assert values.dtype == np.uint16
    assert values.dtype.isnative


@pytest.mark.parametrize(("size", "state"), [(8_388_607, "truncated"), (0, "truncated"), (8_388_610, "too long")])
def test_size(tmp_path, size, state):
    path = tmp_path / "a.IMG"
    with open(path, "wb") as file:
        file.truncate(size)
    with fails(f"The file {path} is {state}: {size:,} bytes, and it must have 8,388,608."):
        read_jsrt_image(path)


def test_values(tmp_path):
    path = tmp_path / "a.IMG"
    np.array([[0, 4095], [4096, 1]], dtype=">u2").tofile(path)
    with fails(
        f"The file {path} holds the value 4096, and JSRT has 12 bits (0 to 4095); it is damaged or not big-endian."
    ):
        read_jsrt_image(path, shape=(2, 2))


def test_absent(tmp_path):
    with fails(f"The file {tmp_path / 'a.IMG'} cannot be read (No such file or directory)."):
        read_jsrt_image(tmp_path / "a.IMG")
