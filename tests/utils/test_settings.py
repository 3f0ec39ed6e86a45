# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.utils import InputError, check_settings

CONFIG: dict[str, Any] = {"max_epochs": 3, "train": {"epochs": "@max_epochs"}, "copy": "%train", "run": ["$@copy"]}


def test_settings_that_are_used() -> None:
    check_settings(CONFIG, ["run"])


@pytest.mark.parametrize(
    "config, message",
    [
        ({"max_epoch": 3}, "--max_epoch: the configuration has no such setting; did you mean 'max_epochs'?"),
        ({"zzz": 3}, "--zzz: the configuration has no such setting."),
    ],
)
def test_a_setting_that_nothing_uses(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_settings({**CONFIG, **config}, ["run"])


def test_a_setting_that_is_taken_out_may_stand_there_but_not_be_set() -> None:
    check_settings({**CONFIG, "backbone": None}, ["run"])
    with pytest.raises(InputError, match="^--backbone: the configuration has no such setting"):
        check_settings({**CONFIG, "backbone": "resnet50"}, ["run"])
