"""Whether a new global model may serve."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.exercise.calibration import Calibrations, learn_calibrations
from pipelines.exercise.gate import regression_reason
from pipelines.exercise.global_fit import VersionedGlobalModel
from pipelines.exercise.promotion import ModelCandidate, rung_shares
from pipelines.exercise.trials import CommonShares, UserTrial, common_shares
from schemas.inputs import InputLayout
from schemas.plurals import plural

MIN_MEMBERS = 2  # a model of one member cannot be evaluated without that member


@dataclass(frozen=True, slots=True)
class GlobalVerdict:
    """The verdict on a layout's new global model.

    Attributes:
        reason: why it may not serve, "" when it may.
        shares: of its members' rungs, see `rung_shares`.
        calibrations: learned on its members, for the run after this one.
    """

    reason: str
    shares: Mapping[str, Mapping[str, float | int]]
    calibrations: Calibrations


def judge_global(
    layout: InputLayout,
    model: VersionedGlobalModel,
    candidates: Sequence[ModelCandidate],
    margin: float,
) -> GlobalVerdict:
    """Judge a layout's new global model.

    Args:
        layout: of its input.
        model: with its members.
        candidates: models of users, evaluated beside it.
        margin: how much worse it may be than the serving one, as a share of sets.
    """
    of_layout = [c for c in candidates if c.model_id == layout]
    members = [c for c in of_layout if str(c.user_id) in model.members]
    beside_constant = common_shares(
        (c.rungs.everybody.sets, c.rungs.majority.sets) for c in members
    )
    late = any(c.rungs.majority.sets for c in members)
    unseen = unseen_user_trials(candidates, layout)
    by_user = sorted(members, key=lambda c: str(c.user_id))
    scores = [c.held_out for c in by_user if c.held_out]
    return GlobalVerdict(
        refusal_reason(beside_constant, unseen, margin, len(model.members), has_late_sets=late),
        rung_shares(members),
        learn_calibrations(scores, model.calibrations),
    )


def refusal_reason(
    beside_constant: CommonShares | None,
    unseen: Sequence[UserTrial],
    margin: float,
    members: int,
    *,
    has_late_sets: bool,
) -> str:
    """Why a global model may not serve, "" when it may.

    On late sets of its members, each evaluated without their own sets in it, it must beat always
    naming the member's most frequent exercise. On later sets of users who are not in it, it must
    not be worse than the one that serves now.

    Args:
        beside_constant: of its members' late sets that it names right, beside the constant answer;
            None where it cannot be asked about any.
        unseen: trials of the users who are not in it, on sets later than the training data of the
            one that serves.
        margin: how much worse it may be, as a share of sets.
        members: how many users it was learned from.
        has_late_sets: whether a member has late sets.
    """
    if members < MIN_MEMBERS:
        return (
            f"learned from {plural(members, 'user')}; {MIN_MEMBERS} are needed, because each "
            "member is evaluated by a model without that member"
        )
    if beside_constant is None:
        if has_late_sets:
            return "no member can judge it: without that member it knows fewer than two exercises"
        return "no later set of a member to judge by"
    if beside_constant.challenger <= beside_constant.other:
        return (
            f"right in {beside_constant.challenger:.3f} of sets, the most frequent in "
            f"{beside_constant.other:.3f}"
        )
    regression = regression_reason(unseen, margin)
    return f"of people who are not in it: {regression}" if regression else ""


def unseen_user_trials(
    candidates: Iterable[ModelCandidate], layout: InputLayout
) -> list[UserTrial]:
    """Hits of the new and of the serving global model on sets from which neither was learned.

    Their users are not in the new one; earlier sets of theirs may be in the serving one.
    """
    return [
        UserTrial(
            str(c.user_id),
            c.labelled_sets,
            c.rungs.everybody.sets,
            c.rungs.former.sets,
            {},
            c.rungs.exercises,
        )
        for c in candidates
        if c.model_id == layout and c.rungs.former.sets
    ]
