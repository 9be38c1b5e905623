"""From an experiment and overrides to validated settings, with errors that name the nearest valid word."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from conf.complaints import complaint, nearest
from conf.errors import FranklinError
from conf.places import is_url
from conf.schema import Settings
from conf.strategies import AnyStrategy, StrategyName

ROOT = Path(__file__).parent
TABLE = "table"
TABLE_SUFFIXES = (".csv", ".parquet", ".orc", ".json", ".jsonl", ".ndjson", ".zip", ".gz", ".tsv", ".txt")
OPEN_MAPPINGS = (
    "data.columns",
    "data.checks.columns",
    "data.options",
    "data.split",
    "model.values",
    "spark.conf",
    "tuner.space",
)
MISSING = "???"
SEARCHED = ("model", "optimizer", "feed", "trainer")  # what a trial can change: the feature set stays


def groups() -> dict[str, list[str]]:
    """Every configuration group with its choices."""
    folders = sorted(path for path in ROOT.iterdir() if any(path.glob("*.yaml")))
    return {f.name: sorted(p.stem for p in f.glob("*.yaml") if not p.stem.startswith("_")) for f in folders}


def compose(experiment: str, overrides: Sequence[str] = ()) -> Settings:
    """Compose and validate the settings of one run.

    Args:
        experiment: a name under `conf/experiment`, or the path of a YAML file that describes a table of your own.
        overrides: `group=choice` or `key=value`, the later the stronger.

    Raises:
        FranklinError: an unknown word (with the nearest valid one), or a value that the settings refuse.

    """
    own_table = experiment.endswith((".yaml", ".yml"))
    name = TABLE if own_table else experiment
    if Path(experiment).suffix in TABLE_SUFFIXES or (not own_table and Path(experiment).is_dir()):
        raise FranklinError(
            f"{experiment} needs a YAML file that says `path: {experiment}` and `label: COLUMN`: run that"
        )
    if name != TABLE:
        _check_word("experiment", name, [known for known in groups()["experiment"] if known != TABLE])
    choices, values = _sort_overrides(overrides)
    with initialize_config_dir(str(ROOT), version_base="1.3"):
        composed = hydra_compose("config", [f"experiment={name}", *choices])
    tree = cast("dict[str, Any]", OmegaConf.to_container(composed, resolve=True))
    if own_table:
        _lay_over(tree, _own_table(Path(experiment)))
    _lay_over(tree, values)
    _check_complete(tree)
    tree["home"] = _absolute(tree["home"])
    settings = _validate(tree)
    _check_space(settings.model_dump())  # whose numbers have the types of their keys
    return settings


def replace(settings: Settings, values: dict[str, Any]) -> Settings:
    """The same settings with other values of some keys, such as `optimizer.learning_rate`.

    Raises:
        FranklinError: an unknown key, or a value that the settings refuse.

    """
    tree = settings.model_dump()
    _lay_over(tree, values)
    return _validate(tree)


def shipped(name: StrategyName, world_size: int | None) -> AnyStrategy:
    """A strategy as `conf/strategy` has it, over so many ranks; `single` has one, whatever is said."""
    tree = yaml.safe_load((ROOT / "strategy" / f"{name}.yaml").read_text(encoding="utf-8"))
    ranks = {} if name == "single" else {"world_size": world_size}
    strategy: AnyStrategy = TypeAdapter(AnyStrategy).validate_python(tree | ranks)
    return strategy


def default_home() -> Path:
    """Franklin's home unless a run says otherwise: FRANKLIN_HOME, or `.franklin` in the working directory."""
    return Path(_absolute(OmegaConf.load(ROOT / "config.yaml").home))


def dump(settings: Settings) -> str:
    """The settings as YAML, in the order of the tree."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _absolute(path: str) -> str:
    if "://" in path:
        raise FranklinError(
            f"home={path}: franklin's home is a local folder; data.path and tracking.uri may be far away"
        )
    return str(Path(path).expanduser().absolute())


def _validate(tree: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise FranklinError(complaint(error, tree)) from None


def _check_word(group: str, word: str, known: list[str]) -> None:
    if word not in known:
        raise FranklinError(f"unknown {group} '{word}': {nearest(word, known)}")


def _sort_overrides(overrides: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Part the group choices, which Hydra composes, from the values, which are laid over the result."""
    choices: list[str] = []
    values: dict[str, Any] = {}
    known = groups()
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key:
            raise FranklinError(f"'{override}' is no override: write group=choice or key=value")
        if key == "experiment":
            raise FranklinError(f"'{override}': the experiment is the first argument: franklin run {value}")
        group, _, part = key.partition(".")
        if part == "name" and group in known and group != "data":
            raise FranklinError(f"'{override}': choose it by {group}={value}, which brings the rest of its settings")
        if key in known:
            _check_word(key, value, known[key])
            choices.append(override)
        else:
            values[key] = _parse(override, value)
    return choices, values


