"""Addresses of machines; asked before anything starts, so without torch."""

import errno
import ipaddress
import socket
from contextlib import suppress

import psutil

from conf.errors import FranklinError
from conf.launchers import Torchrun

REASONS = {
    errno.EADDRINUSE: "that port is in use; end what listens there, or say another port",
    errno.EADDRNOTAVAIL: "that is no address of this machine; say one that the other machines reach",
    errno.EACCES: "that port is the system's; say one above 1023",
}


def check_address(launcher: Torchrun) -> None:
    """Make sure that this machine can be found at the launcher's address, if it has one.

    Raises:
        FranklinError: the port is in use, or the host is not this machine.

    """
    if launcher.address is None:
        return
    host, _, port = launcher.address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended do not matter
        try:
            probe.bind((host, int(port)))
        except (OSError, OverflowError) as error:
            reason = REASONS.get(getattr(error, "errno", 0) or 0, f"{error}; say HOST:PORT")
            raise FranklinError(f"launcher.address={launcher.address}: {reason}") from None


def address_towards(address: str) -> str:
    """The address of this machine from which `address` is reached."""
    host, _, port = address.rpartition(":")
    family, kind, _, _, where = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(where)  # of datagrams, which sends nothing
        return str(probe.getsockname()[0])


def interface(host: str) -> str | None:
    """The name of this machine's network interface that has an address, by which gloo and NCCL take it."""
    wanted = ipaddress.ip_address(socket.gethostbyname(host))
    for name, addresses in psutil.net_if_addrs().items():
        for each in addresses:
            with suppress(ValueError):  # of hardware
                if wanted in ipaddress.ip_interface(f"{each.address}/{each.netmask or 32}").network:
                    return name
    return None
