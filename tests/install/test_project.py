# SPDX-License-Identifier: Apache-2.0
"""``pyproject.toml`` names what the packages import and hold, in ranges that have the tested versions in them."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_locks import versions

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
OPTIONAL_LINES = PROJECT["project"]["optional-dependencies"]
EXTRAS = {name: [Requirement(line) for line in lines] for name, lines in OPTIONAL_LINES.items()}
PACKAGES = ("pipeline", "data_prep")
OPTIONAL = {"onnxruntime", "highdicom"}


def imports(node: ast.AST, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """The top-level names that a module imports, and whether a function does it, when it is called."""
    if isinstance(node, ast.Import):
        yield from ((name.name.partition(".")[0], inside) for name in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield str(node.module).partition(".")[0], inside
    for child in ast.iter_child_nodes(node):
        yield from imports(child, inside or isinstance(node, ast.FunctionDef))


def test_everything_that_is_imported_is_installed_with_the_project() -> None:
    found = {each for name in PACKAGES for path in (ROOT / name).rglob("*.py") for each in imports(parsed(path))}
    foreign = {name for name, _ in found} - sys.stdlib_module_names - {*PACKAGES}
    assert {"torch", "monai", "pandas", *OPTIONAL} <= foreign
    distributions = packages_distributions()
    needed = {canonicalize_name(each.name) for each in NEEDED}
    missing = {name for name in foreign if not needed & {canonicalize_name(each) for each in distributions[name]}}
    assert missing == OPTIONAL
    assert not [name for name, inside in found if name in OPTIONAL and not inside]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_the_ranges_have_the_tested_versions_in_them() -> None:
    pinned = versions(ROOT / "locks" / "linux-cuda.txt", "3.12")
    for needed in (*NEEDED, *EXTRAS["export"], *EXTRAS["dicom-seg"], *EXTRAS["test"]):
        assert pinned[canonicalize_name(needed.name)] in needed.specifier, needed
    pinned = versions(ROOT / "locks" / "snakemake.txt", "3.12")
    assert all(pinned[needed.name] in needed.specifier for needed in EXTRAS["experiments"])


def test_all_tested_packages_belong_to_the_project() -> None:
    named = {each.name for each in NEEDED + [each for extra in EXTRAS.values() for each in extra]}
    assert versions(ROOT / "requirements.txt", "3.12").keys() <= named


def test_files_that_are_no_modules_are_installed_too() -> None:
    listed = PROJECT["tool"]["setuptools"]["package-data"]
    found = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    others = [path for path in found if path.suffix not in (".py", ".pyc")]
    assert {"report_schema.json", "page.html.jinja"} <= {path.name for path in others}
    for path in others:
        assert any(map(path.match, listed.get(".".join(path.relative_to(ROOT).parent.parts), []))), path
    assert all((path.parent / "__init__.py").is_file() for path in found if path.suffix == ".py")
