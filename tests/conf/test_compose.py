"""Configurations compose, and wrong words are answered with the nearest right one."""

from pathlib import Path

import pytest
import yaml

from conf.compose import compose, dump, groups, replace
from conf.errors import FranklinError
from conf.schema import Range, Settings, TunerName
from conf.strategies import StrategyName

NAMED = [name for name in groups()["experiment"] if name != "table"]
CHOICES = [
    (group, choice) for group, choices in groups().items() if group not in {"experiment", "data"} for choice in choices
]


# What a choice takes from the environment, for it cannot know.
NEEDED = {
    "connect": {"SPARK_REMOTE": "sc://host"},
    "k8s": {"SPARK_MASTER": "k8s://https://host:6443", "SPARK_IMAGE": "registry/spark"},
    "standalone": {"SPARK_MASTER": "spark://host:7077"},
    "yarn": {"HADOOP_CONF_DIR": "/etc/hadoop"},
    "spark": {"SPARK_MASTER": "spark://127.0.0.1:7077"},
}
NEEDED_DATA = {"cnn": "digits", "decoder": "text"}
BESIDE = {"spark": ["spark=standalone"]}


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {"YARN_CONF_DIR", *(name for needed in NEEDED.values() for name in needed)}:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("path: mine.csv\nlabel: y\n")
    return path


