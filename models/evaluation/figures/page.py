"""What every picture shares: what is drawn, its title, its figures in words, its look."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from conf.exchange import Estimate
from conf.manifest import Manifest
from models.evaluation.metrics import METRICS, Metric
from models.evaluation.predictions import Predictions

MODEL, BASELINE, ACCENT, INK = "#1f5a99", "#8a8f98", "#d1495b", "#22262b"
CYCLE = ("#1f5a99", "#d1495b", "#2e8b6f", "#e09f3e", "#6d597a", "#3fa7d6", "#8c564b", "#b5179e", "#7f7f7f", "#606c38")
INCHES, DPI = (6.6, 6.0), 150
MANY = 10_000  # from here on, decimals say nothing


@dataclass(frozen=True)
class Page:
    """A test split and how good its predictions are."""

    test: Predictions
    manifest: Manifest
    metrics: dict[str, Estimate]
    baseline: dict[str, float]

    def figure(self, title: str, *names: str) -> Figure:
        """An empty figure under its title and the metrics of these `names`, with their intervals and baselines."""
        words = self._words(names)
        top = 0.915 - 0.034 * len(words)
        layout = ConstrainedLayoutEngine(rect=(0.015, 0.01, 0.97, top), h_pad=0.06)
        figure = Figure(figsize=INCHES, dpi=DPI, facecolor="white", layout=layout)
        FigureCanvasAgg(figure)
        figure.text(0.025, 0.975, title, fontsize=14, fontweight="bold", color=INK, va="top")
        figure.text(0.025, 0.922, "\n".join(words), fontsize=9.5, color="#555b63", linespacing=1.4, va="top")
        return figure

    def _words(self, names: tuple[str, ...]) -> list[str]:
        known: dict[str, Metric] = {metric.name: metric for metric in METRICS[self.manifest.task]}
        parts = [f"{self.manifest.name}: {self.manifest.label.name}, test split, n = {self.test.rows:,}"]
        for name in names:
            if name in self.metrics:
                found = self.metrics[name]
                interval = f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"
                parts.append(f"{known[name].title} {interval}, baseline {number(self.baseline[name])}")
        return parts


def number(value: float) -> str:
    """Four significant digits, and no more than four decimals."""
    if abs(value) >= MANY:
        return f"{value:,.0f}"
    return f"{value:#.4g}" if abs(value) >= 1 else f"{round(value, 4) + 0.0:.4f}"  # + 0.0 for a minus that says nothing


def polish(axes: Axes, x: str, y: str) -> None:
    """Label the axes; no frame above and on the right, a quiet grid behind."""
    axes.set_xlabel(x, fontsize=10.5, color=INK)
    axes.set_ylabel(y, fontsize=10.5, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9.5, colors=INK)
