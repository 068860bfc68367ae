"""S8: processor time of a window on one core. The clock is a parameter: models have none."""

from collections.abc import Callable, Sequence

import numpy as np

from models.exercise.features import cut_signal, window_features
from models.exercise.fit import fit_global, fit_user
from models.exercise.kernel import features
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.trials import Movement, people, training_statistics
from models.exercise.statistics import total
from schemas.errors import NotEnoughLabels

Clock = Callable[[], float]
PROTOCOL = "one core, best of fifteen rounds, process seconds"
ROUNDS = 15  # short ones: a long round is always disturbed by other processes
REPEATS = 40


def cost(movements: Sequence[Movement], clock_s: Clock) -> ProtocolOutcome:
    """Features alone and in a batch, the model's part of an answer, and the fit.

    Args:
        movements: of two people or more.
        clock_s: seconds of processor time, such as `time.process_time`.
    """
    signal = movements[0].signals[0]
    cut = cut_signal(signal, 0.1)
    if cut.gyro is None:
        raise NotEnoughLabels("the cost is that of a wrist with rotation")
    acc, gyro = cut.acc, cut.gyro
    training = [training_statistics(sets) for sets in people(movements).values()]
    others = fit_global(total(training[1:]))
    model = fit_user(training[0], others)
    t0_ns, x = cut.t0_ns[:1], window_features(signal).x[:1]
    one_window_s = _seconds(lambda: features(acc[:1], gyro[:1]), REPEATS, clock_s)
    batch_s = _seconds(lambda: features(acc, gyro), 1, clock_s) / len(acc)
    model_s = _seconds(lambda: model.score_set(x, ()), REPEATS, clock_s)
    answer_s = _seconds(lambda: model.predict_windows(t0_ns, x), REPEATS, clock_s)
    fit_s = _seconds(lambda: fit_user(training[0], others), 1, clock_s)
    measured = ProtocolData(SPAR, PROTOCOL)
    return ProtocolOutcome(
        (
            measured.figure("s8_features_one_ms", one_window_s * 1e3),
            measured.figure("s8_features_batch_us", batch_s * 1e6),
            measured.figure("s8_model_us", model_s * 1e6),
            measured.figure("s8_answer_us", answer_s * 1e6, unit="us"),
            measured.figure("s2_fit_s", fit_s),
        )
    )


def _seconds(call: Callable[[], object], repeats: int, clock_s: Clock) -> float:
    call()
    rounds: list[float] = []
    for _ in range(ROUNDS):
        start_s = clock_s()
        for _ in range(repeats):
            call()
        rounds.append((clock_s() - start_s) / repeats)
    return float(np.min(rounds))
