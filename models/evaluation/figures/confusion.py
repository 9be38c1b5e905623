"""The confusion matrix of a classifier of several classes."""

import numpy as np
from matplotlib.figure import Figure

from models.evaluation.figures.page import INK, Page

WRITTEN_CLASSES, LABELLED_CLASSES, DARK = 12, 40, 0.55
LETTERS_ABREAST = 50


def confusion(page: Page) -> Figure:
    """Draw the share of each true class (rows add up to 100 %) that was predicted as each class, with counts."""
    figure = page.figure("Confusion matrix", "accuracy", "macro_f1")
    axes = figure.add_subplot()
    names = page.manifest.label.classes
    size = len(names)
    cells = page.test.label.astype(np.int64) * size + page.test.scores.argmax(axis=1)
    counts = np.bincount(cells, minlength=size**2).reshape(size, size)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if size <= WRITTEN_CLASSES:
        for row, column in np.ndindex(size, size):
            text = f"{share[row, column]:.0%}\n{counts[row, column]:,}"
            colour = "white" if share[row, column] > DARK else INK
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=max(6, 11 - size // 2))
    if size <= LABELLED_CLASSES:
        axes.set_xticks(range(size), names, rotation=0 if max(map(len, names)) * size < LETTERS_ABREAST else 90)
        axes.set_yticks(range(size), names)
    axes.set_xlabel("predicted class", fontsize=10.5, color=INK)
    axes.set_ylabel("true class", fontsize=10.5, color=INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9.5 if size <= WRITTEN_CLASSES else 6, colors=INK)
    bar = figure.colorbar(image, ax=axes, format="{x:.0%}", fraction=0.046, pad=0.03)
    bar.set_label("share of the true class", fontsize=9.5, color=INK)
    bar.outline.set_visible(False)
    return figure