def _parse(override: str, value: str) -> Any:
    try:
        parsed = OmegaConf.to_container(OmegaConf.create(f"value: {value}"), resolve=True)
    except (yaml.YAMLError, OmegaConfBaseException):
        raise FranklinError(f"'{override}': the value is no YAML; put quotes around it") from None
    return cast("dict[str, Any]", parsed)["value"]


def _own_table(path: Path) -> dict[str, Any]:
    """The keys of a person's own YAML as `data.*` values, those below `contest` as they are.

    Relative paths count from the YAML's folder.
    """
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except FileNotFoundError:
        beside = sorted(p.name for p in path.parent.glob("*.y*ml"))
        raise FranklinError(f"no such file: {path}; in its folder: {nearest(path.name, beside)}") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as error:
        mark = getattr(error, "problem_mark", None)
        last = len(path.read_bytes().splitlines()) if mark else 0
        place = f"{path}, line {min(mark.line + 1, last)}" if mark else str(path)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise FranklinError(f"{place} can't be read as YAML ({reason}); write lines of `key: value`") from None
    if not isinstance(content, dict) or not content:
        raise FranklinError(f"{path} holds no keys: it needs at least `path: FILE` and `label: COLUMN`")
    contest = content.pop("contest", None) or {}
    if not isinstance(contest, dict):
        raise FranklinError(f"{path}: contest must be a mapping, such as `contest: {{folds: 3}}`")
    values: dict[str, Any] = {f"data.{key!s}": value for key, value in content.items()}
    values |= {f"contest.{key!s}": value for key, value in contest.items()}
    name = values["experiment"] = values["data.name"] = content.get("name", path.stem)
    if name in groups()["experiment"]:
        raise FranklinError(f"{path}: '{name}' is an experiment of franklin's own; say another `name:`")
    if "path" in content:
        values["data.path"] = _counted_from(path.parent, content["path"])
    joins = content.get("joins")
    if isinstance(joins, list):
        values["data.joins"] = [
            {**join, "path": _counted_from(path.parent, join["path"])}
            if isinstance(join, dict) and "path" in join
            else join
            for join in joins
        ]
    return values


def _counted_from(folder: Path, path: object) -> object:
    return str((folder / path).absolute()) if isinstance(path, str) and not is_url(path) else path


def _lay_over(tree: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        opened = next((name for name in OPEN_MAPPINGS if key.startswith(f"{name}.")), None)
        path = [*opened.split("."), key.removeprefix(f"{opened}.")] if opened else key.split(".")
        node: Any = tree
        for part in path[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if not isinstance(node, dict) or (path[-1] not in node and not opened):
            raise FranklinError(f"unknown key '{key}': {_elsewhere(key, tree)}")
        node[path[-1]] = value


def _elsewhere(key: str, tree: dict[str, Any]) -> str:
    """Say which choices of its group have a key that the chosen one lacks, or else what is spelt nearest."""
    group, _, name = key.partition(".")
    contents = {
        choice: yaml.safe_load((ROOT / group / f"{choice}.yaml").read_text(encoding="utf-8"))
        for choice in groups().get(group, [])
    }
    have = [choice for choice, content in contents.items() if name in content.get(group, content)]
    if have and isinstance(tree[group], dict) and "name" in tree[group]:
        verb = "has" if len(have) == 1 else "have"
        return f"{group}={tree[group]['name']} has none, but {group}={', '.join(have)} {verb}"
    chosen = {f"{each}.name" for each in groups()}  # which no key sets
    return nearest(key, (name for name, _ in _items(tree) if name not in chosen))


def _items(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        yield f"{prefix}{key}", value
        if isinstance(value, dict):
            yield from _items(value, f"{prefix}{key}.")


def _check_complete(tree: dict[str, Any]) -> None:
    for name in ("path", "label"):
        if tree["data"][name] == MISSING:
            raise FranklinError(
                f"data.{name} is not set: describe your table in a YAML file (`path: FILE`, `label: COLUMN`)"
            )


def _check_space(tree: dict[str, Any]) -> None:
    if tree["model"]["name"] == "selected":  # whose keys nobody knows before it is a network
        return
    known = dict(_items(tree))
    for key, values in tree["tuner"]["space"].items():
        if key not in known:
            raise FranklinError(f"tuner.space: unknown key '{key}': {nearest(key, known)}")
        if key.partition(".")[0] not in SEARCHED:
            raise FranklinError(f"tuner.space: no trial can change '{key}'; search keys of {', '.join(SEARCHED)}")
        if isinstance(values, dict) and "low" in values and isinstance(known[key], int):
            raise FranklinError(
                f"tuner.space: '{key}' takes whole numbers; write {{choices: [...]}} in place of a range"
            )
