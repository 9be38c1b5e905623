"""A machine that cannot be found is named before anything starts."""

import re

import pytest

from conf.errors import FranklinError
from conf.launchers import Torchrun
from models.launching.address import check_address
from tests.flows.fixtures import taken_port
from tests.models.launch import shipped


def launcher(**changes: object) -> Torchrun:
    return Torchrun.model_validate(shipped("launcher", "torchrun") | changes)


def test_a_port_in_use_is_named() -> None:
    with taken_port() as port:
        address = f"127.0.0.1:{port}"
        with pytest.raises(FranklinError, match=f"^launcher.address={address}: that port is in use; "):
            check_address(launcher(address=address))
    check_address(launcher(address=address))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:29400", "that is no address of this machine"),
        ("nowhere.invalid:29400", "say HOST:PORT"),
        ("127.0.0.1:99999", "say HOST:PORT"),
    ],
)
def test_an_address_of_another_machine_is_named(address: str, reason: str) -> None:
    with pytest.raises(FranklinError, match=f"^launcher.address={re.escape(address)}: .*{reason}"):
        check_address(launcher(address=address))


def test_one_machine_needs_no_address_and_several_do() -> None:
    check_address(launcher())
    with pytest.raises(ValueError, match=r"nodes=2: say launcher.address=HOST:PORT"):
        launcher(nodes=2)
