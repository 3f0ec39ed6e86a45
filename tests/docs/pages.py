# SPDX-License-Identifier: Apache-2.0
"""The pages of the documentation, and the code in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, *languages: str) -> list[str]:
    """The code of a page in these languages; "" where none is named."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [code for language, code in fences if language in languages]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell script as words; ``<what is to be filled in>`` becomes ``FILL_IN``."""
    text = re.sub(r"<<'END'\n.*?\nEND\n", "\n", text, flags=re.DOTALL)
    text = re.sub(r"<[^<>\n]+>|\$\(.*\)|…", "FILL_IN", text).replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(re.sub(r"(?<!\S)#.*", "", line))
        while "&&" in words:
            cut = words.index("&&")
            yield words[:cut]
            words = words[cut + 1 :]
        if words:
            yield words
