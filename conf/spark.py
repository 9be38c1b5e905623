"""Where Spark runs, and how much it may take: one model for each choice of `conf/spark/`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from conf.places import without_secrets
from conf.strict import Positive, Size, Strict, Text

LEAST_MEMORY_MIB = 512  # Spark starts with no less


def _is_enough(memory: str) -> str:
    if int(memory[:-1]) * {"m": 1, "g": 1024}[memory[-1]] < LEAST_MEMORY_MIB:
        raise ValueError(f"Spark does not start with less than {LEAST_MEMORY_MIB}m")
    return memory


Memory = Annotated[Size, AfterValidator(_is_enough)]


def _said(way: str, *starts: str) -> BeforeValidator:
    """Refuse a value that is missing, or that starts with none of `starts`, and tell the `way` out.

    The value is not repeated: an address may have a password in it.
    """

    def check(value: Any) -> Any:
        if value is None:
            raise ValueError(f"not set: {way}")
        if starts and not str(value).startswith(starts):
            raise ValueError(f"must start with {' or '.join(starts)}: {way}")
        return value

    return BeforeValidator(check)


def _without_token(value: str) -> str:
    if ";token=" in value:
        raise ValueError("a token here would be written into logs: leave it to SPARK_CONNECT_AUTHENTICATE_TOKEN")
    return value


class Spark(Strict):
    """What every choice has."""

    shuffle_partitions: Positive | None = Field(description="that shuffles deal rows to; null: by the input's size")
    jars: list[str] = Field(description="jars that the job needs, such as a database's JDBC driver: paths or URLs")
    conf: dict[str, Text] = Field(
        description="further Spark settings, passed through and logged; `env:NAME` is taken from the environment"
    )

    @field_validator("conf")
    @classmethod
    def _has_no_secret(cls, conf: dict[str, str]) -> dict[str, str]:
        return without_secrets(conf)


class Driver(Spark):
    """Spark whose driver is the job's own process."""

    memory: Annotated[Memory, Field(description="heap of the driver, such as 2g")]


class LocalSpark(Driver):
    """Spark inside the job's own process."""

    name: Literal["local"]
    master: Annotated[
        str,
        _said("say local[*], or choose spark=standalone, yarn, k8s or connect", "local"),
        Field(pattern=r"^local(\[(\*|[1-9]\d*)(,[1-9]\d*)?\])?$"),
    ]


class Cluster(Driver):
    """Executors on other machines."""

    executors: Positive
    executor_cores: Positive = Field(description="of each executor")
    executor_memory: Annotated[Memory, Field(description="heap of each executor, such as 2g")]
    driver_host: str | None = Field(description="where executors reach the driver; null: as Spark finds it")


class StandaloneSpark(Cluster):
    """Spark's own master and workers."""

    name: Literal["standalone"]
    master: Annotated[str, _said("say spark.master=spark://HOST:7077, or export SPARK_MASTER", "spark://")]


class YarnSpark(Cluster):
    """Hadoop's YARN; the settings of the cluster say where it is."""

    name: Literal["yarn"]
    hadoop_conf: Annotated[Path, _said("export HADOOP_CONF_DIR, the folder that has the cluster's yarn-site.xml")]
    queue: str


class KubernetesSpark(Cluster):
    """Kubernetes; executors are pods."""

    name: Literal["k8s"]
    master: Annotated[str, _said("say spark.master=k8s://https://HOST:6443, or export SPARK_MASTER", "k8s://")]
    image: Annotated[str, _said("say spark.image, an image of this Spark's version, or export SPARK_IMAGE")]
    namespace: str


class ConnectSpark(Spark):
    """A Spark Connect server, which has a driver and executors of its own."""

    name: Literal["connect"]
    remote: Annotated[
        str, BeforeValidator(_without_token), _said("say spark.remote=sc://HOST:15002, or export SPARK_REMOTE", "sc://")
    ]

    @field_validator("jars")
    @classmethod
    def _are_files(cls, jars: list[str]) -> list[str]:
        if far := [jar for jar in jars if ":" in jar]:
            raise ValueError(f"{far[0]} is a URL: a Spark Connect server takes files of this machine only")
        return jars


AnyCluster = StandaloneSpark | YarnSpark | KubernetesSpark
AnyDriver = LocalSpark | AnyCluster
AnySpark = Annotated[AnyDriver | ConnectSpark, Field(discriminator="name")]
