"""Imports run one way: flows -> {spark_jobs, models} -> conf."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "conf": set(),
    "models": {"conf"},
    "spark_jobs": {"conf"},
    "flows": {"conf", "models", "spark_jobs"},
}
NEVER = {
    "conf": {"lightning", "mlflow", "prefect", "pyspark", "torch"},
    "flows": {"lightning", "pandas", "pyspark", "torch"},
    "models": {"prefect", "pyspark"},
    "spark_jobs": {"lightning", "prefect", "torch"},
}
MODULES = [path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert imported & (MAY_IMPORT.keys() - MAY_IMPORT[room] - {room}) == set()
    assert imported & NEVER.get(room, set()) == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
