"""`model=selected` is what the newest contest of an experiment has recommended; what makes no contest is told early."""

import logging
import os
import re
from pathlib import Path
from uuid import uuid4

import pytest

from conf.errors import FranklinError
from conf.networks import Member, Resnet, Selected
from flows.contestants import contest_settings, networks, spelt
from flows.display import Log, display
from flows.engines import to_fit
from flows.pipeline import pipeline
from flows.selection import TAKEN, Selection, idle, keep, kept, learning, learns, newest_blind, settled
from models.parallel.room import ranks_of
from tests.flows.command import complaint, franklin


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRANKLIN_HOME", str(tmp_path))
    return tmp_path


def selection(home: Path, **others: object) -> Selection:
    one = Selection(candidate="ridge", values={}, overrides=[], folder=home / "runs" / "1" / "contest", run_id="1")
    return one.model_copy(update=others)


def test_without_a_contest_there_is_nothing_to_take(home: Path) -> None:
    with pytest.raises(FranklinError, match=r"no contest of flights_delay .*run `franklin select flights_delay`"):
        settled("flights_delay", ["model=selected"])
    assert kept(home, "flights_delay") is None
    assert settled("flights_delay").model.name == "mlp"


def test_a_candidate_is_taken_with_its_settings_and_one_may_be_named(home: Path) -> None:
    keep(home, "flights_delay", selection(home, values={"strength": 0.5}))
    model = settled("flights_delay", ["model=selected"]).model
    assert model == Selected(name="selected", candidate="ridge", values={"strength": 0.5})
    other = settled("flights_delay", ["model=selected", "model.values.strength=2"]).model
    assert other == Selected(name="selected", candidate="ridge", values={"strength": 2})
    named = settled("flights_delay", ["model=selected", "model.candidate=lasso"]).model
    assert named == Selected(name="selected", candidate="lasso", values={})
    with pytest.raises(FranklinError, match="no contest of flights_airtime"):
        settled("flights_airtime", ["model=selected"])


def test_an_ensemble_is_taken_with_its_members_and_asked_for_with_how_its_networks_learn(
    home: Path, tmp_path: Path
) -> None:
    learned = learns(settled("flights_delay", ["model=resnet", "trainer.max_epochs=3", "feed.batch_size=512"]))
    members = [
        Member(candidate="lightgbm", weight=0.6, values={"leaves": 7}, rows=1000),
        Member(candidate="resnet", weight=0.4, values={"model.blocks": 2}, learning=learned),
    ]
    keep(home, "flights_delay", selection(home, candidate="ensemble", members=members))
    settings = settled("flights_delay", ["model=selected"])
    assert isinstance(settings.model, Selected)
    assert settings.model.members == members
    asked = to_fit(settings, tmp_path, "features")
    train = asked.networks["resnet"]
    assert (train.model.name, train.trainer.max_epochs, train.feed.batch_size) == ("resnet", 3, 512)
    assert (asked.networks.keys(), train.strategy, train.track) == ({"resnet"}, settings.strategy, None)
    (line,) = idle(settings, ["model=selected", "trainer.max_epochs=1", "seed=3"])
    assert line == "  without effect on ensemble, whose networks learn as in the contest: trainer.max_epochs=1"
    assert idle(settings, ["model=selected", "seed=3"]) == []
    assert idle(settings, ["feed.memory=1g"]) == []  # by which it is judged
    assert idle(settled("flights_delay"), ["trainer.max_epochs=1"]) == []
    named = settled("flights_delay", ["model=selected", "model.candidate=ridge"])
    assert idle(named, ["optimizer=adamw"]) == ["  without effect on ridge, which has no network: optimizer=adamw"]
    with pytest.raises(FranklinError, match="an ensemble has the members that a contest has found"):
        settled("flights_airtime", ["model=selected", "model.candidate=ensemble"])


def test_a_network_is_composed_as_it_learned_and_what_is_said_is_stronger(home: Path) -> None:
    said = ["contest.folds=3", "trainer.max_epochs=5", "feed.batch_size=512", "seed=7"]
    assert learning(said) == ["trainer.max_epochs=5", "feed.batch_size=512"]
    values = {"model.blocks": 2, "optimizer.learning_rate": 0.004}
    keep(home, "flights_delay", selection(home, candidate="resnet", values=values, overrides=learning(said)))
    settings = settled("flights_delay", ["model=selected", "tuner=tpe", "feed.batch_size=256"])
    assert isinstance(settings.model, Resnet)
    assert (settings.model.blocks, settings.optimizer.learning_rate) == (2, 0.004)
    assert (settings.trainer.max_epochs, settings.feed.batch_size) == (5, 256)
    assert "model.width" in settings.tuner.space


