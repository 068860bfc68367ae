"""Whether a recipe of models per user may go live: by its error on later sets, against a baseline.

A run over the users who changed evaluates few of them, and on few users a recipe that is better
for most people loses by chance (decision 49). So its evidence is topped up to a fixed number of
sets with what earlier runs found about other users (`pipelines.personal.evidence`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from pipelines.lifecycle.open_refusals import (
    LITTLE_EVIDENCE,
    LITTLE_EVIDENCE_OF_SERVING,
    NO_EVIDENCE,
)

MIN_SETS_TO_JUDGE = 1000
"""Later sets, about those of ten people. On simulated people a recipe that is 15 % better than its
baseline is refused by 3 % of such samples, and by 45 % of samples of one person (decision 49)."""
MIN_SETS_TO_VETO = 20  # later sets; with fewer, one user's error says little
VETO_RATIO = 1.1  # times the error of "the same as last time"
ROUNDING = 1e-9  # of an error in a set: the baseline makes none where a user always says the same
MUCH_WORSE = 1.2
"""Times the share of the baseline's error that the recipe before left. The two are of other days
and in part of other people: with a closer bound one in ten good recipes would be refused."""
VETOED = "worse than the same as last time"
LOST = "not better than the same as last time"
LOST_TO_SERVING = "much worse than the recipe of the models that serve"


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
        >>> Evidence().as_metrics()
        {}
        """
        if not self.sets:
            return {}
        return {
            "later_sets": self.sets,
            "error": self.error / self.sets,
            "last_error": self.baseline_error / self.sets,
        }

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any]) -> "Evidence":
        """The evidence of `as_metrics`; none where there is none.

        >>> Evidence.from_metrics(Evidence(4, 2.0, 3.0).as_metrics())
        Evidence(sets=4, error=2.0, baseline_error=3.0)
        """
        if not (sets := metrics.get("later_sets")):
            return cls()
        return cls(sets, metrics["error"] * sets, metrics["last_error"] * sets)

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

    def refusal(self, serving: "Evidence | None" = None) -> str:
        """Why a recipe with this evidence does not go live; "" where it does.

        Args:
            serving: evidence of the recipe of the models that serve, if it is another one.

        >>> worse, serving = Evidence(1000, 90.0, 100.0), Evidence(1000, 60.0, 100.0)
        >>> worse.refusal(), worse.refusal(serving)
        ('', 'much worse than the recipe of the models that serve')
        """
        if not self.sets:
            return NO_EVIDENCE
        enough = self.sets >= MIN_SETS_TO_JUDGE
        if not self.error < self.baseline_error:  # neither is NaN
            return LOST if enough else LITTLE_EVIDENCE
        if serving is not None and self.share > MUCH_WORSE * serving.share:
            return LOST_TO_SERVING if enough else LITTLE_EVIDENCE_OF_SERVING
        return ""

    @property
    def share(self) -> float:
        """The models' error as a share of the baseline's; infinite where that made none."""
        return self.error / self.baseline_error if self.baseline_error else float("inf")

    @property
    def vetoes(self) -> bool:
        """Whether one user's model is clearly worse than the baseline on its user's later sets."""
        excess = self.error - VETO_RATIO * self.baseline_error
        return self.sets >= MIN_SETS_TO_VETO and excess > ROUNDING * self.sets

    @property
    def is_finite(self) -> bool:
        """Whether sums with it are numbers."""
        return all(map(math.isfinite, astuple(self)))
