"""Recognition of recordings with lost packets."""

from functools import reduce
from operator import add

import numpy as np
import pytest

from ingest.importers.imported import ImportedRecording
from models.activity.examples import activity_examples
from models.activity.fit import fit_activity
from models.activity.traces import core_distance, traces
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_user
from models.form.model import FormModel
from models.recognition.naming import Rung
from models.recognition.sets import RecognisedSet, RecognitionModels, measure_set, recognise
from models.reps.lost import continued
from models.signal.pieces import Recording
from models.signal.timeline import cut, timeline
from models.signal.wrist import WristSignal, wrist_signals
from muvr.evaluation.devices import as_recorded_by, with_packet_loss
from schemas.inputs import ACC6
from schemas.notes import FILLED_GAPS
from tests.models.near_traces import traces_within
from tests.peak_memory import peak_bytes
from tests.pipelines.workouts import S_NS, workout

BORDER_NS = 3 * S_NS


@pytest.fixture(scope="module")
def learned() -> RecognitionModels:
    """Models of three workouts."""
    done = [workout(seed) for seed in (1, 2, 3)]
    examples = [
        example
        for n, (recording, spans) in enumerate(done)
        for example in activity_examples(
            wrist_signals(recording), [(a, b) for a, b, _ in spans], str(n), ACC6
        )
    ]
    sets = [
        set_statistics(wrist_signals(cut(recording, a, b)), name, seed=n)
        for n, (recording, spans) in enumerate(done)
        for a, b, name in spans
    ]
    ladder = (Rung("user", "v", fit_user(reduce(add, sets))),)
    return RecognitionModels(ladder, fit_activity(examples, ACC6))


@pytest.fixture(scope="module")
def whole(learned: RecognitionModels) -> tuple[RecognisedSet, ...]:
    """The recognised sets of the recording without losses."""
    return recognise(workout(9)[0], learned)


def with_losses(recording: Recording, packet_s: float, share: float) -> Recording:
    whole = ImportedRecording("somebody", None, recording, ())
    return as_recorded_by(whole, with_packet_loss(packet_s, share)).recording


@pytest.mark.parametrize(
    ("packet_s", "share", "miscounted"),
    [(0.2, 0.2, 1), (0.5, 0.2, 1), (1.0, 0.2, 1), (2.0, 0.15, 1)],
)
def test_sets_with_lost_packets_are_found_named_and_counted(
    learned: RecognitionModels,
    whole: tuple[RecognisedSet, ...],
    packet_s: float,
    share: float,
    miscounted: int,
) -> None:
    recording, spans = workout(9)
    sent = with_losses(recording, packet_s, share)
    heard = len(sent.acc[0].counts) / len(recording.acc[0].counts)
    assert abs(1 - share - heard) < 0.1  # packets were lost
    sets = recognise(sent, learned)
    assert [set_.named.prediction.exercise for set_ in sets] == [name for _, _, name in spans]
    for set_, as_it_was, (start_ns, end_ns, _) in zip(sets, whole, spans, strict=True):
        assert max(abs(set_.start_ns - start_ns), abs(set_.end_ns - end_ns)) <= BORDER_NS
        assert set_.counted is not None
        assert as_it_was.counted is not None
        assert abs(set_.counted.count - as_it_was.counted.count) <= miscounted
        assert FILLED_GAPS not in as_it_was.named.prediction.notes
        lost = any(
            s.filled is not None for s in wrist_signals(cut(sent, set_.start_ns, set_.end_ns))
        )
        assert (FILLED_GAPS in set_.named.prediction.notes) == lost
    assert any(FILLED_GAPS in set_.named.prediction.notes for set_ in sets)


def test_untrained_rhythm_finds_sets_with_lost_packets() -> None:
    recording, spans = workout(9)
    sets = recognise(with_losses(recording, 1.0, 0.1), RecognitionModels())
    for start_ns, end_ns, _ in spans:
        shared = [min(set_.end_ns, end_ns) - max(set_.start_ns, start_ns) for set_ in sets]
        assert max(shared) > 0.8 * (end_ns - start_ns)


