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

import copy
import sys
from typing import Any

from monai.bundle.config_parser import ConfigParser

from pipeline.utils import InputError

__all__ = ["merged_config"]


def merged_config() -> dict[str, Any]:
    """Return the configuration of the running MONAI bundle: all files and overrides merged, nothing evaluated.

    Call it in an expression of the bundle: ``"config": "$merged_config()"``, with ``"$from pipeline.tracking import
    merged_config"`` among its imports (after ``"$import pipeline.tracking"`` MONAI knows no name ``pipeline``). MONAI
    hands an expression the resolved objects (``@key``) but neither the parser nor the raw configuration, so that it is
    looked up where it must be: every expression is evaluated from within a method of the ``ConfigParser``, whose frame
    is on the call stack. The innermost parser is the one that evaluates the expression.

    Returns:
        A copy of the configuration as MONAI has merged it, macros (``%key``) replaced, without the metadata.

    Raises:
        InputError: if it is not called in an expression of a bundle.
    """
    frame = sys._getframe().f_back
    while frame is not None:
        parser = frame.f_locals.get("self")
        if isinstance(parser, ConfigParser):
            config = {key: value for key, value in parser.get().items() if key != ConfigParser.meta_key}
            return copy.deepcopy(config)
        frame = frame.f_back
    raise InputError(
        "merged_config() was called outside a MONAI bundle: call it in an expression of its configuration."
    )
