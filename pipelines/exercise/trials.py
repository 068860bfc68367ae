"""Two rungs on users' later sets, compared on the sets on which both were asked. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SetHits = Mapping[str, bool]
"""Set id to whether a rung named the set right."""


@dataclass(frozen=True, slots=True)
class UserTrial:
    """Each rung's hits on one user's later sets.

    Attributes:
        owner: the user.
        labelled_sets: how many labelled sets the user has in all; decides the stratum.
        challenger: hits of the new model.
        serving: of the serving model, on sets after *its* training data.
        majority: of always naming the user's most frequent exercise.
    """

    owner: str
    labelled_sets: int
    challenger: SetHits
    serving: SetHits
    majority: SetHits


@dataclass(frozen=True, slots=True)
class CommonShares:
    """Two rungs on the sets on which both were asked.

    Attributes:
        sets: how many these are, at least one.
        challenger, other: shares that each named right.
    """

    sets: int
    challenger: float
    other: float


def common_shares(pairs: Iterable[tuple[SetHits, SetHits]]) -> CommonShares | None:
    """Shares pooled over users, each with the hits of two rungs; None where no set is common.

    >>> common_shares([({"s": True, "t": False}, {"s": True, "u": False}), ({}, {"s": True})])
    CommonShares(sets=1, challenger=1.0, other=1.0)
    """
    common = [
        (hit, other[name]) for hits, other in pairs for name, hit in hits.items() if name in other
    ]
    if not common:
        return None
    right, other_right = (sum(hits) for hits in zip(*common, strict=True))
    return CommonShares(len(common), right / len(common), other_right / len(common))
