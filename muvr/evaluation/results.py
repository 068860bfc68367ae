"""What the protocols found, and why some figures were not measured."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.activity.evaluate import RecordingSegments
from models.exercise.protocols.outcome import ProtocolOutcome
from models.reps.evaluate import RepsExample
from schemas.report import Figure

GYM_FLOORS = {
    "s4_precision": 0.99,
    "s4_recall": 0.985,
    "s4b_start": 0.9,
    "s4b_end": 0.8,
    "s4b_both_3s": 0.8,
    "s4c_windows": 0.91,
    "s4c_sets": 0.92,
    "s5_gym": 0.95,
    "s5_gym_exact": 0.83,
}
NOTHING_ASKED = "The recordings hold no set that could be asked."


@dataclass(slots=True)
class ProtocolResults:
    """The protocols' results: figures for the report; outcomes, segments and sets for the page.

    Attributes:
        reasons: name of a figure, or of a protocol, that could not be measured, and why.
    """

    figures: list[Figure] = field(default_factory=list)
    outcomes: dict[str, ProtocolOutcome] = field(default_factory=dict)
    recordings: list[RecordingSegments] = field(default_factory=list)
    counted: tuple[RepsExample, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, outcome: ProtocolOutcome) -> None:
        """Add a protocol's outcome."""
        self.outcomes[name] = outcome
        self.figures.extend(outcome.figures)

    def leave_out(self, names: Sequence[str], data: str, why: str) -> None:
        """Add figures that could not be measured, with their floors."""
        self.figures.extend(
            Figure(name, None, floor=GYM_FLOORS.get(name), data=data, protocol=why)
            for name in names
        )
        self.reasons.update(dict.fromkeys(names, why))

    def sentences(self, figures: Sequence[Figure]) -> list[str]:
        """Which of some figures were not measured: a sentence for each reason."""
        names_by_reason: dict[str, list[str]] = defaultdict(list)
        for figure in figures:
            if figure.value is None:
                reason = self.reasons.get(figure.name, NOTHING_ASKED)
                names_by_reason[reason].append(figure.name)
        return [
            f"Not measured: {', '.join(names)}. {why}" for why, names in names_by_reason.items()
        ]


def gym_floors(*prefixes: str) -> list[str]:
    """The figures of gym recordings that have a floor and begin with one of the prefixes.

    >>> gym_floors("s4_", "s5_gym")
    ['s4_precision', 's4_recall', 's5_gym', 's5_gym_exact']
    """
    return [name for name in GYM_FLOORS if name.startswith(prefixes)]
