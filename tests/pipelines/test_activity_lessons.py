"""What stretches teach, without Spark: sums, blind guesses, and what travels between them."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from models.activity.codec import to_bytes
from models.activity.fit import fit_activity, fit_discriminant
from models.activity.logit import BorderModel
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.activity.job import fit_everybody, objection
from pipelines.activity.lessons import (
    BorderLesson,
    border_lessons,
    examples_of,
    labelled_stretches,
    lesson_from_bytes,
    lesson_to_bytes,
    sums_of,
)
from pipelines.activity.rows import (
    TAUGHT,
    BorderHalves,
    Exam,
    borders_of,
    exam_of,
    given_row,
    halves_of,
    judged_row,
    lesson_of,
    lessons_of,
    taught_row,
    total_of,
)
from pipelines.activity.seconds import compared, f1, judged, seconds_by
from schemas.errors import BadSamples
from tests.pipelines.workouts import LAYOUT, NOW, PARTS, stretch_of, walker

SET_S = sum(seconds for seconds, exercise in PARTS if exercise)
NO_BORDERS = (None, None)


def partition(person: int, *stretches) -> pa.Table:
    rows = [
        {
            "user_id": str(walker(person)),
            "model_id": LAYOUT,
            "session_id": str(one.head.session_id),
            "started_at": one.head.started_at,
            "spans": json.dumps(one.head.spans),
            "revision": one.head.revision,
            "samples": one.samples,
        }
        for one in stretches
    ]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def stretches():
    table = partition(0, stretch_of(2, NOW + timedelta(days=1)), stretch_of(1))
    return labelled_stretches(table)


@pytest.fixture(scope="module")
def two_days(stretches):
    return examples_of(stretches, LAYOUT)


@pytest.fixture(scope="module")
def whole(two_days):
    """Learned from all of it, borders included."""
    return fit_activity([e for day in two_days.values() for e in day], LAYOUT)


def test_stretches_come_in_order_and_the_newest_are_kept():
    several = [stretch_of(n, NOW + timedelta(hours=n)) for n in range(3)]
    table = partition(0, *reversed(several))
    assert [one.started_at for one in labelled_stretches(table)] == [
        one.head.started_at for one in several
    ]
    (kept,) = labelled_stretches(table, newest=1)
    assert kept.started_at == several[-1].head.started_at


def test_what_is_in_a_set_is_exercise_and_the_rest_is_idle(two_days):
    seconds = sums_of(two_days).label_seconds()
    lost = 4  # half a window at either end of a recording has no window of its own
    assert seconds["exercise"] == pytest.approx(2 * SET_S, abs=1)
    idle_s = sum(s for s, exercise in PARTS if not exercise)
    assert seconds["idle"] == pytest.approx(2 * (idle_s - lost), abs=2)


def blind(days, **more):
    """An only user's seconds, without borders unless some are given."""
    more = {"borders": lambda _: NO_BORDERS} | more
    return judged(days, sums_of(days), LAYOUT, alone=True, **more)


def far_off(size: int) -> BorderModel:
    """Sets every border as far before the first guess as it may look."""
    weights = np.zeros(size)
    weights[-6 + 2] = -99  # seconds after the guess: before the scores around it
    return BorderModel(np.zeros(size), np.ones(size), weights)


def test_a_day_is_judged_by_the_other_day(two_days):
    found = blind(two_days)
    assert sum(found.own) - found.own[1] == 2 * SET_S  # right and missed: all seconds of sets
    assert f1(found.own) > 0.95 > f1(found.rhythm)
    assert (found.own_later, found.incumbent) == ((0, 0, 0), (0, 0, 0))
    assert sum(blind(dict(list(two_days.items())[:1])).own) == 0


def test_what_serves_now_is_asked_about_later_days_only(two_days):
    model = fit_discriminant(sums_of(two_days), LAYOUT)
    found = blind(two_days, incumbent=(model, NOW))
    assert sum(found.own_later) - found.own_later[1] == SET_S
    assert sum(found.incumbent) - found.incumbent[1] == SET_S


