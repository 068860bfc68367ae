"""What the protocols found, and why some figures were not measured."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from models.activity.evaluate import RecordingSegments
from models.exercise.protocols.outcome import ProtocolOutcome
from models.reps.examples import RepsExample
from schemas.report import Figure

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

    def leave_out(self, promised: Sequence[Figure], data: str, why: str) -> None:
        """Add figures that could not be measured.

        Args:
            promised: the figures, with their floors and without values.
            data: the recordings that were not enough, or are missing.
            why: in a sentence.
        """
        self.figures.extend(replace(figure, data=data, protocol=why) for figure in promised)
        self.reasons.update({figure.name: why for figure in promised})

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
