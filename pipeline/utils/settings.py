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

import difflib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from .errors import InputError

__all__ = ["check_settings"]


def check_settings(config: Mapping[str, Any], unreferenced: Collection[str]) -> None:
    """Refuse a top-level key of a bundle's configuration that nothing uses, such as a misspelled override.

    MONAI takes ``--max_epoch 3`` as a new key and trains with the old ``max_epochs``. A key counts as used if the
    configuration refers to it (``@key`` or ``%key``), or if it is one of ``unreferenced``. One that is null may stand
    there unused: a file laid over another takes out in this way what does not concern it.

    Args:
        config: the merged configuration.
        unreferenced: keys that are meant to be run or read from outside, such as ``"run"``.

    Raises:
        InputError: if there is such a key; the message names it and the nearest existing one.
    """
    used = set(re.findall(r"[@%](\w+)", json.dumps(config, default=str))) | set(unreferenced)
    for key, value in config.items():
        if key not in used and value is not None:
            near = difflib.get_close_matches(key, used & config.keys(), n=1)
            hint = f"; did you mean '{near[0]}'?" if near else "."
            raise InputError(f"--{key}: the configuration has no such setting{hint}")
