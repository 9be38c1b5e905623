"""How both engines choose the number of groups, and merge values from the bottom."""

from collections.abc import Callable

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import silhouette_score

from conf.segmenting import LEAVES, Floats, Ints, Profile, grouped, most_groups
from conf.selecting import Segments


def silhouette(points: Floats, group: Ints) -> float:
    """Mean silhouette (Rousseeuw 1987); 0 of a single group, as he has it of a single member."""
    return float(silhouette_score(points, group)) if len(np.unique(group)) > 1 else 0.0


def choose(points: Floats, most: int, group: Callable[[int], Ints]) -> tuple[Ints, float]:
    """Group points into 2 groups to `most`, and keep the number with the best silhouette."""
    found = [(group(k), k) for k in range(2, most + 1)]
    judged = [(silhouette(points, each), -k, each) for each, k in found]
    quality, _, best = max(judged, key=lambda one: one[:2])
    return best, quality


def hierarchical(seen: Profile) -> Segments:
    """Merge the two groups whose union adds the least variance (Ward 1963), and cut by silhouette.

    Of the most frequent values alone, as many as a dendrogram has room for; so whoever has added up the rows, the tree
    is made here.
    """
    few = seen.first(LEAVES)
    tree = linkage(few.points, "ward")

    def cut(k: int) -> Ints:
        return np.asarray(fcluster(tree, k, "maxclust"), np.int64)

    group, quality = choose(few.points, most_groups(few), cut)
    return grouped(few, "hierarchical", group, quality=quality, tree=tree)
