"""What Spark says of input that it cannot read, in one line that names the culprit."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.errors import FranklinError

SPARK_ERRORS = (PySparkException, Py4JJavaError)
GONE = r"\[(?:FAILED_READ_FILE\.FILE_NOT_EXIST|PATH_NOT_FOUND)\] .*?(\w+:/\S+?)\.?\s"
DAMAGED = r"\[FAILED_READ_FILE\S*\] .* file (\S+?)\.?\s+SQLSTATE"
THROWN = re.compile(r"(?:^: |^|Caused by: )((?:[a-z][\w$]*\.)+[A-Z][\w$]*): (.+)", re.MULTILINE)
# Around a line for people, in what an executor throws.
BEGIN, END = "franklin<<", ">>nilknarf"
OF_SPARK = ("org.apache.spark.", "pyspark.")


@contextmanager
def naming_damage() -> Iterator[None]:
    """Name the file that Spark found damaged in the middle, or not at all where its executors are.

    Raises:
        FranklinError: Instead of Spark's FAILED_READ_FILE or PATH_NOT_FOUND, and of what `stopping` threw.

    """
    try:
        yield
    except SPARK_ERRORS as error:
        if said := re.search(f"{BEGIN}(.*?){END}", str(error), re.DOTALL):
            raise FranklinError(said[1]) from None
        if gone := re.search(GONE, str(error)):
            raise FranklinError(
                f"Spark's executors do not find {gone[1]}: it was removed meanwhile, or only this machine sees it; "
                "put it where all of them do"
            ) from None
        found = re.search(DAMAGED, str(error))
        if found is None:
            raise
        raise FranklinError(f"{found[1]} is damaged, Spark cannot read it to its end; write it anew") from None


def stopping(message: Column) -> Column:
    """Stop the job where a row evaluates this; `naming_damage` makes a FranklinError of the message."""
    return F.raise_error(F.concat(F.lit(BEGIN), message, F.lit(END))).cast("string")


@contextmanager
def naming(what: str, way_out: str) -> Iterator[None]:
    """Say of what Spark, or what Spark called, complained.

    Raises:
        FranklinError: Instead of any error of Spark's.

    """
    try:
        yield
    except SPARK_ERRORS as error:
        raise FranklinError(f"{what}: {cause(error)}; {way_out}") from None


def cause(error: BaseException) -> str:
    """Return the first message in a chain of errors that is not Spark's own, else Spark's, in one line."""
    thrown = THROWN.findall(str(error))
    theirs = [f"{text}" for name, text in thrown if not name.startswith(OF_SPARK)]
    line = (theirs or [text for _, text in thrown] or [str(error)])[0].strip().split("\n", 1)[0]
    return re.sub(r"\s*SQLSTATE: \w+$", "", line)
