"""What both engines mean by the profile of a categorical column's value, and by groups of values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conf.columns import Categorical
from conf.data import Task
from conf.errors import FranklinError, closest
from conf.manifest import Manifest
from conf.selecting import Segments, Sketch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Method = Literal["kmeans", "hierarchical", "mixture"]
FEWEST, MOST = 4, 2000  # values that are grouped; of more, the most frequent
LEAVES = 200  # values of a dendrogram, at most
GROUPS = 8  # that are tried, at most
EXPLAINED, COMPONENTS, VALUES_EACH = 0.9, 5, 10  # principal components of a mixture: variance, at most, and for each
ROWS = "rows of a value"
SAME = 1e-9  # a variance below this share of the square's mean is rounding


class NoSegmentsError(FranklinError):
    """The column has nothing to be grouped."""


@dataclass(frozen=True)
class Sums:
    """What rows of each value add up to.

    Attributes:
        column: whose values they are.
        names: of the values, the most frequent first.
        features: the columns of numbers, then what `label_features` names.
        count: `(values,)` rows.
        total: `(values, features)` sums.
        squares: `(values, features)` sums of squares.
        values: there are; of more than `MOST`, those that come after may be left out of the rest.

    """

    column: str
    names: Sequence[str]
    features: Sequence[str]
    count: Floats
    total: Floats
    squares: Floats
    values: int


@dataclass(frozen=True)
class Profile:
    """Values as points.

    Attributes:
        column: whose values they are.
        names: of the values.
        features: of `means`.
        count: `(values,)` rows.
        means: `(values, features)`.
        points: `(values, kept features + 1)`, means and log count, standardised, each by its reliability.
        values: there are, those that were left out included.

    """

    column: str
    names: Sequence[str]
    features: Sequence[str]
    count: Floats
    means: Floats
    points: Floats
    values: int

    @property
    def note(self) -> str | None:
        """What was left out; None: nothing."""
        kept = len(self.names)
        return f"of {self.values:,} values the {kept:,} most frequent were grouped" if kept < self.values else None

    def first(self, most: int) -> "Profile":
        """Give the most frequent values alone."""
        cut = (self.count[:most], self.means[:most], self.points[:most])
        return Profile(self.column, self.names[:most], self.features, *cut, self.values)


def check_column(column: str, codes: Sequence[str], others: Sequence[str]) -> None:
    """See that a column's values can be grouped.

    Raises:
        FranklinError: it is not there, or not categorical.

    """
    if column in codes:
        return
    if column in others:
        known = f"categorical columns: {', '.join(codes)}" if codes else "and no column is"
        raise FranklinError(f"contest.segments: '{column}' is not categorical; {known}")
    guess = closest(column, codes)
    hint = f"did you mean '{guess}'?" if guess else f"categorical columns: {', '.join(codes) or 'none'}"
    raise FranklinError(f"contest.segments: there is no column '{column}'; {hint}")


def label_features(task: Task, label: str, classes: Sequence[str]) -> list[str]:
    """Name what a profile has of the label: its mean, the share of class 1, or the share of each class."""
    if task == "regression":
        return [label]
    return [f"{label} = {each}" for each in (classes[1:] if task == "binary" else classes)]


def profile(sums: Sums) -> Profile:
    """Make points of values: the means of their rows and their log count, standardised over values.

    A mean of few rows is noise in part. A feature counts by the share of its variance between values that is not, by
    the variance within values (one-way random effects; Searle, Casella and McCulloch 1992, section 3.6): one whose
    means differ no more than those of rows dealt by chance is left out.

    Raises:
        NoSegmentsError: too few values, or they do not differ.

    """
    count, total, squares = sums.count[:MOST], sums.total[:MOST], sums.squares[:MOST]
    if len(count) < FEWEST:
        raise NoSegmentsError(
            f"{sums.column}: {len(count)} value{'s' * (len(count) != 1)} with a name in train, "
            f"too few to be grouped; {FEWEST} are needed"
        )
    means = total / count[:, None]
    within = np.maximum(squares - count[:, None] * means**2, 0).sum(axis=0) / max(count.sum() - len(count), 1)
    between, noise = means.var(axis=0, ddof=1), within * (1 / count).mean()
    real = between > SAME * (means**2).mean(axis=0) + np.finfo(np.float64).tiny
    reliability = np.where(real, np.maximum(1 - noise / np.where(real, between, 1), 0), 0)
    logs = np.log(count)[:, None]
    points = np.hstack([_standardised(means) * np.sqrt(reliability), _standardised(logs)])
    points = points[:, points.std(axis=0) > 0]
    if not points.shape[1] or len(np.unique(points, axis=0)) < FEWEST:
        raise NoSegmentsError(f"{sums.column}: the rows of its values do not differ, so there is nothing to group")
    return Profile(sums.column, sums.names[:MOST], sums.features, count, means, points, sums.values)


def _standardised(values: Floats) -> Floats:
    spread = values.std(axis=0)
    flat = spread**2 <= SAME * (values**2).mean(axis=0)
    scaled: Floats = np.where(flat, 0, (values - values.mean(axis=0)) / np.where(flat, 1, spread))
    return scaled


def components(points: Floats) -> Floats:
    """Project points on their first principal components, `(values, components)`, of variance 1 together.

    As many as explain most of the variance and as there are values for: a covariance of all features would be one of
    more numbers than values.
    """
    left, lengths, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    shares = np.cumsum(lengths**2) / (lengths**2).sum()
    enough = int(np.searchsorted(shares, EXPLAINED)) + 1
    kept = max(1, min(enough, COMPONENTS, len(points) // VALUES_EACH))
    scores = left[:, :kept] * lengths[:kept]
    projected: Floats = scores / np.sqrt((scores**2).sum(axis=1).mean())
    return projected


def most_groups(profile: Profile) -> int:
    """Count the groups that are tried at most: fewer than there are different points."""
    return min(GROUPS, len(np.unique(profile.points, axis=0)) - 1)


def grouped(
    profile: Profile,
    method: Method,
    group: Ints,
    *,
    quality: float,
    tree: Floats | None = None,
    note: str | None = None,
) -> Segments:
    """Tell which values are in which group, the largest group first, and what its rows are like.

    Args:
        profile: of the values.
        method: that has grouped them.
        group: `(values,)` of each value.
        quality: mean silhouette.
        tree: of merges, `(values - 1, 4)`.
        note: what a reader should know beside the profile's own.

    """
    names, sizes = np.unique(group, return_counts=True)
    order = sorted(range(len(names)), key=lambda i: (-sizes[i], int(np.argmax(group == names[i]))))
    members = [np.flatnonzero(group == names[i]) for i in order]
    rows = [profile.count[of] for of in members]
    means = [np.average(profile.means[of], axis=0, weights=profile.count[of]) for of in members]
    said = {name: [float(mean[i]) for mean in means] for i, name in enumerate(profile.features)}
    return Segments(
        column=profile.column,
        method=method,
        groups=[[profile.names[int(i)] for i in of] for of in members],
        quality=quality,
        profile=said | {ROWS: [float(of.mean()) for of in rows]},
        figure=figure_name(profile.column, method),
        sketch=_sketch(profile, tree),
        note="; ".join(filter(None, (profile.note, note))) or None,
    )


def figure_name(column: str, method: Method) -> str:
    """Name a figure's file, whatever characters the column has."""
    plain = re.sub(r"[^\w.-]", "_", column)
    return f"segments_{plain}_{method}.svg"