def test_seconds_are_those_of_the_segments_that_the_service_answers_with(
    stretches, two_days, whole
):
    model = replace(whole, start=far_off(len(whole.start.mean)))
    total = np.zeros(3, dtype=int)
    for stretch in stretches:
        [signal] = wrist_signals(unpack_pieces(stretch.samples))
        found, truth = (
            [((a - signal.t0_ns) / 1e9, (b - signal.t0_ns) / 1e9) for a, b in spans]
            for spans in (
                [(one.start_ns, one.end_ns) for one in model.segments([signal])],
                stretch.spans,
            )
        )
        total += compared(signal, found, truth)
    examples = [e for day in two_days.values() for e in day]
    assert seconds_by(model, examples) == tuple(total)
    assert f1(seconds_by(whole, examples)) > 0.98 > 0.9 > f1(tuple(total))


def test_borders_that_are_off_count_against_a_candidate_and_against_what_serves(two_days, whole):
    bad = far_off(len(whole.start.mean)), None
    good = blind(two_days, borders=lambda _: (whole.start, whole.end))
    assert f1(good.own) > 0.98
    assert f1(blind(two_days, borders=lambda _: bad).own) < 0.9
    held = replace(whole, start=bad[0], end=None), NOW
    assert f1(blind(two_days, incumbent=held).incumbent) < 0.9
    assert f1(blind(two_days, incumbent=(whole, NOW)).incumbent) > 0.98


def test_border_examples_come_from_the_newest_days_until_there_are_enough(stretches, two_days):
    everybody = sums_of(two_days)
    found = border_lessons(stretches, everybody, LAYOUT, least=100)
    assert list(found) == list(two_days)
    assert [(len(one.starts), len(one.ends)) for one in found.values()] == [(2, 2), (2, 2)]
    older, newer = found.values()
    [few] = border_lessons(stretches, everybody, LAYOUT, least=1).values()
    assert [len(few.starts), len(few.ends)] == [1, 1]
    assert few.starts[0][2] == newer.starts[1][2]
    broken = [replace(stretches[0], samples=b"never looked at"), stretches[1]]
    [read] = border_lessons(broken, everybody, LAYOUT, least=2).values()
    assert lesson_to_bytes(read) == lesson_to_bytes(newer)
    cut = border_lessons(stretches, everybody, LAYOUT, least=3)
    assert [len(one.ends) for one in cut.values()] == [1, 2]
    assert cut[min(cut)].ends[0][2] == older.ends[1][2]


def test_the_passes_make_the_very_model_that_one_process_makes(two_days, whole):
    """Bit for bit: rows of the first two passes against `fit_activity` on all examples at once."""
    table = partition(0, stretch_of(1), stretch_of(2, NOW + timedelta(days=1)))
    key = (str(walker(0)), LAYOUT)
    given = given_row(key, table)
    taught = taught_row(key, table, lesson=lesson_of(given))
    assert [given[0]["status"], taught[0]["status"]] == ["learned", "learned"]
    made = fit_everybody(given, taught, LAYOUT)
    assert to_bytes(made) == to_bytes(whole)
    np.testing.assert_array_equal(total_of(given, LAYOUT).moments, sums_of(two_days).moments)


@pytest.fixture(scope="module")
def three():
    """Tables of three people, with what they give and teach."""
    keys = [(str(walker(n)), LAYOUT) for n in range(3)]
    tables = [partition(n, stretch_of(10 + n)) for n in range(3)]
    given = [row for key, table in zip(keys, tables, strict=True) for row in given_row(key, table)]
    lesson = lesson_of(given)
    pairs = zip(keys, tables, strict=True)
    taught = [row for key, table in pairs for row in taught_row(key, table, lesson=lesson)]
    return keys, tables, lesson, pa.Table.from_pylist(taught, schema=TAUGHT).to_pylist()


def same_borders(one, other) -> bool:
    return all(np.array_equal(a.weights, b.weights) for a, b in zip(one, other, strict=True))


def test_nobody_is_judged_by_borders_that_he_taught(three):
    keys, _, lesson, taught = three
    lessons = [one for _, one in lessons_of(taught, LAYOUT)]
    halves = halves_of(taught, LAYOUT, lesson)
    users = [user for user, _ in keys]
    first, second = borders_of([lessons[0], lessons[2]]), borders_of([lessons[1]])
    assert same_borders(halves.unseen_by(users[1]), first)
    assert same_borders(halves.unseen_by(users[0]), second)
    assert same_borders(halves.unseen_by(users[2]), second)
    assert not same_borders(first, second)


