"""What candidates are called: by their titles, or by the letters that hide them until a choice is made."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conf.contests import CandidateName
from conf.selecting import Findings
from models.candidates.report.formats import listed

TITLES: Mapping[CandidateName, str] = {
    "mean": "Mean",
    "median": "Median",
    "majority": "Majority class",
    "last_value": "Last value",
    "linear_regression": "Linear regression",
    "logistic_regression": "Logistic regression",
    "ridge": "Ridge",
    "lasso": "Lasso",
    "decision_tree": "Decision tree",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting",
    "xgboost": "XGBoost",
    "lightgbm": "LightGBM",
    "mlp": "MLP",
    "resnet": "ResNet",
    "cnn": "CNN",
    "realmlp": "RealMLP",
    "tabm": "TabM",
    "ft_transformer": "FT-Transformer",
    "ensemble": "Ensemble",
}
# Words of one family's models and libraries: who reads one beside a letter knows who it is.
TELLING = [
    "activation",
    "alpha",
    "attention",
    "baselines?",
    "boost(ed|er|ing)?",
    "class_weight",
    "coef",
    "coefficients?",
    "convolution(al|s)?",
    "depth",
    "dropout",
    "embeddings?",
    "ensembles?",
    "epochs?",
    "estimators?",
    "forests?",
    "intercept",
    "kernel",
    "layers?",
    "learning_rate",
    "leaf",
    "leaves",
    "lightning",
    "linear",
    "logistic",
    "mllib",
    "neural",
    "networks?",
    "neurons?",
    "num_leaves",
    "optimi[sz]er",
    "penalty",
    "regulari[sz]ation",
    "scikit",
    "sklearn",
    "spline",
    "splines",
    "torch",
    "transformer",
    "trees?",
    "xgb",
    "lgb",
    "solver",
    "weights?",
]
_REVEALING = re.compile(
    r"(?<![A-Za-z])("
    + "|".join(
        [re.escape(name).replace("_", "[ _-]") for name in TITLES]
        + [re.escape(title) for title in TITLES.values()]
        + TELLING
    )
    + r")(?![A-Za-z])",
    re.IGNORECASE,
)


def reveals(text: str) -> bool:
    """Whether a text names a candidate, or says a word that only one family's models have."""
    return _REVEALING.search(text) is not None


_PLAIN = ("mean", "median", "majority", "last_value")  # words that sentences use for other things, too
_NAMED = re.compile(r"(?<![\w.=])(" + "|".join(name for name in TITLES if name not in _PLAIN) + r")(?![\w.=])")


def titled(text: str) -> str:
    """A text with candidates' titles in the place of their names."""
    titles = {str(name): title for name, title in TITLES.items()}
    return _NAMED.sub(lambda found: titles[found[0]], text)


@dataclass(frozen=True)
class Names:
    """What candidates are called in one report.

    Attributes:
        blind: whether letters stand for them.
        letters: of each candidate; {}: the contest was never blind.

    """

    blind: bool
    letters: Mapping[str, str]

    def __getitem__(self, candidate: str) -> str:
        """Letter or title, for tables and pictures."""
        if self.blind:
            return self.letters[candidate]
        return next((title for name, title in TITLES.items() if name == candidate), candidate)

    def say(self, candidate: str) -> str:
        """The same for a sentence, where a letter alone would be read as a word."""
        return f"candidate {self[candidate]}" if self.blind else self[candidate]

    def listed(self, candidates: Iterable[str]) -> str:
        """Several, for a sentence."""
        called = [self[candidate] for candidate in candidates]
        return f"candidate{'s' if len(called) > 1 else ''} {listed(called)}" if self.blind else listed(called)

    def before(self, candidate: str) -> str:
        """The letter that has hidden a candidate whose name is shown now; empty: none has."""
        return "" if self.blind else self.letters.get(candidate, "")


def names(findings: Findings) -> Names:
    """Letters, as long as a blind contest waits for its choice."""
    return Names(blind=bool(findings.labels) and findings.choice is None, letters=findings.labels)
