"""Activity models at 10 Hz: sets with a tremor that such a device cannot record."""

from dataclasses import replace

import numpy as np
import pytest

from models import codec
from models.activity.codec import MODEL_TAG, SLOW, from_bytes, to_bytes
from models.activity.evaluate import ActivityRecording
from models.activity.features import low_rate_columns
from models.activity.fit import fit_activity
from models.activity.model import ActivityModel, LowRateDiscriminant
from models.signal.windows import RATE_HZ
from schemas.errors import BadModelBytes
from schemas.inputs import ACC6
from schemas.notes import LOW_RATE
from tests.models.activity_sessions import NS, examples_of, session
from tests.models.low_rate import BUZZ_G, BUZZ_HZ, at_10_hz


def buzzing(seed: int) -> ActivityRecording:
    """A session with a tremor of the wrist in its sets, and only there."""
    recording = session(seed, day=f"day-{seed}")
    (signal,) = recording.signals
    at_s = np.arange(len(signal.acc_g)) / RATE_HZ
    inside = np.zeros(len(at_s))
    for start_ns, end_ns in recording.sets_ns:
        inside[(at_s >= start_ns / NS) & (at_s < end_ns / NS)] = BUZZ_G
    tremor = (inside * np.sin(2 * np.pi * BUZZ_HZ * at_s)).astype(np.float32)
    return replace(recording, signals=(replace(signal, acc_g=signal.acc_g + tremor[:, None]),))


@pytest.fixture(scope="module")
def trained() -> ActivityModel:
    """A model of five sessions at 50 Hz."""
    return fit_activity(examples_of([buzzing(k) for k in range(5)]), ACC6)


def test_sets_are_found_at_a_low_rate_without_the_tremor(trained: ActivityModel) -> None:
    unseen = buzzing(99)
    signals = at_10_hz(unseen.signals[0])
    assert signals[0].notes == (LOW_RATE,)
    found = from_bytes(to_bytes(trained)).segments(signals)
    assert len(found) == 2
    for segment, (start_ns, end_ns) in zip(found, unseen.sets_ns, strict=True):
        assert abs(segment.start_ns - start_ns) < 2 * NS
        assert abs(segment.end_ns - end_ns) < 2 * NS


def test_bytes_without_low_rate_weights_are_refused(trained: ActivityModel) -> None:
    meta, arrays = codec.unpack(to_bytes(trained), MODEL_TAG)
    kept = {name: one for name, one in arrays.items() if name != SLOW}
    with pytest.raises(BadModelBytes, match=SLOW):
        from_bytes(codec.pack(MODEL_TAG, meta, kept))


def test_low_rate_weights_are_not_used_at_full_rate(trained: ActivityModel) -> None:
    signals = buzzing(99).signals
    other = replace(trained, low_rate=LowRateDiscriminant(np.zeros_like(trained.weights), -9.0))
    assert trained.segments(signals) == other.segments(signals)
    assert other.segments(at_10_hz(signals[0])) == ()


def test_low_rate_odds_ignore_features_of_high_frequencies(trained: ActivityModel) -> None:
    x = np.random.default_rng(0).normal(size=(4, len(trained.weights))).astype(np.float32)
    other = x + 9
    other[:, low_rate_columns(True)] = x[:, low_rate_columns(True)]
    odds = [trained.log_odds(one, low_rate=True).tolist() for one in (x, other)]
    assert odds[0] == odds[1]


def test_low_rate_weights_of_a_wrong_shape_are_refused(trained: ActivityModel) -> None:
    torn = replace(trained, low_rate=LowRateDiscriminant(np.ones(3, np.float32), 0.0))
    with pytest.raises(BadModelBytes):
        from_bytes(to_bytes(torn))