@pytest.mark.parametrize("experiment", NAMED)
def test_every_experiment_composes_and_survives_a_round_trip(experiment: str) -> None:
    settings = compose(experiment)
    assert settings.experiment == experiment
    assert Settings.model_validate(yaml.safe_load(dump(settings))) == settings


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_of_every_group_composes(group: str, choice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.get(choice, {}).items():
        monkeypatch.setenv(name, value)
    compose(NEEDED_DATA.get(choice, "flights_delay"), [f"{group}={choice}", *BESIDE.get(choice, [])])


def test_a_network_may_bring_a_space_of_its_own() -> None:
    plain = compose("flights_delay", ["tuner=tpe"]).tuner.space
    wider = compose("flights_delay", ["tuner=tpe", "model=ft_transformer"]).tuner.space
    assert wider.keys() - plain.keys() >= {"model.width", "model.attention_dropout"}
    assert wider["optimizer.learning_rate"] == Range(low=3e-5, high=3e-3, log=True)
    assert compose("digits", ["tuner=grid"]).tuner.space == plain


def test_the_typed_names_are_those_of_the_files() -> None:
    assert sorted(StrategyName.__args__) == groups()["strategy"]
    assert sorted(TunerName.__args__) == groups()["tuner"]


def test_an_own_table_needs_two_keys_and_its_path_counts_from_its_yaml(own: Path) -> None:
    settings = compose(str(own), ["trainer.max_epochs=3"])
    assert (settings.experiment, settings.data.name, settings.data.label) == ("mine", "mine", "y")
    assert settings.data.path == str(own.parent / "mine.csv")
    assert settings.trainer.max_epochs == 3


def test_later_overrides_win_and_values_are_yaml() -> None:
    settings = compose(
        "flights_delay", ["seed=1", "strategy=ddp", "model.hidden=[8, 4]", "seed=7", "optimizer.learning_rate=1e-2"]
    )
    assert (settings.seed, settings.model.hidden, settings.optimizer.learning_rate) == (7, [8, 4], 0.01)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("../c.csv",), "../c.csv needs a YAML file that says `path: ../c.csv` and `label: COLUMN`"),
        (("flights_delay", "max_epochs=1"), "did you mean 'trainer.max_epochs' or 'tuner.max_epochs'?"),
        (("flights_dealy",), "unknown experiment 'flights_dealy': did you mean 'flights_delay'?"),
        (("flights_delay", "strategy=FSDP"), "unknown strategy 'FSDP': did you mean 'fsdp'? known: async, auto"),
        (("flights_delay", "strategy=dpd"), "unknown strategy 'dpd': did you mean 'ddp'? known: async, auto"),
        (
            ("flights_delay", "trainer.max_epoch=3"),
            "unknown key 'trainer.max_epoch': did you mean 'trainer.max_epochs'?",
        ),
        (
            ("flights_delay", "strategy=async", "strategy.every=4"),
            "unknown key 'strategy.every': strategy=async has none, but strategy=local_sgd has",
        ),
        (("flights_delay", "strategy.names=4"), "unknown key 'strategy.names': did you mean 'strategy'?"),
        (("flights_delay", "model.width=64"), "model=mlp has none, but model=decoder, ft_transformer, resnet have"),
        (("flights_delay", "stratgy=ddp"), "unknown key 'stratgy': did you mean 'strategy'?"),
        (("flights_delay", "trainer.max_epochs=many"), "trainer.max_epochs: must be a whole number, not 'many'"),
        (("flights_delay", "model.hidden=[]"), "model.hidden: must have 1 or more entries, not []"),
        (("flights_delay", "model.hidden=64"), "model.hidden: must be a list such as [64,32], not 64"),
        (("flights_delay", "feed.memory=4gb"), "feed.memory: must be like 512m or 4g, not '4gb'"),
        (("flights_delay", "launcher.address=a"), "launcher.address: must be HOST:PORT, not 'a'"),
        (("flights_delay", "resume=5"), "resume: must be a path, not 5"),
        (
            ("flights_delay", "optimizer.learning_rate=.inf"),
            "optimizer.learning_rate: must be a finite number, not inf",
        ),
        (("flights_delay", "feed=3"), "unknown feed '3'"),
        (("flights_delay", "data.split=3"), "data.split: must be a mapping, {key: value}, not 3"),
        (("flights_delay", "trainer.precision=fp8"), "trainer.precision: must be '32-true' or 'bf16-mixed', not 'fp8'"),
        (("flights_delay", "trainer.max_epochs=0"), "trainer.max_epochs: must be greater than 0, not 0"),
        (("flights_delay", "strategy"), "'strategy' is no override: write group=choice or key=value"),
        (("flights_delay", "experiment=x"), "the experiment is the first argument"),
        (("flights_delay", "seed=[1"), "'seed=[1': the value is no YAML"),
        (("flights_delay", "strategy.world_size=2"), "strategy=single has one rank, not 2"),
        (
            ("flights_delay", "data.split.test_from=2013-01-01"),
            "data.split: validation_from (2013-09-01) must be before test_from",
        ),
        (("flights_delay", "tuner.space.trainer.patient={choices: [1]}"), "tuner.space: unknown key 'trainer.patient'"),
        (("flights_delay", "tuner.space.data.rare_below={choices: [1]}"), "no trial can change 'data.rare_below'"),
        (("flights_delay", "tuner.space.model.embedding_max={low: 4, high: 9}"), "takes whole numbers; write {choices"),
        (("flights_delay", "strategy.name=ddp"), "'strategy.name=ddp': choose it by strategy=ddp"),
        (
            ("flights_delay", "model=cnn"),
            "model=cnn takes one tensor column [channels, height, width], and flights has none; say model=mlp",
        ),
        (
            ("digits", "data.columns.image={kind: tensor, shape: [64]}"),
            "model=cnn takes one tensor column [channels, height, width], and digits has image [64]; say model=mlp",
        ),
        (
            ("digits", "model=mlp", "data.columns.image={kind: tensor, shape: [64], dtype: int32}"),
            "model=mlp takes no tokens, and image of digits is int32; say dtype: float32 if these are amounts",
        ),
        (
            ("flights_delay", "model=ft_transformer", "model.heads=5"),
            "model: 5 heads cannot share a width of 192 equally; take model.width=190",
        ),
        (("text", "model=mlp"), "model=mlp takes no text, as text is one; say model=decoder"),
        (
            ("flights_delay", "model=decoder"),
            "model=decoder takes a text and nothing else, and flights is none; say model=mlp",
        ),
        (("text", "data.task=null"), "task=sequence and source=text go together"),
        (
            ("text", "data.columns.text={kind: text}"),
            "data.columns.text.length: ",
        ),
        (("text", "data.columns={}"), "a column of kind text is the label of task=sequence"),
        (
            ("flights_delay", "data.columns={carrier: {kind: text, length: 8}}"),
            "a column of kind text is the label of task=sequence",
        ),
        (("text", "data.window=3d"), "source=text knows no days"),
        (("table",), "data.path is not set: describe your table"),
        (
            ("flights_delay", "spark=standalone"),
            "spark.master: not set: say spark.master=spark://HOST:7077, or export SPARK_MASTER",
        ),
        (
            ("flights_delay", "spark=k8s", "spark.master=spark://h", "spark.image=i"),
            "spark.master: must start with k8s://",
        ),
        (("flights_delay", "spark=yarn"), "spark.hadoop_conf: not set: export HADOOP_CONF_DIR"),
        (("flights_delay", "spark=connect", "spark.remote=sc://h/;token=x"), "to SPARK_CONNECT_AUTHENTICATE_TOKEN"),
        (("flights_delay", "spark=connect", "spark.remote=sc://h", "spark.jars=[s3://x]"), "s3://x is a URL"),
        (("flights_delay", "spark.master=spark://h"), "or choose spark=standalone, yarn, k8s or connect"),
        (
            ("flights_delay", "spark.conf.spark.hadoop.fs.s3a.secret.key=x"),
            "would be written into logs: write env:NAME",
        ),
        (
            ("flights_delay", "data.columns={date_of_birth: {kind: numeric, scaling: x}}"),
            "data.columns.date_of_birth.scaling: ",
        ),
        (("flights_delay", "data.split={by: group, column: a, validation: 2, test: 0.1}"), "data.split.validation: "),
        (("flights_delay", "spark.memory=400m"), "spark.memory: Spark does not start with less than 512m"),
        (("flights_delay", "spark.executors=2"), "unknown key 'spark.executors'"),
        (("nowhere.yaml",), "no such file: nowhere.yaml"),
    ],
)
def test_a_wrong_word_gets_one_line_with_the_way_out(arguments: tuple[str, ...], line: str) -> None:
    with pytest.raises(FranklinError) as error:
        compose(arguments[0], arguments[1:])
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "holds no keys: it needs at least `path: FILE` and `label: COLUMN`"),
        ("label: y", "data.path is not set"),
        ("path: x.csv\nlabbel: y", "unknown key 'data.labbel': did you mean 'data.label'"),
        ("path: [", "can't be read as YAML"),
        (
            "path: x.csv\nlabel: y\ntask: clasification",
            "data.task: must be 'binary', 'multiclass', 'regression' or 'sequence'",
        ),
    ],
)
def test_a_wrong_yaml_of_ones_own_names_its_mistake(own: Path, text: str, line: str) -> None:
    own.write_text(text)
    with pytest.raises(FranklinError) as error:
        compose(str(own))
    assert line in str(error.value)


def test_settings_of_spark_are_text_whatever_yaml_makes_of_them() -> None:
    values = ["spark.conf.spark.task.cpus=2", "spark.conf.spark.speculation=true", "spark.conf.spark.x=a"]
    assert compose("flights_delay", values).spark.conf == {
        "spark.task.cpus": "2",
        "spark.speculation": "true",
        "spark.x": "a",
    }


def test_a_fraction_that_is_written_as_a_whole_number_is_one() -> None:
    settings = compose("flights_delay", ["model.dropout=0", "optimizer.weight_decay=0"])
    assert settings.tuner.space.keys() >= {"model.dropout"}


def test_replace_validates() -> None:
    settings = compose("flights_delay")
    assert replace(settings, {"optimizer.learning_rate": 0.5}).optimizer.learning_rate == 0.5
    with pytest.raises(FranklinError, match=r"optimizer\.learning_rate"):
        replace(settings, {"optimizer.learning_rate": -1.0})
