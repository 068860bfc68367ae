"""A family of one model per user from confirmed sets: its name, and how it learns. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.history import SetLog
from pipelines.personal.gate import Evidence


@dataclass(frozen=True, slots=True)
class PersonalModel:
    """A user's model and its evaluation.

    Attributes:
        content: bytes of the model learned from all sets.
        evidence: of a model of the user's earlier sets on the later ones.
    """

    content: bytes
    evidence: Evidence = Evidence()


Learn = Callable[[Sequence[SetLog], float], Sequence[PersonalModel | str]]


@dataclass(frozen=True, slots=True)
class PersonalFamily:
    """A family of models per user.

    Attributes:
        name: of the family.
        learn: from the logs of many users and the cut-off (seconds since the epoch), for each user
            a model, or the reason why there is none.
        recipe: names what decides an evaluation besides the sets. A release that changes how the
            family learns or evaluates changes it: evidence of another recipe does not count.
    """

    name: str
    learn: Learn
    recipe: str
