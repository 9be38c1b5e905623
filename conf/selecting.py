"""The contest's messages: what its engine is asked, the journal of its fits, and what it found (`findings.json`)."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from conf import contests
from conf.contests import CandidateName, Contest, Family
from conf.data import Task
from conf.exchange import Estimate, Request, TrainRequest
from conf.spark import AnySpark
from conf.splits import AnySplit
from conf.strict import Strict

Value = contests.Value
Values = contests.Values
Phase = Literal["size", "trial", "fold", "final"]
JOURNAL, FINDINGS, REPORT = "journal.jsonl", "findings.json", "report.html"


class Entrant(Strict):
    """A network that takes part: the training that it would have, of which a fit sets rows, folder, seed and answer."""

    name: CandidateName
    train: TrainRequest


class ContestRequest(Request):
    """Compare candidates on a feature set, and leave journal, findings, models and report in `run_folder`."""

    feature_set: str
    run_folder: Path
    experiment: str
    said: str | None = Field(default=None, description="as a person has called it: a name, or a YAML file's path")
    seed: int
    contest: Contest
    split: AnySplit
    bootstrap: int
    cores: int
    networks: list[Entrant]
    notes: list[str] = Field(default=[], description="what a reader should know of those who do not take part")
    looked: "UnlabelledResult | None" = Field(
        default=None, description="what was found without labels, for the report; figures are in the run folder"
    )
    spark: AnySpark
    spark_fits: list[str] = Field(description="command of the service that fits in Spark; it reads and answers lines")


class FitTask(Strict):
    """One fit to be done, by a forked process here or by the service in Spark (a line of JSON; the answer is a `Fit`).

    Rows are numbered in the order of the files of train, then of validation; those of test by themselves.
    """

    candidate: CandidateName
    phase: Phase
    fold: int
    seed: int
    values: Values
    learn: Path = Field(description=".npy of int64 numbers of the rows to learn from")
    held: Path | None = Field(description=".npy of the numbers of those to score; null: all of test")
    scores: Path = Field(description=".npy to write the scores of the held-out rows to")
    model: Path | None = Field(description="folder to save the fitted candidate in; null: it is not kept")
    memory_bytes: int
    timeout_seconds: float
    threads: int
    stop: Path | None = Field(
        default=None, description=".npy of those of `learn` that boosting in Spark stops by; null: none"
    )


class Fit(Strict):
    """One fit: a line of the journal."""

    candidate: CandidateName
    phase: Phase
    fold: int = Field(description="-1: final, on all train and validation rows, judged on test")
    rows: int = Field(description="that it was fitted on")
    values: Values = Field(description="settings; {}: the candidate's own")
    metrics: dict[str, float] = Field(description="on the held-out rows; {}: it failed")
    seconds: float
    processor_seconds: float
    peak_memory_bytes: int = Field(description="of its process, beside what all share")
    failure: str | None = Field(default=None, description="one line")
    scores: str | None = Field(default=None, description=".npy of scores of the held-out rows, in the run folder")


class Latency(Strict):
    """Seconds of a prediction: of one row alone, and of a batch for each of its rows.

    A 99th percentile is null where there were too few predictions to tell it from the longest of all.
    """

    one_p50_seconds: float
    one_p99_seconds: float | None
    one_predictions: int | None = Field(default=None, description="that were timed; null: nobody wrote it down")
    batch_rows: int
    batch_p50_seconds: float = Field(description="a row, in a batch")
    batch_p99_seconds: float | None = Field(description="a row, in a batch")
    batch_predictions: int | None = Field(default=None, description="that were timed; null: nobody wrote it down")


class PowerLaw(Strict):
    """value = limit + factor * rows ** -exponent, and what it says of more rows."""

    limit: float
    factor: float
    exponent: float
    r2: float = Field(description="share of the curve's variance that it explains")
    doubled: float = Field(description="expected value with twice the rows")
    tenfold: float = Field(description="expected value with ten times the rows")


class Curve(Strict):
    """A candidate's main metric on the same held-out rows, over training sizes."""

    rows: list[int]
    values: list[float]
    law: PowerLaw | None = Field(description="null: too few points, or none fits")