def _sketch(profile: Profile, tree: Floats | None) -> Sketch:
    left, lengths, _ = np.linalg.svd(profile.points - profile.points.mean(axis=0), full_matrices=False)
    places = np.pad(left * lengths, ((0, 0), (0, 1)))[:, :2]
    shares = np.append(lengths**2 / (lengths**2).sum(), 0)[:2]
    return Sketch(
        names=list(profile.names),
        places=places.tolist(),
        shares=shares.tolist(),
        tree=None if tree is None else tree.tolist(),
    )


def vocabularies(manifest: Manifest, columns: Sequence[str]) -> dict[str, list[str]]:
    """Give the values of each categorical column whose codes have names: the one with code 3 first.

    Args:
        manifest: of the feature set.
        columns: whose values are to be grouped.

    Raises:
        FranklinError: one of `columns` is not there, not categorical, or hashed.

    """
    coded = {column.name: column for column in manifest.categorical}
    names = {name: column.vocabulary for name, column in coded.items() if isinstance(column, Categorical)}
    for column in columns:
        check_column(column, [*coded], [*manifest.raw, *manifest.numeric])
        if column not in names:
            raise FranklinError(
                f"contest.segments: '{column}' is hashed, so no value has a name; say data.columns.{column}=categorical"
            )
    return names
