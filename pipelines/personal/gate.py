"""Whether a recipe of models per user may go live: by its error on later sets, against a baseline.

A run over the users who changed evaluates few of them, and on few users a recipe that is better
for most people loses by chance (decision 49). So its evidence is topped up to a fixed number of
sets with what earlier runs found about other users (`pipelines.personal.evidence`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.lifecycle.retries import LITTLE_EVIDENCE, NO_EVIDENCE

MIN_SETS_TO_JUDGE = 1000
"""Later sets, about those of ten people. On simulated people a recipe that is 15 % better than its
baseline is refused by 3 % of such samples, and by 45 % of samples of one person (decision 49)."""
MIN_SETS_TO_VETO = 20  # later sets; with fewer, one user's error says little
VETO_RATIO = 1.1  # times the error of "the same as last time"
LOST = "not better than the same as last time"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Errors on later sets, summed over them.

    Attributes:
        sets: later sets on which models of the earlier ones were evaluated.
        error, baseline_error: of the models and of "the same as last time".
    """

    sets: float = 0
    error: float = 0.0
    baseline_error: float = 0.0

    @classmethod
    def total(cls, parts: Iterable["Evidence"]) -> "Evidence":
        """The sum of users' evidence."""
        parts = list(parts)
        return cls(
            sum(part.sets for part in parts),
            sum(part.error for part in parts),
            sum(part.baseline_error for part in parts),
        )

    def as_json(self) -> dict[str, float]:
        """One user's evidence under the names of stored manifests and outcomes.

        >>> evidence = Evidence(4, 2.0, 3.0)
        >>> Evidence.from_json(evidence.as_json()) == evidence
        True
        """
        return {"asked": self.sets, "off": self.error, "last_off": self.baseline_error}

    @classmethod
    def from_json(cls, metrics: Mapping[str, Any]) -> "Evidence":
        """The evidence of `as_json`; none in metrics of a model that was not evaluated."""
        if not metrics.get("asked"):
            return cls()
        return cls(metrics["asked"], metrics["off"], metrics["last_off"])

    def as_metrics(self) -> dict[str, float]:
        """The evidence as a run records it; empty where there is none.

        >>> Evidence(4, 2.0, 3.0).as_metrics()
        {'later_sets': 4, 'error': 0.5, 'last_error': 0.75}
        """
        if not self.sets:
            return {}
        return {
            "later_sets": self.sets,
            "error": self.error / self.sets,
            "last_error": self.baseline_error / self.sets,
        }

    def topped_up(self, earlier: Iterable["Evidence"]) -> "Evidence":
        """With as many sets of earlier runs as `MIN_SETS_TO_JUDGE` lacks, at their mean errors.

        Args:
            earlier: newest first; no more of it is read than is needed.

        >>> Evidence(200, 90.0, 100.0).topped_up([Evidence(1600, 400.0, 800.0)])
        Evidence(sets=1000.0, error=290.0, baseline_error=500.0)
        """
        total, rest = self, iter(earlier)
        while (missing := MIN_SETS_TO_JUDGE - total.sets) > 0 and (evidence := next(rest, None)):
            share = min(1.0, missing / evidence.sets) if evidence.sets else 0.0
            enough = missing <= evidence.sets  # the sum of shares would miss it by a float's bit
            total = Evidence(
                float(MIN_SETS_TO_JUDGE) if enough else total.sets + evidence.sets,
                total.error + share * evidence.error,
                total.baseline_error + share * evidence.baseline_error,
            )
        return total

    @property
    def refusal(self) -> str:
        """Why a recipe with this evidence does not go live; "" where it does."""
        if self.error < self.baseline_error:
            return ""
        if not self.sets:
            return NO_EVIDENCE
        return LOST if self.sets >= MIN_SETS_TO_JUDGE else LITTLE_EVIDENCE

    @property
    def vetoes(self) -> bool:
        """Whether one user's model is clearly worse than the baseline on its user's later sets."""
        return self.sets >= MIN_SETS_TO_VETO and self.error > VETO_RATIO * self.baseline_error
