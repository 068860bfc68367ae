"""The format of every report under build/: demo, evaluate, each bench, soak, fuzz."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number beside its peer, with what it was measured on.

    Attributes:
        name: stable, so that reports can be compared; shares lie between 0 and 1.
        unit: of `value`, `peer_value` and `floor`; "" for counts and shares.
        peer: what `peer_value` measures in the same run.
        floor: what must be reached; `ceiling` turns it into what must not be passed.
    """

    name: str
    value: float | None
    unit: str = ""
    peer: str | None = None
    peer_value: float | None = None
    floor: float | None = None
    ceiling: bool = False
    data: str | None = None
    protocol: str | None = None

    @property
    def ratio(self) -> float | None:
        """Value over peer, None where either is missing.

        >>> Figure("models_per_s", 60, peer="joblib", peer_value=40).ratio
        1.5
        """
        if self.value is None or not self.peer_value:
            return None
        return self.value / self.peer_value

    @property
    def holds(self) -> bool | None:
        """Whether the floor is kept; None where there is none, False where nothing was measured.

        >>> Figure("lost", 1, floor=0, ceiling=True).holds
        False
        """
        if self.floor is None:
            return None
        if self.value is None:
            return False
        return self.value <= self.floor if self.ceiling else self.value >= self.floor

    @property
    def verdict(self) -> str:
        """Whether the floor is kept, in words; "" where there is none.

        A floor that nothing could be measured for does not hold, but was not missed either.

        >>> Figure("s4_recall", None, floor=0.98).verdict
        'not measured'
        """
        if self.holds is None:
            return ""
        if self.value is None:
            return "not measured"
        return "holds" if self.holds else "missed"

    def as_json(self) -> dict[str, object]:
        """The figure with its derived fields."""
        values = {k: v for k, v in asdict(self).items() if k != "ceiling"}
        return {**values, "ratio": self.ratio, "holds": self.holds}


@dataclass(frozen=True, slots=True)
class Report:
    """A named set of figures of one run of one commit on one machine."""

    report: str
    commit: str
    machine: str
    seconds: float
    figures: tuple[Figure, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Whether every figure that has a floor keeps it."""
        return all(figure.holds is not False for figure in self.figures)

    def as_json(self) -> dict[str, object]:
        """The report as it is written under build/."""
        return {
            "report": self.report,
            "commit": self.commit,
            "machine": self.machine,
            "seconds": round(self.seconds, 3),
            "figures": [figure.as_json() for figure in self.figures],
        }
