"""S8: what the repetition counter costs on one core, beside the exercise family's own cost."""

import time
from collections.abc import Sequence

import numpy as np

from models.exercise.protocols.cost import cost
from models.exercise.protocols.floors import figure
from models.exercise.protocols.trials import Movement
from models.reps.count import count_repetitions
from schemas.report import Figure

ROUNDS = 5


def cost_figures(movements: Sequence[Movement]) -> list[Figure]:
    """Processor seconds of features, model, fit and counter, with their ceilings."""
    signals = [signal for m in movements[:7] for signal in m.signals]
    seconds_of_signal = sum(signal.duration_s for signal in signals)
    rounds: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for signal in signals:
            count_repetitions(signal)
        rounds.append((time.process_time() - began) / seconds_of_signal)
    counter = figure(
        "s8_counter_ms_per_s",
        1e3 * float(np.min(rounds)),
        data="SPAR-10, seven recordings",
        protocol="one core, best of five rounds, processor seconds per second of signal",
    )
    return [*cost(movements, time.process_time).figures, counter]