def test_an_only_users_days_are_judged_by_the_borders_of_other_days(three):
    keys, _, lesson, taught = three
    days = ["2026-11-01", "2026-11-02", "2026-11-03"]
    one = {**taught[0], "days": days, "borders": [row["borders"][0] for row in taught]}
    halves = halves_of([one], LAYOUT, replace(lesson, alone=frozenset({LAYOUT})))
    lessons = [lesson for _, lesson in lessons_of([one], LAYOUT)]
    assert same_borders(halves.unseen_by(days[1]), borders_of([lessons[0], lessons[2]]))
    assert same_borders(halves.unseen_by(days[0]), borders_of([lessons[1]]))
    single = halves_of([{**one, "days": days[:1], "borders": one["borders"][:1]}], LAYOUT, lesson)
    assert single.unseen_by(keys[0][0]) == NO_BORDERS


def seconds_in(key, table, exam):
    [row] = judged_row(key, table, exam=exam)
    return json.loads(row["judged"])["own"]


def test_each_half_is_judged_by_what_the_other_taught(three, whole):
    keys, tables, lesson, taught = three
    good, bad = (whole.start, whole.end), (far_off(len(whole.start.mean)), None)
    exam = replace(
        exam_of(lesson, taught, {}),
        halves={LAYOUT: BorderHalves(frozenset({keys[0][0]}), of_first=bad, of_second=good)},
    )
    assert f1(seconds_in(keys[0], tables[0], exam)) > 0.98
    assert f1(seconds_in(keys[1], tables[1], exam)) < 0.9


def test_an_only_users_halves_are_days(whole):
    table = partition(0, stretch_of(1), stretch_of(2, NOW + timedelta(days=1)))
    key = (str(walker(0)), LAYOUT)
    lesson = lesson_of(given_row(key, table))
    first = frozenset({NOW.date().isoformat()})
    good, bad = (whole.start, whole.end), (far_off(len(whole.start.mean)), None)

    def own(*halves) -> float:
        return f1(seconds_in(key, table, Exam(lesson, {LAYOUT: BorderHalves(first, *halves)}, {})))

    worst, best = own(bad, bad), own(good, good)
    assert worst < own(good, bad) < best
    assert worst < own(bad, good) < best


def test_border_examples_travel_unchanged(stretches, two_days):
    found = border_lessons(stretches, sums_of(two_days), LAYOUT, least=100)
    for lesson in found.values():
        back = lesson_from_bytes(lesson_to_bytes(lesson))
        for several, before in ((back.starts, lesson.starts), (back.ends, lesson.ends)):
            for one, other in zip(several, before, strict=True):
                np.testing.assert_array_equal(one[0], other[0])
                np.testing.assert_array_equal(one[1], other[1])
                assert one[2] == other[2]
    assert lesson_from_bytes(lesson_to_bytes(BorderLesson([], []))) == BorderLesson([], [])


def test_broken_rows_are_reasons():
    table = partition(0, stretch_of(1), stretch_of(2, samples=b"\x93 no samples"))
    (row,) = given_row((str(walker(0)), LAYOUT), table)
    assert (row["status"], row.get("given")) == ("failed", None)
    assert "BadSamples" in row["reason"]
    spans = table.set_column(4, "spans", pa.array(["{}", "[[1]]"]))
    with pytest.raises(BadSamples):
        labelled_stretches(spans)


def test_a_layout_that_nobody_knows_is_a_reason_and_not_another_layout():
    (row,) = given_row((str(walker(0)), "ankle-acc3"), partition(0, stretch_of(1)))
    assert (row["model_id"], row["status"]) == ("ankle-acc3", "failed")
    assert "'ankle-acc3' is no layout of wrist data: wrist-acc6, wrist-acc3" in row["reason"]


@pytest.mark.parametrize(
    ("judged", "says"),
    [
        ({"own": (9, 1, 1), "rhythm": (7, 1, 3)}, ""),
        ({"own": (0, 0, 0), "rhythm": (7, 1, 3)}, "no other person and no other day"),
        ({"own": (7, 1, 3), "rhythm": (7, 1, 3)}, "without learning"),
        (
            {"own": (9, 1, 1), "rhythm": (7, 1, 3), "own_later": (8, 1, 2), "incumbent": (9, 1, 1)},
            "what serves now",
        ),
        (
            {"own": (9, 1, 1), "rhythm": (7, 1, 3), "own_later": (9, 1, 1), "incumbent": (8, 1, 2)},
            "",
        ),
    ],
)
def test_the_gate(judged, says):
    rungs = dict.fromkeys(("own", "rhythm", "own_later", "incumbent"), (0, 0, 0)) | judged
    reason = objection(rungs, 0.01)
    assert (says in reason) if says else reason == ""
