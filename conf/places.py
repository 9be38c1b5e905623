"""Where rows are: files on any file system, or a table of a database; and tables that are joined to the first."""

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.strict import Name, Strict, Text

Format = Literal["csv", "jsonl", "parquet", "orc", "jdbc"]
ENVIRONMENT = "env:"
# Names of options whose values are secrets; keygen and key size of an encryption are none.
SECRET = re.compile(
    r"(?i)secret|passw|pwd|token|(access|account|private)[._-]?key|encryption[._-]?key(?!gen|size)|[._-]sas\b"
)
WITHIN = re.compile(r"([\w.-]+)\s*=\s*[\"']?(?=([^\s,;&\"']+))")  # such as a flag for Java in an option's value
# What franklin sets itself, and what would pass over files or lines without a word; in lower case.
KEPT = (
    *("url", "dbtable", "query", "basepath", "header", "inferschema", "mode", "columnnameofcorruptrecord"),
    *("columnpruning", "ignorecorruptfiles", "ignoremissingfiles", "pathglobfilter", "recursivefilelookup"),
    *("modifiedbefore", "modifiedafter"),
)
URL = re.compile(r"[a-zA-Z][\w+.-]*:/|jdbc:")
SECRET_IN_ADDRESS = re.compile(
    r"(?i)[?&;]\s*\w*(secret|passw|pwd|token|sig)\w*\s*=|^[\w:+.-]+://[^/@?]*:[^/@?]+@|^jdbc:oracle:\w+:[^/@]+/[^@]+@"
)


def is_url(path: str) -> bool:
    """Whether a path says its file system, or is of a database; a plain one is of this machine."""
    return URL.match(path) is not None


def without_secrets(options: dict[str, str]) -> dict[str, str]:
    """Refuse options that are secrets, by their names or by names within their values, and are written out."""
    for name, value in options.items():
        if value.startswith(ENVIRONMENT):
            continue
        within = any(_is_secret(*pair) for pair in WITHIN.findall(value)) or SECRET_IN_ADDRESS.search(value)
        if within or _is_secret(name, value):
            raise ValueError(f"'{name}' would be written into logs: write env:NAME, and set NAME where the job runs")
    return options


def _is_secret(name: str, value: str) -> bool:
    """Whether an option is a secret, and not where one is or whether there are any."""
    harmless = name.lower().endswith(("file", "provider")) or value.lower() in ("true", "false")
    return not harmless and SECRET.search(name) is not None


class Place(Strict):
    """Where rows are."""

    path: str | None = Field(
        description="file or folder, any URL of Hadoop's or fsspec's file systems, or jdbc:...; "
        "null: the data that the package carries"
    )
    format: Format | None = Field(default=None, description="null: by the path")
    table: str | None = Field(default=None, description="of a database: a table, or `(select ...) as t`")
    options: dict[str, Text] = Field(
        default={}, description="of Spark's reader, passed through; `env:NAME` is taken from the environment"
    )
    version: Text | None = Field(
        default=None,
        description="a word that stands for the contents, such as their date, where nobody can tell them unread: of a "
        "database, or of files that Python cannot list; null: those are read anew by every run",
    )

    @property
    def of_database(self) -> bool:
        """Whether rows come from a database."""
        return self.format == "jdbc" or (self.path or "").startswith("jdbc:")

    @property
    def local(self) -> bool:
        """Whether this machine's own disks have it."""
        return self.path is None or self.path.startswith("file:") or not is_url(self.path)

    @field_validator("path")
    @classmethod
    def _has_no_secret(cls, path: str | None) -> str | None:
        if path and SECRET_IN_ADDRESS.search(path):
            raise ValueError("a password here would be written into logs: say it by `options`, as `env:NAME`")
        return path

    @field_validator("options")
    @classmethod
    def _have_no_secret(cls, options: dict[str, str]) -> dict[str, str]:
        for name in options:
            if name.lower() in KEPT:
                raise ValueError(f"'{name}' is not to be set: franklin does, or rows would be passed over unseen")
        return without_secrets(options)

    @model_validator(mode="after")
    def _table_is_of_a_database(self) -> Self:
        if self.of_database and (not (self.path or "").startswith("jdbc:") or not self.table):
            raise ValueError("a database needs `path: jdbc:...` and `table`")
        if self.table and not self.of_database:
            raise ValueError("`table` is for a database, whose path starts with jdbc:")
        return self


class Join(Place):
    """A further table: each row gets the one row there with the same key, its columns named `NAME_column`."""

    name: Name
    on: list[str] | dict[str, str] = Field(min_length=1, description="key columns; {here: there} if named otherwise")
    unmatched: Literal["keep", "quarantine"] = Field(default="keep", description="rows that have no such row")

    @model_validator(mode="before")
    @classmethod
    def _on_is_no_truth(cls, said: Any) -> Any:
        """Undo what YAML makes of the word `on`."""
        return (
            {"on" if name is True else name: value for name, value in said.items()} if isinstance(said, dict) else said
        )

    @field_validator("path")
    @classmethod
    def _is_said(cls, path: str | None) -> str:
        if path is None:
            raise ValueError("say where the table is")
        return path

    @property
    def keys(self) -> dict[str, str]:
        """Key columns of the first table -> those of this one."""
        return self.on if isinstance(self.on, dict) else {name: name for name in self.on}
