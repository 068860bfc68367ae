"""How many sets were found, named and counted right, among the true ones."""

import numpy as np
import pytest

from models.recognition.evaluate import Tally, TimedSet, tally
from tests.pipelines.workouts import S_NS


def test_tally_compares_recognised_sets_with_the_true_ones():
    def timed(start_s, end_s, exercise, reps):
        return TimedSet(start_s * S_NS, end_s * S_NS, exercise, reps)

    done = [timed(0, 30, "curl", 10), timed(60, 90, "row", 8), timed(120, 150, "new", 8)]
    told = [timed(1, 36, "curl", 11), timed(118, 150, "row", 8), timed(200, 210, None, None)]
    tallied = tally(done, told, {"curl", "row"})
    assert (tallied.done, tallied.found, tallied.invented) == (3, 2, 1)
    assert (tallied.possible, tallied.named) == (
        2,
        1,
    )  # the row was missed, the new exercise is unknown
    assert (tallied.reps_near, tallied.reps_exact) == (2, 1)
    assert (tallied.start, tallied.end, tallied.both) == (2, 1, 1)
    assert (tallied + Tally()).figures()["named"] == 0.5
    assert tally([], told[:1], set()).invented == 1


@pytest.mark.parametrize(("more_ns", "counted"), [(0, 1), (1, 0)])
def test_limits_of_a_tally_are_inclusive(more_ns, counted):
    """Half of a set is found; a border is right within 2 s, both of them within 3 s."""
    done = TimedSet(0, 30 * S_NS, "curl", 10)

    def told(start_s, end_s, reps=10):
        moved = TimedSet(start_s * S_NS + more_ns, end_s * S_NS + more_ns, "curl", reps)
        return tally([done], [moved], {"curl"})

    assert told(15, 45).found == told(15, 45).named == counted
    assert told(15, 45).invented == 1 - counted
    assert (told(2, 30).start, told(0, 32).end, told(3, 33).both) == (counted,) * 3
    assert (told(0, 30, 9).reps_near, told(0, 30, 12).reps_near) == (1, 0)


def test_found_set_is_not_counted_for_a_second_true_one():
    done = [TimedSet(0, 30 * S_NS, "curl", 10), TimedSet(0, 30 * S_NS, "curl", 10)]
    tallied = tally(done, done[:1], {"curl"})
    assert (tallied.done, tallied.found, tallied.invented) == (2, 1, 0)


def test_figures_of_a_tally_are_shares_of_the_sets_that_could_be_right():
    counts = {"done": 8, "possible": 5, "countable": 4, "invented": 3}
    figures = Tally(**counts, found=4, named=2, named_alone=3, reps_near=3, reps_exact=1).figures()
    borders = dict.fromkeys(("start", "end", "both"), 0.0)
    named = {"named": 0.4, "named_alone": 0.6, "invented": 3.0}
    assert figures == {"found": 0.5, "reps_near": 0.75, "reps_exact": 0.25, **borders, **named}


def test_a_set_whose_repetitions_nobody_knows_is_no_miss():
    known, unknown = (
        TimedSet(0, 30 * S_NS, "curl", 10),
        TimedSet(60 * S_NS, 90 * S_NS, "curl", None),
    )
    told = [known, TimedSet(60 * S_NS, 90 * S_NS, "curl", 8)]
    tallied = tally([known, unknown], told, {"curl"})
    assert (tallied.countable, tallied.reps_near, tallied.reps_exact) == (1, 1, 1)
    assert (tallied.figures()["found"], tallied.figures()["reps_exact"]) == (1.0, 1.0)
    missed = tally([known, unknown], [], {"curl"})
    assert (missed.countable, missed.figures()["reps_exact"]) == (1, 0.0)


def test_a_share_of_no_sets_is_not_a_number():
    assert np.isnan(tally([TimedSet(0, S_NS, "curl", None)], [], set()).figures()["reps_near"])
    figures = Tally(invented=2).figures()
    assert figures.pop("invented") == 2.0
    assert np.isnan(list(figures.values())).all()
