# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import re

import pytest

from data_prep.splits import split_by_file, split_by_fraction, split_odd_even
from pipeline.utils import InputError

WRONG_NAMES = [json.dumps({"training": each, "test": ["a"]}) for each in ("bcde", [1], [["b"]], [None], {"b": "c"})]
NAMES = ["c", "a", "e", "b", "d"]


def test_odd_even():
    assert split_odd_even(NAMES) == (["a", "c", "e"], ["b", "d"])
    training, test = split_odd_even([f"{number:03d}" for number in range(247)])
    assert (len(training), len(test)) == (124, 123)


def test_fraction_depends_on_the_seed_and_not_on_the_order():
    names = [f"{number:02d}" for number in range(50)]
    training, test = split_by_fraction(names, 0.2, seed=1)
    assert len(test) == 10 and sorted(training + test) == names
    assert split_by_fraction(names[::-1], 0.2, seed=1) == (training, test)
    assert split_by_fraction(names, 0.2, seed=2) != (training, test)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, float("nan")])
def test_fraction_out_of_range(fraction):
    with pytest.raises(InputError, match=f"^The test fraction must lie between 0 and 1, got {fraction}.$"):
        split_by_fraction(NAMES, fraction, seed=0)


def test_file(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"training": ["d", "a"], "test": ["e", "b", "c"]}))
    assert split_by_file(NAMES, path) == (["a", "d"], ["b", "c", "e"])


@pytest.mark.parametrize(
    ("training", "test", "end"),
    [
        (["a", "b"], ["b", "c", "d", "e"], "gives names twice (1, the first is b)."),
        (["a", "b", "z", "y"], ["c", "d", "e"], "gives names that have no picture (2, the first is y)."),
        (["a"], ["c"], "leaves names out (3, the first is b)."),
    ],
)
def test_file_that_does_not_fit(tmp_path, training, test, end):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"training": training, "test": test}))
    with pytest.raises(InputError, match=f"^{re.escape(f'The split file {path} {end}')}$"):
        split_by_file(NAMES, path)


@pytest.mark.parametrize(
    "content", [None, "{", "[]", "[" * 100000, '{"training": []}', '{"training": 1, "test": 2}', *WRONG_NAMES]
)
def test_file_that_is_no_split(tmp_path, content):
    path = tmp_path / "split.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        InputError, match=re.escape(f'The split file {path} cannot be read; it must be {{"training": [')
    ):
        split_by_file(NAMES, path)


def test_accented_names_are_found_as_another_system_writes_them(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"training": ["e\u0301"], "test": ["a", "\u00fc"]}))
    assert split_by_file(["\u00e9", "a", "\u00fc"], path) == (["\u00e9"], ["a", "\u00fc"])