def test_a_run_that_is_tried_again_or_resumed_takes_what_it_took_whatever_was_chosen_meanwhile(home: Path) -> None:
    values = {"model.blocks": 2}
    keep(home, "flights_delay", selection(home, candidate="resnet", values=values))
    first = settled("flights_delay", ["model=selected"], run="1")
    keep(home, "flights_delay", selection(home))
    assert settled("flights_delay", ["model=selected"], run="1") == first
    resumed = ["model=selected", f"resume={home / 'runs' / '1'}"]
    assert settled("flights_delay", resumed).model == first.model
    assert settled("flights_delay", resumed, run="2").model == first.model
    again = ["model=selected", f"resume={home / 'runs' / '2'}"]
    assert settled("flights_delay", again, run="3").model == first.model
    newer = Selected(name="selected", candidate="ridge", values={})
    assert settled("flights_delay", ["model=selected"], run="4").model == newer
    assert settled("flights_delay", ["model=selected"]).model == newer


def test_the_flow_keeps_what_it_took_in_the_folder_of_its_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number, deployment = str(uuid4()), str(uuid4())
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", number)
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", deployment)
    keep(home, "flights_delay", selection(home, candidate="lasso"))
    shown = display.set(Log(logging.getLogger(__name__)))
    for candidate in ("lasso", "ridge"):  # the second time, as if it were tried again
        keep(home, "flights_delay", selection(home, candidate=candidate))
        with pytest.raises(FranklinError, match=r"127\.0\.0\.1:9"):  # where no MLflow is
            pipeline.fn("flights_delay", overrides=["model=selected", "tracking.uri=http://127.0.0.1:9"])
        taken = Selection.model_validate_json((home / "runs" / number / TAKEN).read_text(encoding="utf-8"))
        assert taken.candidate == "lasso"
    display.reset(shown)


def test_a_blind_contest_waits_for_a_choice(home: Path) -> None:
    with pytest.raises(FranklinError, match=r"no contest in .* waits for a choice"):
        newest_blind(home)
    keep(home, "flights_delay", selection(home, candidate=None))
    assert newest_blind(home) == home / "runs" / "1" / "contest"
    with pytest.raises(FranklinError, match=r"nobody has chosen; read .*report\.html and run `franklin choose LETTER`"):
        settled("flights_delay", ["model=selected"])


OLDER = ['{"candidate": %s, "folder": "runs/1/contest", "of_long_ago": 1}', '{"candidate": %s}']


@pytest.mark.parametrize("older", [*(each % "null" for each in OLDER), "", "[]", "\x80"])
def test_a_contest_of_another_version_that_may_wait_is_named_with_the_way_out(home: Path, older: str) -> None:
    keep(home, "flights_airtime", selection(home, candidate=None))
    file = home / "contests" / "flights_delay.json"
    file.write_bytes(older.encode("latin-1"))
    line = f"{file} is of another version of franklin, or damaged: hold the contest of flights_delay again with "
    for ask in (lambda: newest_blind(home), lambda: settled("flights_delay", ["model=selected"])):
        with pytest.raises(FranklinError, match=re.escape(line)) as told:
            ask()
        assert "\n" not in str(told.value)
    os.utime(file, (1, 1))  # older than another one that waits, it is in nobody's way
    assert newest_blind(home) == home / "runs" / "1" / "contest"
    keep(home, "flights_delay", selection(home))  # as one that is held again
    assert settled("flights_delay", ["model=selected"]).model.name == "selected"


@pytest.mark.parametrize("older", [each % '"ridge"' for each in OLDER])
def test_a_contest_of_another_version_that_waits_for_nobody_is_in_nobodys_way(home: Path, older: str) -> None:
    keep(home, "flights_airtime", selection(home, candidate=None))
    (home / "contests" / "flights_delay.json").write_text(older, encoding="utf-8")
    assert newest_blind(home) == home / "runs" / "1" / "contest"


def test_choose_tells_what_it_cannot_read_in_one_line(home: Path) -> None:
    findings = home / "runs" / "1" / "contest" / "findings.json"
    findings.parent.mkdir(parents=True)
    findings.write_text('{"experiment": "flights_delay", "of_long_ago": 1}', encoding="utf-8")
    keep(home, "flights_delay", selection(home, candidate=None))
    said = complaint(franklin("choose", "A", home=home))
    assert said.endswith(
        f"{findings} is of another version of franklin, or damaged: hold the contest again with `franklin select`, "
        "or say --run FOLDER of another one"
    )