def test_form_is_not_measured_for_a_confirmed_set_with_many_losses() -> None:
    recording, ((start_ns, end_ns, name), _) = workout(9)
    book = {ACC6: FormModel({})}
    assert measure_set(timeline(recording), start_ns, end_ns, name, book) is not None
    lossy = with_losses(recording, 0.5, 0.3)
    assert measure_set(timeline(lossy), start_ns, end_ns, name, book) is None


def test_filled_gaps_do_not_look_like_rest() -> None:
    recording, ((start_ns, end_ns, _), _) = workout(9)
    (plain,) = wrist_signals(recording)
    (signal,) = wrist_signals(with_losses(recording, 1.0, 0.2))
    begun_ns = signal.t0_ns - BORDER_NS
    core_s = (start_ns - begun_ns) / S_NS, (end_ns - 2 * BORDER_NS - begun_ns) / S_NS
    inside = slice(round(core_s[0] * 10), round(core_s[1] * 10))
    size = traces(plain, core_s)[inside, 0], traces(signal, core_s)[inside, 0]
    assert np.isfinite(size[1]).all()
    assert size[1].min() > size[0].min() - 0.3


def swings(n: int) -> np.ndarray:
    """A wrist that swings every two seconds, as (n, 3)."""
    turn = np.pi * np.arange(n) / 50
    return np.stack([np.cos(turn), np.sin(turn), 0.3 * np.sin(2 * turn)], axis=1)


def test_lost_repetition_is_filled_from_another_repetition() -> None:
    whole = swings(1500)
    lost = np.zeros(1500, bool)
    lost[500:620] = lost[900:950] = True
    rows = np.arange(1500)
    on_lines = np.stack([np.interp(rows, rows[~lost], x[~lost]) for x in whole.T], axis=1)
    assert np.abs(on_lines - whole).max() > 0.5
    assert np.abs(continued(on_lines, lost) - whole).max() < 0.05


def test_aperiodic_noise_is_not_filled() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (600, 6))
    lost = np.zeros(600, bool)
    lost[:20] = lost[250:320] = lost[590:] = True
    assert np.array_equal(continued(noise, lost), noise)


def test_traces_use_only_the_surroundings_of_a_set() -> None:
    recording, ((start_ns, end_ns, _), _) = workout(9)
    (signal,) = wrist_signals(recording)
    core_s = (start_ns - signal.t0_ns) / S_NS + 2, (end_ns - signal.t0_ns) / S_NS - 2
    some, every = traces_within(signal, core_s, 10.0), traces_within(signal, core_s, 1e6)
    assert some.shape == every.shape
    near = slice(round(core_s[0] - 8) * 10, round(core_s[1] + 8) * 10)
    np.testing.assert_allclose(some[near], every[near], atol=1e-6)
    assert (some[-300:] == some[-1]).all()
    assert not (every[-300:] == every[-1]).all()


def test_traces_of_half_an_hour_use_bounded_memory() -> None:
    signal = WristSignal(0, np.tile(swings(100), (900, 1)).astype(np.float32), None, "left")
    core_s = (2.0, signal.duration_s - 2.0)
    trace, most = peak_bytes(lambda: traces(signal, core_s), 400e6)
    assert np.isfinite(trace).all()
    assert most < 400e6  # a full distance matrix of 18,000 rows would take 2.6 GB


def test_core_distance_of_four_hours_uses_bounded_memory() -> None:
    """A hike may be one set. Windows overlap: copies of all of them are 40 times the signal."""
    rows, period, samples = 4 * 36_000, 50, 40
    x = np.tile(swings(2 * period)[::2], (rows // period, 2))
    core = np.arange(1000, 1000 + 2 * period)  # windows of one time are not compared
    limit_bytes = samples * x.nbytes / 4
    distance, most = peak_bytes(lambda: core_distance(x, core, samples), limit_bytes)
    assert np.abs(distance[samples:-samples]).max() < 1e-4  # every period is alike
    assert most < limit_bytes
