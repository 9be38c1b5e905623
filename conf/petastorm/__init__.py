"""Petastorm 0.12 on today's Arrow and NumPy: take it from `petastorm()`, or import this first in every process.

Petastorm asks for names that pyarrow and numpy have lost. Its own modules, and no others, get their imports of those
libraries answered by the modules beside this one, which have the lost names and pass everything else through. The real
libraries stay as they are. See docs/adr/0009-petastorm.md.
"""

import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

PACKAGE = "petastorm"
ANSWERS = {
    "pyarrow": "conf.petastorm.arrow",
    "pyarrow.parquet": "conf.petastorm.parquet",
    "pyarrow.filesystem": "conf.petastorm.filesystem",
    "pyarrow.hdfs": "conf.petastorm.filesystem",
    "numpy": "conf.petastorm.numbers",
}


class Loader(SourceFileLoader):
    """Runs one of Petastorm's modules with an `__import__` of its own."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module builtins of its own before it is run."""
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": answer}
        super().exec_module(module)


class Finder:
    """Finds Petastorm's modules as usual, and has `Loader` run them."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module; None for those of others."""
        if name.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def answer(
    name: str,
    globals_: Mapping[str, object] | None = None,
    locals_: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Answer an import statement of one of Petastorm's modules."""
    if level == 0 and name in ANSWERS:
        # `import pyarrow.hdfs` binds pyarrow, and so do its like; what is named after `from` is taken of the answer.
        return import_module(ANSWERS[name if fromlist or "." not in name else name.partition(".")[0]])
    return builtins.__import__(name, globals_, locals_, fromlist or (), level)


def petastorm() -> ModuleType:
    """Import Petastorm, adapted."""
    return import_module(PACKAGE)


if any(name.partition(".")[0] == PACKAGE for name in sys.modules):
    raise ImportError("petastorm was imported before conf.petastorm, which adapts it")
sys.meta_path.insert(0, Finder)
