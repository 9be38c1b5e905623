"""Arrays as they come, nested or flat or written as text, and which of them are no tensor of their kind."""

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import ArrayType, DataType, NumericType, StringType

from conf.kinds import TensorKind

LARGEST = 3.4028234663852886e38  # of 32-bit floats, in which networks reckon
NUMBERS = r"[^\s,\[\]]+"
LIMITS = {"float32": (-LARGEST, LARGEST), "uint8": (0.0, 255.0), "int32": (0.0, 2.0**31 - 1)}
OUTSIDE = {
    "float32": "numbers beyond every 32-bit float",
    "uint8": "numbers that are not whole or not in 0 to 255",
    "int32": "numbers that are no tokens, which are whole and from 0 to 2147483647",
}


def holds_arrays(stored: DataType) -> bool:
    """Whether arrays of numbers, or text that may be some, are stored so."""
    while isinstance(stored, ArrayType):
        stored = stored.elementType
        if isinstance(stored, NumericType):
            return True
    return isinstance(stored, StringType)


def read_array(values: Column, stored: DataType | None) -> Column:
    """Read arrays, or text with numbers apart by commas, spaces or brackets, as one flat array of doubles.

    Numbers that are none are null, and so is an array with a missing part.
    """
    if isinstance(stored, StringType):
        return F.regexp_extract_all(values, F.lit(NUMBERS), F.lit(0)).try_cast("array<double>")
    while isinstance(stored, ArrayType) and isinstance(stored.elementType, ArrayType):
        values, stored = F.flatten(values), stored.elementType
    return values.try_cast("array<double>")


def unfit(name: str, array: Column, kind: TensorKind) -> dict[str, Column]:
    """Return the reasons and conditions of arrays, as `read_array` reads them, that are no tensor of that kind."""
    size, wanted = F.size(array), F.lit(kind.size)
    low, high = LIMITS[kind.dtype]

    def outside(number: Column) -> Column:
        within = number.between(low, high)
        return ~within if kind.dtype == "float32" else ~within | (number != F.rint(number))

    fewer = {} if kind.pad else {f"'{name}' has fewer than {kind.size} numbers": size < wanted}
    return {
        f"'{name}' is missing, or a part of it": array.isNull(),
        f"'{name}' has more than {kind.size} numbers": size > wanted,
        **fewer,
        f"'{name}' has missing numbers": F.exists(array, lambda number: number.isNull() | F.isnan(number)),
        f"'{name}' has {OUTSIDE[kind.dtype]}": F.exists(array, outside),
    }
