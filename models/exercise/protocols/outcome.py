"""The outcome of a protocol: figures for the report, and the predictions behind them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import Ints64
from models.exercise.protocols.floors import figure
from models.exercise.protocols.predictions import SetPredictions
from models.exercise.protocols.trials import Movement
from schemas.plurals import plural
from schemas.report import Figure

SPAR = "SPAR-10"


@dataclass(frozen=True, slots=True)
class ProtocolOutcome:
    """The outcome of a protocol.

    Attributes:
        figures: the lines of the report.
        labels: exercises, in the order of the indices in `predictions`.
        predictions: behind the figures, for confusion matrices and reliability diagrams.
        chosen: settings that each fold chose inside its training part, as text.
    """

    figures: tuple[Figure, ...]
    labels: tuple[str, ...] = ()
    predictions: tuple[SetPredictions, ...] = ()
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtocolData:
    """What the figures of a protocol were measured on, and how.

    Attributes:
        data: the recordings.
        protocol: training, test and model selection, as text.
        acc_only: without rotation: figures are named so and have no floors.
    """

    data: str
    protocol: str
    acc_only: bool = False

    def figure(self, name: str, value: float, *, unit: str = "") -> Figure:
        """A figure, with its floor where it has one."""
        measured = figure(name, value, unit=unit, data=self.data, protocol=self.protocol)
        if self.acc_only:
            return replace(measured, name=f"{name}_acc_only", floor=None)
        return measured

    def compared(self, name: str, value: float, peer: str, peer_value: float) -> Figure:
        """A figure compared with that of another method in the same run."""
        return Figure(
            name,
            value,
            peer=peer,
            peer_value=peer_value,
            data=self.data,
            protocol=self.protocol,
        )


def gym_text(movements: Sequence[Movement]) -> str:
    """What figures of gym sets were measured on.

    >>> gym_text([Movement("p", day, "row", "", ()) for day in ("monday", "friday", "friday")])
    'gym IMU, 3 sets of one lifter on 2 days'
    """
    days = len({m.day for m in movements})
    return f"gym IMU, {plural(len(movements), 'set')} of one lifter on {plural(days, 'day')}"


def confusion(outcome: ProtocolOutcome, *, of_sets: bool = False) -> Ints64:
    """Confusion matrix, int64 (k, k) for k labels: rows are the truth, columns the predictions."""
    size = len(outcome.labels)
    matrix = np.zeros((size, size), dtype=np.int64)
    for a in outcome.predictions:
        rows, columns = (a.set_truth, a.set_predicted) if of_sets else (a.truth, a.predicted)
        np.add.at(matrix, (rows, columns), 1)
    return matrix
