"""Tensors as Petastorm stores them, for its `make_reader`: the bytes of its codec, and its schema beside the files.

Executors run no Python (ADR 0010), so what Petastorm's `NdarrayCodec` writes is put together by Spark's own functions:
NumPy's header, which is the same for every row of a column, and the numbers, little end first. A test holds the bytes
against the codec's. Petastorm's `materialize_dataset` would write the same two entries beside the files, but opens all
of them in Spark again and knows no Spark Connect. Petastorm is imported where it is used, after `conf.petastorm`.
"""

import json
import pickle
from io import BytesIO
from typing import Any

import numpy as np
from pyspark.sql import Column as Values
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

import conf.petastorm  # noqa: F401, so that Petastorm can be imported
from conf.columns import Column, NumberColumn, TensorColumn
from conf.manifest import DataFile, Label
from spark_jobs.writing import Draft


def saved(numbers: Values, fitted: TensorColumn) -> Values:
    """Write arrays of the column's numbers as NumPy's `save` does, which is what Petastorm's codec does."""
    whole = BytesIO()
    np.save(whole, np.zeros(fitted.shape, fitted.dtype))
    header = whole.getvalue()[: -fitted.size * np.dtype(fitted.dtype).itemsize]
    digits = F.array_join(F.transform(numbers, lambda number: _digits(number, fitted.dtype)), "")
    return F.concat(F.lit(header), F.unhex(digits))


def _digits(number: Values, dtype: str) -> Values:
    """The hexadecimal digits of a number as it lies in memory."""
    if dtype == "uint8":
        return F.lpad(F.hex(number), 2, "0")
    digits = F.lpad(F.hex(_bits(number) if dtype == "float32" else number), 8, "0")
    return F.concat(*(F.substring(digits, start, 2) for start in (7, 5, 3, 1)))


def _bits(number: Values) -> Values:
    """The bits of a finite 32-bit float (IEEE 754), as a whole number; all of this is exact in doubles.

    A number of at least 2^-126 is m 2^e with m in [1, 2), and its bits, the sign apart, are (e + 126 + m) 2^23. Smaller
    ones are m 2^-126 with m in [0, 1), and the same holds with e = -126. Of -0 the sign is lost.
    """
    size = F.abs(number.cast("double"))
    near = F.floor(F.log2(size))  # one off, it may be, beside a power of two
    exponent = near + (size >= F.pow(F.lit(2.0), near + 1)).cast("int") - (size < F.pow(F.lit(2.0), near)).cast("int")
    exponent = F.greatest(F.coalesce(exponent, F.lit(-126)), F.lit(-126))
    bits = (exponent + 126 + size / F.pow(F.lit(2.0), exponent)) * 2**23
    return bits.cast("long") + F.when(number < 0, 2**31).otherwise(0)


def write_unischema(draft: Draft, split: str, files: list[DataFile], columns: list[Column], label: Label) -> None:
    """Write `_common_metadata` beside the files of a split: its Unischema, and how many row groups each file has."""
    from petastorm.etl.dataset_metadata import ROW_GROUPS_PER_FILE_KEY, UNISCHEMA_KEY
    from petastorm.utils import add_to_dataset_metadata

    from conf.petastorm.parquet import ParquetDataset

    dataset = ParquetDataset(f"{draft.hidden}/{split}", draft.system)
    groups = {file.path.removeprefix(f"{split}/"): len(file.row_groups) for file in files}
    add_to_dataset_metadata(dataset, UNISCHEMA_KEY, pickle.dumps(_unischema(columns, label)))
    add_to_dataset_metadata(dataset, ROW_GROUPS_PER_FILE_KEY, json.dumps(groups))


def _unischema(columns: list[Column], label: Label) -> Any:
    from petastorm.unischema import Unischema

    fields = []
    for each in columns:
        if isinstance(each, TensorColumn):
            fields.append(_tensor(each))
        else:
            kind = np.float32 if isinstance(each, NumberColumn) else np.int32
            fields += [_number(name, kind) for name in each.encoded]
    return Unischema("FeatureSet", [*fields, _number(label.name, np.int32 if label.classes else np.float32)])


def _number(name: str, kind: type[np.generic]) -> Any:
    from petastorm.unischema import UnischemaField

    return UnischemaField(name, kind, (), None, nullable=False)


def _tensor(column: TensorColumn) -> Any:
    from petastorm.codecs import NdarrayCodec
    from petastorm.unischema import UnischemaField

    kind = np.dtype(column.dtype).type
    if column.codec == "list":
        return UnischemaField(column.name, kind, (column.size,), None, nullable=False)
    return UnischemaField(column.name, kind, tuple(column.shape), NdarrayCodec(), nullable=False)
