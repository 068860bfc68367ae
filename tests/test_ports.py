"""The ports of tests are not those of outgoing connections, or of the run's other processes."""

import socket

import pytest

from tests import ports


def test_ports_differ_between_calls_and_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ports.free_ports(3), ports.free_ports(3)
    assert len({*first, *second}) == 6
    of_processes = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        monkeypatch.setattr(ports, "_CANDIDATES", ports._candidates())
        of_processes.append({*ports.free_ports(200)})
    assert of_processes[0].isdisjoint(of_processes[1])


def test_ports_are_outside_the_range_of_outgoing_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # the system chooses from its range
        assert max(ports.free_ports(50)) < server.getsockname()[1]


def test_port_that_somebody_listens_on_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = ports.free_ports(2)
    monkeypatch.setattr(ports, "_CANDIDATES", iter([taken, free]))
    with socket.create_server(("127.0.0.1", taken)):
        assert ports.free_ports(1) == [free]
