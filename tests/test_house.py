"""The house rules that no linter knows: sizes, names, and that the layers forget nobody."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import PROJECT

LINES_OF_A_FUNCTION = 40
LINES_OF_A_MODULE = 400
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "data", "info"}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((PROJECT / folder).rglob("*.py"))


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path in sources("supervise", "reports"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kinds):
                yield f"{path.relative_to(PROJECT)}:{getattr(node, 'lineno', 0)}", node


def lines_of_code(function: ast.FunctionDef) -> int:
    """The length of *function* without its docstring, which nobody should shorten for a rule."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    of_docstring = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - of_docstring


def test_functions_and_modules_stay_small() -> None:
    long = [
        f"{path.relative_to(PROJECT)}: {lines} lines"
        for path in sources("supervise", "reports", "tools")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES_OF_A_MODULE
    ]
    for place, node in nodes(ast.FunctionDef):
        if isinstance(node, ast.FunctionDef) and (lines := lines_of_code(node)) > LINES_OF_A_FUNCTION:
            long.append(f"{place} {node.name}: {lines} lines")

    assert long == []


def test_no_error_is_caught_without_a_name() -> None:
    broad = [
        place
        for place, node in nodes(ast.ExceptHandler)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    ]

    assert broad == []


def test_nothing_is_imported_inside_a_function() -> None:
    hidden = [
        place
        for place, function in nodes(ast.FunctionDef)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    ]

    assert hidden == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in sources("supervise", "reports") if path.stem in NAMELESS] == []


def test_nothing_is_put_off() -> None:
    put_off = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b")
    found = [
        path
        for path in sources("supervise", "reports", "migrations")
        if put_off.search(path.read_text(encoding="utf-8"))
    ]

    assert found == []


def test_the_layers_name_every_module_of_the_application() -> None:
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    named = set(re.findall(r"supervise\.(\w+)", " ".join(layers)))
    there = {path.stem for path in (PROJECT / "supervise").glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in (PROJECT / "supervise").glob("*/__init__.py")}

    assert there - named == set()


def test_only_the_clock_reads_the_clock() -> None:
    reads = re.compile(r"\b(datetime\.now|date\.today|utcnow|time\.time)\(|\b(func\.now|CURRENT_TIMESTAMP)\b")
    found = [
        path
        for path in sources("supervise", "reports")
        if path.name != "clock.py" and reads.search(path.read_text(encoding="utf-8"))
    ]

    assert found == []


@pytest.mark.parametrize("target", ["run", "test", "soak", "check", "serve", "demo-remove", "migrate", "catalogue"])
def test_make_help_lists_the_target(target: str) -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    assert re.search(rf"^  make {target} ", listed.stdout, re.MULTILINE)


def test_nobody_but_the_demo_pretends_that_it_is_another_day() -> None:
    pretenders = {
        place.partition(":")[0]
        for place, node in nodes(ast.Attribute, ast.Name)
        if getattr(node, "attr", getattr(node, "id", "")) == "pretending"
    }

    assert {place.rpartition("/")[0] for place in pretenders} == {"supervise/demo"}


def test_every_test_that_the_rules_name_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (PROJECT / "docs" / "rules.md").read_text(encoding="utf-8")))
    texts = (path.read_text(encoding="utf-8") for path in sources("tests"))
    written = {name for text in texts for name in re.findall(r"^def (test_[a-z0-9_]+)", text, re.MULTILINE)}

    assert named
    assert named - written == set()
