"""How many labelled sets a user needs before a model of their own can be learned and judged."""

from collections import Counter
from collections.abc import Iterable

MIN_EXERCISES = 2  # one alone is told apart from nothing
MIN_SETS_EACH = 2  # the earlier one teaches, the later one judges
NEEDED = (
    f"{MIN_SETS_EACH} sets of each of {MIN_EXERCISES} exercises, 4 s or longer: the earlier "
    "ones teach, the later ones judge"
)


def missing_sets(exercises: Iterable[str]) -> str:
    """What is missing of the sets that a model can be judged by, "" where nothing is.

    Args:
        exercises: of every set that is as long as a window, in any order.

    >>> missing_sets(["curl", "curl", "press"])
    'needed are 2 sets of each of 2 exercises, 4 s or longer: the earlier ones teach, the later \
ones judge; there are 3 sets, and 2 or more of 1 exercise'
    >>> missing_sets(["curl", "press", "curl", "press"])
    ''
    """
    counts = Counter(exercises)
    ready = sum(sets >= MIN_SETS_EACH for sets in counts.values())
    if ready >= MIN_EXERCISES:
        return ""
    sets = f"there are {counts.total()} sets" if counts.total() != 1 else "there is 1 set"
    several = "exercise" if ready == 1 else "exercises"
    return f"needed are {NEEDED}; {sets}, and {MIN_SETS_EACH} or more of {ready} {several}"
