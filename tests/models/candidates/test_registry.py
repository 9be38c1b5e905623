"""Candidates are found by name, in order of simplicity."""

import json
import subprocess
import sys

import pytest

from conf.contests import CANDIDATES
from conf.errors import FranklinError
from models.candidates import LOCAL, local_candidates, named


def test_they_come_in_order_of_simplicity() -> None:
    places = [each.simplicity for each in local_candidates()]
    assert places == sorted(places)
    assert [each.name for each in local_candidates()] == list(LOCAL)
    assert set(LOCAL) <= set(CANDIDATES)


def test_others_are_found_among_those_given() -> None:
    ridge = named("ridge")
    assert named("ridge", [ridge]) is ridge


@pytest.mark.parametrize(("name", "says"), [("xgbost", "did you mean 'xgboost'"), ("mlp", "is a network")])
def test_an_unknown_name_is_told(name: str, says: str) -> None:
    with pytest.raises(FranklinError, match=says):
        named(name)


def test_candidates_need_no_torch() -> None:
    code = "import sys, json, models.candidates as c; c.local_candidates(); print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning"} & set(json.loads(done.stdout))
