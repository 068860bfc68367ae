"""The cheapest cover of a set: compiled code against numpy and dynamic programming."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.arrays import Floats32, Floats64
from models.reps.cover import cheapest_cover
from models.reps.reference import cover as reference

LENGTHS = [4, 5, 7, 9]


def cheapest_by_trying(cost: Floats32, idle: Floats64, lengths: Sequence[int]) -> float:
    """The same dynamic programme, written one border at a time."""
    best = [0.0]
    for end in range(1, len(cost) + 1):
        offers = [
            best[end - n] + float(cost[end - 1, k]) for k, n in enumerate(lengths) if n <= end
        ]
        best.append(min([best[end - 1] + idle[end - 1], *offers]))
    return best[-1]


def prices(seed: int, n: int, lengths: Sequence[int]) -> tuple[Floats32, Floats64]:
    """Costs of copies and of idle samples; odd seeds give few distinct costs, and many ties."""
    rng = np.random.default_rng(seed)
    few = seed % 2
    cost = np.where(
        few, rng.integers(0, 6, (n, len(lengths))), rng.uniform(0, 6, (n, len(lengths)))
    )
    cost = cost.astype(np.float32)
    cost[np.arange(1, n + 1)[:, None] < np.array(lengths)] = np.inf
    return cost, rng.integers(0, 3, n) / 2.0 if few else rng.uniform(0, 2, n)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60))
def test_compiled_cover_has_the_minimum_cost(seed: int, n: int) -> None:
    cost, idle = prices(seed, n, LENGTHS)
    outside = np.ones(n, dtype=bool)
    spent = 0.0
    for start, which in zip(*cheapest_cover(cost, idle, np.array(LENGTHS)), strict=True):
        assert outside[start : start + LENGTHS[which]].all()
        outside[start : start + LENGTHS[which]] = False
        spent += float(cost[start + LENGTHS[which] - 1, which])
    assert spent + idle[outside].sum() == pytest.approx(cheapest_by_trying(cost, idle, LENGTHS))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 400),
    lengths=st.sets(st.integers(2, 70), min_size=1, max_size=33),
)
def test_compiled_cover_equals_the_reference(seed: int, n: int, lengths: set[int]) -> None:
    allowed = np.array(sorted(lengths))
    cost, idle = prices(seed, n, allowed.tolist())
    starts, which = cheapest_cover(cost, idle, allowed)
    found = list(zip(starts.tolist(), which.tolist(), strict=True))
    assert found == reference.cheapest_cover(cost, idle, allowed)


def test_arrays_of_inconsistent_shapes_are_refused() -> None:
    cost, idle = prices(1, 20, LENGTHS)
    for wrong in ((idle[:-1], LENGTHS), (idle, LENGTHS[:-1])):
        with pytest.raises(ValueError, match="idle"):
            cheapest_cover(cost, wrong[0], np.array(wrong[1]))
