"""Trees and forests of scikit-learn, on numbers and ordinal codes (codes are in order of frequency)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn import ensemble, tree
from sklearn.tree._tree import Tree

from conf.schema import Choices, Range
from models.candidates.candidate import Candidate, Space, Value
from models.candidates.forms import ordinal
from models.candidates.learning import PAIR, Classes, parts, settled, some
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats, judge

FILE = "trees.npz"
BY_ROWS = 0.0  # a setting that follows from the rows
SHARES, LEAST = (0.05, 0.02, 0.01, 0.005, 0.002, 0.0005), 2.0  # of all rows in a leaf of one tree; rows there
HELD, SEARCH_ROWS = 0.2, 20_000  # what they are sought with
SAMPLE_ROWS = 40_000  # that a tree of a forest draws, at most: more made it no better, and its trees larger


@dataclass(frozen=True)
class Trees:
    """A fitted tree or forest, as scikit-learn's `Tree`s; its scores are the mean of theirs."""

    grown: list[Any]
    classes: Classes | None

    def predict(self, rows: Rows) -> Floats:
        """Give scores, `(rows,)` or `(rows, classes)`, tree by tree in this thread: a row is not worth a pool."""
        table = ordinal(rows)
        total = np.zeros((len(rows), 1 if self.classes is None else len(self.classes.seen)))
        for each in self.grown:
            total += each.predict(table)
        mean = total / len(self.grown)
        return mean[:, 0] if self.classes is None else self.classes.spread(mean)

    def save(self, folder: Path) -> None:
        """Write nodes and values of all trees, one after the other, as NumPy's arrays."""
        states = [each.__getstate__() for each in self.grown]
        np.savez(
            folder / FILE,
            nodes=np.concatenate([state["nodes"] for state in states]),
            values=np.concatenate([state["values"] for state in states]),
            counts=np.array([state["node_count"] for state in states]),
            depths=np.array([state["max_depth"] for state in states]),
            features=self.grown[0].n_features,
        )
        if self.classes is not None:
            self.classes.save(folder)

    @classmethod
    def load(cls, folder: Path, columns: Columns) -> "Trees":
        """Read what `save` has written."""
        with np.load(folder / FILE, allow_pickle=False) as found:
            nodes, values, counts, depths = (found[name] for name in ("nodes", "values", "counts", "depths"))
            features = int(found["features"])
        grown, ends = [], np.cumsum(counts)
        for start, stop, depth in zip(ends - counts, ends, depths, strict=True):
            each = Tree(features, np.array([values.shape[2]], np.intp), 1)
            state = {"nodes": nodes[start:stop], "values": values[start:stop]}
            each.__setstate__({**state, "node_count": int(stop - start), "max_depth": int(depth)})
            grown.append(each)
        return cls(grown, Classes.load(folder, columns))


class _Trees(Candidate):
    family = "tree"
    tasks = frozenset({"binary", "multiclass", "regression"})
    own: ClassVar[Mapping[str, float]]

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Trees:
        """Learn.

        Raises:
            FranklinError: all rows are of one class.

        """
        settings = settled(self.title, self.own, values)
        classes = None if rows.columns.task == "regression" else Classes.of(rows, self.title)
        model = self._model(len(rows), settings, seed, threads, values=classes is None)
        model.fit(ordinal(rows), rows.label if classes is None else classes.places(rows))
        grown = [each.tree_ for each in getattr(model, "estimators_", None) or [model]]
        if classes is not None:
            for each in grown:
                _smooth(each)
        return Trees(grown, classes)

    def load(self, folder: Path, columns: Columns) -> Trees:
        """Read nodes and values."""
        return Trees.load(folder, columns)

    def _model(self, rows: int, settings: dict[str, float], seed: int, threads: int, *, values: bool) -> Any:
        raise NotImplementedError


class DecisionTree(_Trees):
    """One tree (Breiman et al. 1984), kept small by the rows of a leaf.

    Where they are not said, they are that share of all in `SHARES` with the least loss on rows that the fit holds out.
    """

    name = "decision_tree"
    title = "decision tree"
    own: ClassVar[Mapping[str, float]] = {"leaf_rows": BY_ROWS, "depth": 12.0}

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        """Give rows of a leaf, and depth."""
        return {"leaf_rows": Range(low=2, high=500, log=True), "depth": Choices(choices=[4, 6, 8, 12, 16])}

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Trees:
        """Learn.

        Raises:
            FranklinError: all rows are of one class.

        """
        if values.get("leaf_rows", BY_ROWS) == BY_ROWS:
            values = {**values, "leaf_rows": self._leaf_rows(rows, seed, values)}
        return super().fit(rows, seed=seed, values=values, threads=threads)

    def _leaf_rows(self, rows: Rows, seed: int, values: Mapping[str, Value]) -> float:
        """Find the rows of a leaf with the least loss on held-out rows; in doubt, the most."""
        generator = np.random.default_rng(seed)
        learn, held = (rows.take(some(places, SEARCH_ROWS, generator)) for places in parts(rows, HELD, seed))
        found, least = SHARES[0], np.inf
        if len(held) and (rows.columns.task == "regression" or len(np.unique(learn.label)) >= PAIR):
            metric, weights = "rmse" if rows.columns.task == "regression" else "log_loss", np.ones(len(held))
            for share in SHARES:
                told = {**values, "leaf_rows": max(LEAST, share * len(learn))}
                scores = super().fit(learn, seed=seed, values=told, threads=1).predict(held)
                loss = judge(rows.columns.task, scores, held.label)(weights)[metric]
                found, least = (share, loss) if loss < least else (found, least)
        return max(LEAST, found * len(rows))

    def _model(self, rows: int, settings: dict[str, float], seed: int, threads: int, *, values: bool) -> Any:  # noqa: ARG002 -- it grows in one thread
        kind = tree.DecisionTreeRegressor if values else tree.DecisionTreeClassifier
        leaf = settings["leaf_rows"] or 1
        return kind(min_samples_leaf=max(1, round(leaf)), max_depth=round(settings["depth"]), random_state=seed)


class RandomForest(_Trees):
    """Trees of rows drawn anew and of some columns at each split (Breiman 2001)."""

    name = "random_forest"
    title = "random forest"
    own: ClassVar[Mapping[str, float]] = {"trees": 100.0, "leaf_rows": BY_ROWS, "columns": 0.3, "sample": BY_ROWS}

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        """Give rows of a leaf, and the shares of columns at a split and of rows in a tree."""
        return {
            "leaf_rows": Range(low=1, high=50, log=True),
            "columns": Range(low=0.1, high=1.0),
            "sample": Range(low=0.2, high=1.0),
        }

    def _model(self, rows: int, settings: dict[str, float], seed: int, threads: int, *, values: bool) -> Any:
        kind = ensemble.RandomForestRegressor if values else ensemble.RandomForestClassifier
        share = settings["sample"] or 1.0
        drawn = max(1, min(round(share * rows), SAMPLE_ROWS))
        return kind(
            n_estimators=round(settings["trees"]),
            min_samples_leaf=max(1, round(settings["leaf_rows"] or np.clip(drawn / 5000, 2, 20))),
            max_features=settings["columns"],
            max_samples=drawn,
            n_jobs=threads,
            random_state=seed,
        )


def _smooth(grown: Any) -> None:
    """Add one row of all classes' shares to each leaf, so that no class is impossible (Cestnik 1990, m = 1)."""
    rows = grown.weighted_n_node_samples[:, None, None]
    grown.value[:] = (grown.value * rows + grown.value[0]) / (rows + 1)