class Period(Strict):
    """A stretch of calendar time of the test rows, and the main metric there."""

    start: str = Field(description="first day, ISO 8601")
    rows: int
    value: Estimate | None = Field(description="null: the rows do not define it")
    drawn: Literal["rows", "days"] = Field(
        default="rows", description="of what resamples are made; of fewer than six days they are made of rows"
    )


class Threshold(Strict):
    """Expected cost a row over thresholds, with the cheapest, chosen on held-out train rows and priced on test."""

    thresholds: list[float]
    costs: list[float] = Field(description="a row of test, at each threshold")
    best: float
    low: float = Field(description="of the 95 % interval of the cheapest threshold")
    high: float
    cost: Estimate = Field(description="a row of test, at the cheapest")
    cost_at_half: float
    false_positives: float = Field(description="share of test rows, at the cheapest")
    false_negatives: float


class Standing(Strict):
    """What became of a candidate."""

    candidate: CandidateName
    family: Family
    values: Values
    members: dict[CandidateName, float] = Field(default={}, description="of an ensemble, with their weights, sum 1")
    folds: list[float] = Field(description="main metric in each fold")
    mean: float | None = Field(description="over folds; null: no fold was fitted")
    error: float | None = Field(
        default=None, description="standard error of the mean, for folds that share rows (Nadeau and Bengio 2003)"
    )
    low: float | None = Field(description="of the 95 % interval of the mean (Student's t over folds)")
    high: float | None
    behind: float | None = Field(description="mean gap to the best, paired by fold; positive: worse")
    behind_error: float | None = Field(description="standard error of that gap")
    test: dict[str, Estimate] = Field(description="metrics on test with bootstrap intervals; {}: no final fit")
    rows: int = Field(description="of the final fit; of an ensemble, its members' by weight")
    share: float = Field(default=1.0, description="of the rows of each fold, that time was for; as `rows`")
    processor_seconds: float | None = Field(description="of the final fit")
    whole_processor_seconds: float | None = Field(
        default=None, description="predicted for all rows, where there was time for a share of them; else null"
    )
    seconds: float | None
    peak_memory_bytes: int | None
    size_bytes: int | None = Field(description="on disk")
    latency: Latency | None
    curve: Curve
    periods: list[Period]
    threshold: Threshold | None
    failure: str | None = Field(description="why it fell out, in one line")


class Finding(Strict):
    """An assumption, looked at in the held-out rows."""

    assumption: str = Field(description="such as 'constant variance'")
    families: list[Family] = Field(description="that rest on it")
    candidate: CandidateName | None = Field(description="whose residuals or scores were looked at; null: the rows")
    test: str = Field(description="its name and source")
    statistic: float | None
    p_value: float | None
    effect: float | None = Field(description="size of the effect, which decides")
    effect_name: str
    verdict: Literal["holds", "doubtful", "broken", "unknown"]
    says: str = Field(description="one sentence for a person")
    advice: str = Field(description="what to do")
    figure: str | None = Field(description="SVG, in the run folder")


class Weight(Strict):
    """A number for a column, with its spread over repetitions."""

    name: str
    value: float
    error: float


class Dependence(Strict):
    """Mean score with a column set to each of some values (Friedman 2001, section 8.2)."""

    name: str
    grid: list[float] | list[str]
    scores: list[float]


class Explanation(Strict):
    """Why a candidate says what it says, on the same test rows for all; of a slow one, on some of those."""

    candidate: CandidateName
    rows: int = Field(ge=0, description="of test that were looked at")
    coefficients: list[Weight] = Field(description="of linear models, standardised columns; [] for others")
    importance: list[Weight] = Field(description="loss of the main metric when a column is permuted (Breiman 2001)")
    dependence: list[Dependence]


