"""Supervision of the SQL server goes on whatever Java answers."""

import threading

import pytest
from py4j.protocol import Py4JError, Py4JNetworkError

from pipelines.mart.duties import Duties


class Duty:
    """Fails with the given problems, one after the other, and then does what it should."""

    def __init__(self, *problems: Exception) -> None:
        self.problems, self.done = list(problems), 0

    def __call__(self) -> None:
        if self.problems:
            raise self.problems.pop(0)
        self.done += 1


def test_duty_that_fails_is_tried_again_and_the_others_are_done():
    said: list[str] = []
    bad = Duty(Py4JNetworkError("Answer from Java side is empty\nat ..."), OSError("reset"))
    good = Duty()
    duties = Duties({"Cancelling": bad, "Ending": good}, said.append)
    for _ in range(3):
        duties.run_once()
    assert (bad.done, good.done) == (1, 3)
    assert said == [
        "Cancelling failed, and is tried again every few seconds: Answer from Java side is empty",
        "Cancelling works again",
    ]


def test_problem_without_a_message_is_named():
    said: list[str] = []
    Duties({"Ending": Duty(Py4JError(""))}, said.append).run_once()
    assert said == ["Ending failed, and is tried again every few seconds: Py4JError"]


def test_errors_of_our_own_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        Duties({"Ending": Duty(ZeroDivisionError())}, print).run_once()


def test_duties_are_done_until_shutdown():
    shutdown, rounds = threading.Event(), []

    def duty() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            shutdown.set()

    Duties({"Ending": duty}, print).run_until(shutdown, every_s=0.001)
    assert len(rounds) == 3
