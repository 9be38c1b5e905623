"""Spark's own words for each place that it can run at, and whether that place answers."""

import ipaddress
import os
import socket
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

from conf.errors import FranklinError
from conf.spark import AnyDriver, AnySpark, ConnectSpark, KubernetesSpark, LocalSpark, StandaloneSpark, YarnSpark

REACH_SECONDS = 5.0
ON_LOOPBACK = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
Address = tuple[str, int]


def placed(spark: AnyDriver) -> dict[str, str]:
    """Return the settings that say where executors run, how many and how large, and where they reach the driver."""
    if isinstance(spark, LocalSpark):
        return {"spark.master": spark.master, **ON_LOOPBACK}
    conf = {
        "spark.executor.instances": str(spark.executors),
        "spark.executor.cores": str(spark.executor_cores),
        "spark.executor.memory": spark.executor_memory,
        **({"spark.driver.host": spark.driver_host} if spark.driver_host else {}),
    }
    match spark:
        case StandaloneSpark():
            # Workers of a master on a loopback address are on this machine too.
            here = ON_LOOPBACK if all(_is_loopback(host) for host, _ in addresses(spark)) else {}
            # A master counts cores, not executors.
            cores = str(spark.executors * spark.executor_cores)
            return {**here, **conf, "spark.master": spark.master, "spark.cores.max": cores}
        case YarnSpark():
            return {**conf, "spark.master": "yarn", "spark.yarn.queue": spark.queue}
        case KubernetesSpark():
            names = {"namespace": spark.namespace, "container.image": spark.image}
            return {**conf, "spark.master": spark.master, **{f"spark.kubernetes.{k}": v for k, v in names.items()}}
        case _:
            assert_never(spark)


def existing(jars: list[str]) -> list[str]:
    """Return the jars, those with a plain path looked for: Spark would go on without.

    Raises:
        FranklinError: One is not there.

    """
    for jar in jars:
        if ":" not in jar and not Path(jar).is_file():
            raise FranklinError(f"spark.jars: there is no file {jar}; name one that is there, or a URL")
    return jars


def check_reachable(spark: AnySpark) -> None:
    """Knock at the cluster, so that a wrong address costs seconds and not Spark's many minutes of trying.

    Raises:
        FranklinError: Nothing answers there, or the folder of YARN's settings is none.

    """
    if isinstance(spark, YarnSpark):
        if not (spark.hadoop_conf / "yarn-site.xml").is_file():
            raise FranklinError(f"HADOOP_CONF_DIR={spark.hadoop_conf} has no yarn-site.xml; export the folder that has")
        os.environ["HADOOP_CONF_DIR"] = str(spark.hadoop_conf)
    refused = [reason for reason in map(_knock, addresses(spark)) if reason]
    if refused and len(refused) == len(addresses(spark)):
        raise FranklinError(f"spark={spark.name}: {'; '.join(refused)}: start it, say another address, or spark=local")


def addresses(spark: AnySpark) -> list[Address]:
    """Return the hosts and ports that a cluster is found at, if its settings say so; any of several will do."""
    match spark:
        case StandaloneSpark():
            return [_parted(each, 7077) for each in spark.master.removeprefix("spark://").split(",")]
        case KubernetesSpark():
            return [_parted(spark.master.removeprefix("k8s://").rpartition("://")[2], 443)]
        case ConnectSpark():
            return [_parted(spark.remote.removeprefix("sc://"), 15002)]
        case LocalSpark() | YarnSpark():
            return []
        case _:
            assert_never(spark)


def _parted(address: str, port: int) -> Address:
    try:
        parts = urlsplit(f"//{address}")
        found = parts.hostname or "", parts.port or port
    except ValueError as error:
        raise FranklinError(f"{address} is no address ({error}); write HOST:PORT") from None
    return found


def _knock(address: Address) -> str | None:
    """Return why nobody answers, or None."""
    try:
        socket.create_connection(address, timeout=REACH_SECONDS).close()
    except OSError as error:
        return f"{address[0]}:{address[1]} can't be reached ({error})"
    return None


def _is_loopback(host: str) -> bool:
    found = socket.getaddrinfo(host, None)
    return all(ipaddress.ip_address(str(info[4][0])).is_loopback for info in found)
