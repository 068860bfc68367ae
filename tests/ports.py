"""Ports for what tests start later: nothing else on the machine may take them meanwhile."""

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

from store.node.preflight import is_free

_FIRST, _LAST = 15_000, 32_768
_PROCESSES = 8
_SYSTEMS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now, and that this process did not get lately.

    The system takes the ports of outgoing connections from a range of its own, above these if it
    is as usual, and each process of a run has a part for itself.
    """
    return list(itertools.islice(filter(is_free, _CANDIDATES), count))


def _candidates() -> Iterator[int]:
    """The ports of this process, in an order that differs from run to run, again and again."""
    above = int(_SYSTEMS.read_text().split()[0]) if _SYSTEMS.exists() else _LAST
    above = above if above > _FIRST + 1000 else _LAST  # a system may give nearly all ports away
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
    ports = list(range(_FIRST, above))[number::_PROCESSES]
    random.SystemRandom().shuffle(ports)
    return itertools.cycle(ports)


_CANDIDATES = _candidates()