class Recommendation(Strict):
    """The simplest candidate within one standard error of the best that keeps the limits."""

    candidate: CandidateName
    best: CandidateName
    why: str = Field(description="two sentences")
    given_up: str = Field(description="what the best has that the recommended one has not")
    refused: dict[str, str] = Field(description="candidate that would do -> limit that it breaks")


class Choice(Strict):
    """What a person chose in a blind contest, and when."""

    candidate: CandidateName
    label: str = Field(description="under which it was chosen, such as B")
    at: str = Field(description="UTC, ISO 8601")


class Sketch(Strict):
    """What a picture of groups is drawn from."""

    names: list[str] = Field(description="of the values, the most frequent first")
    places: list[list[float]] = Field(description="of each value, on the first two principal components")
    shares: list[float] = Field(description="of the variance, that these explain")
    tree: list[list[float]] | None = Field(description="merges of hierarchical clustering, as SciPy's linkage has them")


class Segments(Strict):
    """Groups of a column's values by what their rows are like."""

    column: str
    method: Literal["kmeans", "hierarchical", "mixture"]
    groups: list[list[str]]
    quality: float = Field(description="mean silhouette (Rousseeuw 1987)")
    profile: dict[str, list[float]] = Field(description="feature -> mean in each group")
    figure: str = Field(description="SVG that is drawn from the sketch, in the run folder")
    sketch: Sketch
    note: str | None = Field(default=None, description="such as that only the most frequent values were grouped")


class Rule(Strict):
    """If a row has all of `when`, it has `then`."""

    when: list[str]
    then: str
    support: float
    confidence: float
    lift: float


class ItemSet(Strict):
    """Items that many rows have together."""

    items: list[str]
    support: float = Field(description="share of the rows that have all of them")
    lift: float = Field(description="that share, over what it would be if two parts of the set did not depend")


class UnlabelledRequest(Request):
    """Group values of columns, and seek rules about the label, in the train rows of a feature set."""

    feature_set: str
    run_folder: Path = Field(description="figures go into it")
    spark: AnySpark = Field(description="where the engine in Spark runs; the local one needs none")
    segments: list[str] = Field(description="categorical columns")
    rules: bool
    seed: int


class UnlabelledResult(Strict):
    """What was found, and why some was not."""

    segments: list[Segments]
    rules: list[Rule] = Field(description="highest lift first")
    sets: list[ItemSet] = Field(description="frequent item sets, the most unlike chance first")
    notes: list[str]


class Findings(Strict):
    """All that a contest found: of it alone the report is made."""

    experiment: str
    said: str | None = Field(default=None, description="as a person has called it: a name, or a YAML file's path")
    task: Task
    metric: str
    title: str = Field(description="of the metric, for people")
    higher_is_better: bool
    rows: dict[str, int] = Field(description="train, validation, test")
    columns: int
    seed: int
    contest: Contest
    engine: Literal["local", "spark"]
    folds_by: str = Field(description="how folds were made, for people")
    intervals_by: str = Field(default="single rows", description="what resamples of test rows are made of, for people")
    seconds: float
    standings: list[Standing] = Field(description="in order of simplicity")
    recommendation: Recommendation
    moves: list[str] = Field(description="changes of place between sizes that two have in common, beyond noise")
    assumptions: list[Finding]
    explanations: list[Explanation]
    segments: list[Segments]
    rules: list[Rule]
    sets: list[ItemSet]
    notes: list[str] = Field(description="what a reader should know: who fell out and why, what the budget cut")
    labels: dict[str, str] = Field(description="candidate -> letter that hides it; {}: not blind")
    choice: Choice | None
    machine: str
    created: str = Field(description="UTC, ISO 8601")


class ContestResult(Strict):
    """Where the findings are."""

    findings: Path
    report: Path


ContestRequest.model_rebuild()