@pytest.mark.parametrize("words", [["model=selected"], ["model=selected", "model.candidate=ridge"]])
def test_there_is_no_plan_of_what_is_no_network_and_that_is_said_before_anything_starts(
    home: Path, words: list[str]
) -> None:
    keep(home, "flights_delay", selection(home))
    said = complaint(franklin("plan", "flights_delay", *words, home=home))
    assert "model=selected is ridge, which is no network" in said
    assert "`franklin run` fits it, and model=mlp or another network has a plan" in said
    assert [each.name for each in home.iterdir()] == ["contests"]


@pytest.mark.parametrize(
    ("experiment", "overrides", "told"),
    [
        ("flights_delay", ["contest.candidates=[rigde]"], "did you mean 'ridge'"),
        ("flights_airtime", ["contest.candidates=[logistic_regression]"], "did you mean 'linear_regression'"),
        ("flights_delay", ["contest.candidates=[cnn]"], "cnn can't take part: .* takes one tensor column"),
        ("flights_delay", ["budget_second=3"], "did you mean 'contest.budget_seconds'"),
        ("flights_delay", ["budget_seconds=0"], "contest.budget_seconds: "),
        ("flights_delay", ["model=resnet"], r"say contest.candidates=\[resnet\]"),
        (
            "flights_airtime",
            ["contest.costs={false_positive: 1, false_negative: 2}"],
            "contest.costs are of two classes, and the task is regression",
        ),
        ("flights_delay", ["strategy=auto"], "strategy=auto plans for one network"),
        ("flights_delay", ["tuner=tpe"], "leave it out"),
        ("flights_delay", ["resume=runs/1"], "a contest that is retried goes on by itself"),
        ("text", [], "text is of sequences.*franklin run text"),
    ],
)
def test_what_makes_no_contest_is_told_in_one_line(experiment: str, overrides: list[str], told: str) -> None:
    words = spelt(overrides)
    with pytest.raises(FranklinError, match=told) as error:
        networks(experiment, words, contest_settings(experiment, words))
    assert "\n" not in str(error.value)


def test_short_words_are_those_of_the_contest() -> None:
    said = spelt(["budget_seconds=60", "blind=true", "engine=spark", "contest.folds=3", "seed=2"])
    settings = contest_settings("flights_delay", said)
    assert (settings.contest.budget_seconds, settings.contest.blind, settings.contest.engine) == (60, True, "spark")
    assert (settings.contest.folds, settings.seed) == (3, 2)


def test_networks_that_suit_take_part_by_the_strategy_that_was_chosen() -> None:
    words = ["strategy=tensor", "trainer.max_epochs=2"]
    found, _ = networks("flights_delay", words, contest_settings("flights_delay", words))
    assert {"mlp", "resnet", "ft_transformer"} <= found.keys()
    assert "cnn" not in found
    assert {each.strategy.name for each in found.values()} == {"tensor"}
    assert {each.trainer.max_epochs for each in found.values()} == {2}
    assert {"cnn", "mlp"} <= networks("digits", [], contest_settings("digits", []))[0].keys()


def test_a_recipe_of_regressions_is_used_where_one_was_inferred_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "visits.yaml").write_text("path: visits.csv\nlabel: cost\n")
    experiment, rate = str(tmp_path / "visits.yaml"), ["optimizer.learning_rate=0.1"]
    settings = contest_settings(experiment, [])
    rates = [
        networks(experiment, words, settings, task)[0]["realmlp"].optimizer.learning_rate
        for words, task in (([], None), ([], "binary"), ([], "regression"), (rate, "regression"))
    ]
    assert rates == [0.04, 0.04, 0.2, 0.1]
    known, _ = networks("flights_airtime", [], contest_settings("flights_airtime", []))
    assert known["realmlp"].optimizer.learning_rate == 0.2


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["strategy=ddp"], "ridge, fitted in one process: strategy=ddp is for networks"),
        (["tuner=tpe"], "tuner=tpe is for networks, and the contest has tried settings already"),
        (["launcher.nodes=2", "launcher.address=a:1"], "it takes launcher=torchrun and launcher.nodes=1"),
        (["model.candidate=mlp"], "model.candidate=mlp is a network; say model=mlp"),
        (["model.candidate=rigde"], "did you mean 'ridge'"),
    ],
)
def test_what_only_networks_can_do_is_not_asked_of_others(home: Path, overrides: list[str], told: str) -> None:
    keep(home, "flights_delay", selection(home))
    with pytest.raises(FranklinError, match=told):
        ranks_of(settled("flights_delay", ["model=selected", *overrides]))
