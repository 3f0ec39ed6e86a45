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

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.utils import InputError

from .package_bundle import package_bundle


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line of ``python -m pipeline.packaging``; return the exit status, 1 when something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.packaging",
        description="Write a bundle that needs nothing of this repository.",
    )
    parser.add_argument("bundle", type=Path, help="the bundle, such as bundles/nlcen_jsrt")
    parser.add_argument("--run", type=Path, required=True, help="folder of the training whose weights go into it")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder to write to (default dist)")
    options = parser.parse_args(arguments)
    try:
        print(package_bundle(options.bundle, options.run, options.output))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
