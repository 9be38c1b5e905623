"""What is wrong with settings, in words for a person."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from pydantic import ValidationError

from conf.errors import closest
from conf.strict import LOOKS

LISTED_AT_MOST = 12
WORDS = dict(LOOKS.values())
WHOLE, NUMBER, SWITCH = "must be a whole number", "must be a number", "must be true or false"
MUST_BE = {  # Pydantic's kinds of errors whose own words speak of its parser
    "int_parsing": WHOLE,
    "int_type": WHOLE,
    "int_from_float": WHOLE,
    "float_parsing": NUMBER,
    "float_type": NUMBER,
    "bool_parsing": SWITCH,
    "bool_type": SWITCH,
    "string_type": "must be text",
    "list_type": "must be a list such as [64,32]",
    "dict_type": "must be a mapping, {{key: value}}",
    "model_type": "must be a mapping, {{key: value}}",
    "model_attributes_type": "must be a mapping, {{key: value}}",
    "path_type": "must be a path",
    "too_short": "must have {min_length} or more entries",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as `did you mean 'ddp'? known: ddp, fsdp, single`."""
    known = sorted(known)
    close = [key for key in known if key.endswith(f".{word}")] or [key for key in [closest(word, known)] if key]
    guess = f"did you mean {' or '.join(repr(key) for key in close)}? " if close else ""
    every = "`franklin config EXPERIMENT` prints every one"
    listed = f"known: {', '.join(known)}" if len(known) <= LISTED_AT_MOST else every
    return guess + listed if known else "there is none"


def complaint(error: ValidationError, tree: Any) -> str:
    """The first complaint of a validation of `tree` in one line, and how many more there are."""
    first, *others = error.errors(include_url=False)
    where = ".".join(_keys(first["loc"], tree, missing=first["type"] == "missing"))
    said, more = first["msg"].removeprefix("Value error, "), f" (and {len(others)} more)" if others else ""
    match first["type"]:
        case "value_error":
            pass
        case "missing":
            also = [each for each in others if each["type"] == "missing"]
            where = ", ".join([where, *(".".join(_keys(each["loc"], tree, missing=True)) for each in also)])
            said, more = f"not set{' (each of them)' if also else ''}", ""
        case "union_tag_invalid":
            kind, word = first["ctx"]["discriminator"].strip("'"), first["ctx"]["tag"]
            known = first["ctx"]["expected_tags"].replace("'", "").split(", ")
            said = f"there is no {kind} '{word}': {nearest(word, known)}"
        case "string_pattern_mismatch" if words := WORDS.get(first["ctx"]["pattern"]):
            said = f"must be {words}, not {first['input']!r}"
        case kind if kind in MUST_BE:
            said = f"{MUST_BE[kind].format(**first.get('ctx', {}))}, not {first['input']!r}"
        case _:
            said = f"{said.replace('Input should be', 'must be')}, not {first['input']!r}"
    return f"{where and where + ': '}{said}{more}"


def _keys(location: Sequence[str | int], tree: Any, *, missing: bool) -> Iterator[str]:
    """Those parts of a location that a person has written; Pydantic also names the members of unions on the way."""
    for number, part in enumerate(location):
        there = part in tree if isinstance(tree, dict) else isinstance(tree, list) and isinstance(part, int)
        if there:
            tree = tree[cast("Any", part)]
            yield str(part)
        elif missing and number + 1 == len(location):
            yield str(part)
