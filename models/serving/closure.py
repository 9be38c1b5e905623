"""Which modules of franklin some of its modules import, and which distributions of others."""

import ast
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("conf", "models")
CANDIDATES = "models.candidates"  # whose modules import libraries where they use them


def closure(roots: Iterable[str]) -> tuple[list[Path], list[str]]:
    """Follow imports.

    Only what is imported with a module counts, except in candidates, of which functions count too.

    Args:
        roots: names of modules, such as `models.serving.model`.

    Returns:
        Files below `ROOT`, packages' `__init__.py` included, and names of distributions, both sorted.

    """
    waiting, files, others = list(roots), set[Path](), set[str]()
    while waiting:
        name = waiting.pop()
        if (file := _file(name)) is None or file in files:
            continue
        files.add(file)
        waiting += [name[:place] for place, sign in enumerate(name) if sign == "."]
        for imported in _imports(ast.parse(file.read_text(encoding="utf-8")), everywhere=name.startswith(CANDIDATES)):
            if imported.partition(".")[0] in OURS:
                waiting.append(imported)
            else:
                others.add(imported.partition(".")[0])
    distributions = packages_distributions()
    return sorted(files), sorted({each for name in others for each in distributions.get(name, ())})


def _file(name: str) -> Path | None:
    """The file of a module; None: the name is of something in one."""
    path = ROOT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def _imports(tree: ast.AST, *, everywhere: bool) -> Iterator[str]:
    """Names that are imported, modules or what is in them, unless for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif _is_for_types(node) or (isinstance(node, ast.FunctionDef) and not everywhere):
            continue
        else:
            yield from _imports(node, everywhere=everywhere)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
