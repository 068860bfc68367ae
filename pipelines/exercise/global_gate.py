"""Whether a new global model may serve."""

from collections.abc import Iterable, Mapping, Sequence

from pipelines.exercise.gate import UserTrial, regression_reason
from pipelines.exercise.promotion import ModelCandidate
from schemas.inputs import InputLayout

MIN_MEMBERS = 2  # a model of one member cannot be evaluated without that member


def refusal_reason(
    shares: Mapping[str, Mapping[str, float | int]],
    unseen: Sequence[UserTrial],
    margin: float,
    members: int,
) -> str:
    """Why a global model may not serve, "" when it may.

    On late sets of its members, each evaluated without their own sets in it, it must beat always
    naming the member's most frequent exercise. On later sets of users who are not in it, it must
    not be worse than the one that serves now.

    Args:
        shares: of the members' rungs.
        unseen: trials of the users who are not in it, on sets later than the training data of the
            one that serves.
        margin: how much worse it may be, as a share of sets.
        members: how many users it was learned from.
    """
    if members < MIN_MEMBERS:
        return f"{members} of {MIN_MEMBERS} people: each is asked about without what he gave"
    if "everybody" not in shares:
        return "no later set of a member to judge by"
    right, most = shares["everybody"]["sets_right"], shares["majority"]["sets_right"]
    if right <= most:
        return f"right in {right} of sets, the most frequent in {most}"
    regression = regression_reason(unseen, margin)
    return f"of people who are not in it: {regression}" if regression else ""


def unseen_user_trials(
    candidates: Iterable[ModelCandidate], layout: InputLayout
) -> list[UserTrial]:
    """Hits of the new and of the serving global model on sets from which neither was learned.

    Their users are not in the new one; earlier sets of theirs may be in the serving one.
    """
    return [
        UserTrial(str(c.user_id), c.labelled_sets, c.hits["everybody"], c.hits["former"], {})
        for c in candidates
        if c.model_id == layout and c.hits.get("former")
    ]
