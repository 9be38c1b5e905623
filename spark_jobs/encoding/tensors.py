"""Arrays and texts to tensors: filled up, of the dtype, as a list of numbers or as NumPy writes them."""

from pyspark.sql import Column as Values
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.columns import TensorColumn
from conf.kinds import TensorKind, TextKind
from spark_jobs.dataset import column
from spark_jobs.encoding.numbers import rounded
from spark_jobs.encoding.unischema import saved

# Spark has no numbers of eight bits without a sign.
STORED = {"float32": "float", "uint8": "smallint", "int32": "int"}


def fit_tensor(train: DataFrame, name: str, kind: TensorKind) -> TensorColumn:
    """Fit mean and scale over all numbers of train, or the largest token: one aggregation."""
    array = _filled(column(name), kind.size) if kind.pad else column(name)
    fields = {"name": name, "shape": kind.shape, "dtype": kind.dtype, "codec": kind.codec, "pad": kind.pad}
    if kind.dtype == "int32":
        (largest,) = train.agg(F.max(F.array_max(array))).collect()[0]
        return TensorColumn(**fields, mean=0, scale=1, tokens=int(largest) + 1)
    number = F.col("number")
    numbers = train.select(F.explode(array).alias("number"))
    mean, scale = numbers.agg(F.avg(number), F.stddev_pop(number)).collect()[0]
    return TensorColumn(**fields, mean=rounded(mean), scale=rounded(scale) or 1.0, tokens=0)


def fit_text(name: str, kind: TextKind, characters: list[str]) -> TensorColumn:
    """Make tokens of `characters`, as the label was fitted on them."""
    return TensorColumn(
        name=name,
        shape=[kind.length + 1],
        dtype="int32",
        codec="list",
        pad=False,
        mean=0,
        scale=1,
        tokens=len(characters) + 1,
        vocabulary=characters,
    )


def encode_tensor(fitted: TensorColumn) -> Values:
    """Return the encoded column."""
    raw = column(fitted.name)
    if fitted.vocabulary:
        known = F.lit("".join(fitted.vocabulary))
        # Places count from 1 on, and what is not there has 0.
        return F.transform(F.split(raw, ""), lambda each: F.position(each, known)).alias(fitted.name)
    numbers = (_filled(raw, fitted.size) if fitted.pad else raw).cast(f"array<{STORED[fitted.dtype]}>")
    return (saved(numbers, fitted) if fitted.codec == "ndarray" else numbers).alias(fitted.name)


def _filled(array: Values, size: int) -> Values:
    return F.concat(array, F.array_repeat(F.lit(0.0), F.lit(size) - F.size(array)))
