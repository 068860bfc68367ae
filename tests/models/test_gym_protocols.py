"""Protocols over gym days that were never seen: short sets, few days, few names."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.exercise.fit import FitSettings, fit_user
from models.exercise.protocols.gym import names_on_new_days
from models.exercise.protocols.model_selection import choose_settings
from models.exercise.protocols.trials import (
    Movement,
    group_data,
    of_one_layout,
    training_statistics,
    with_windows,
)
from models.exercise.protocols.trust import trust_on_new_days
from models.exercise.protocols.worn import worn_otherwise
from models.signal.timeline import cut
from models.signal.wrist import slice_of, wrist_signals
from schemas.errors import NotEnoughLabels
from schemas.report import Figure
from tests.pipelines.workouts import workout


def gym_day(seed: int, names: Sequence[str] = ("curl", "row")) -> list[Movement]:
    """The two sets of a day, each cut into two; of another name where `names` says so."""
    recording, spans = workout(seed)
    sets: list[Movement] = []
    for (start, end, _), name in zip(spans, names, strict=True):
        middle = (start + end) // 2
        for part, borders in enumerate(((start, middle), (middle, end))):
            signals = tuple(wrist_signals(cut(recording, *borders)))
            sets.append(Movement("me", f"day {seed}", name, f"{name}-1", signals, part))
    return sets


def gym_days(number: int) -> list[Movement]:
    return [movement for seed in range(number) for movement in gym_day(seed)]


def unusable(movement: Movement) -> list[Movement]:
    """The set cut short, mostly filled, and without rotation."""
    (signal,) = movement.signals
    filled = np.ones(len(signal.acc_g), dtype=bool)
    return [
        replace(movement, signals=(slice_of(signal, 0, 150),)),
        replace(movement, signals=(replace(signal, filled=filled),)),
        replace(movement, signals=(replace(signal, gyro_rad_s=None),)),
        replace(movement, signals=()),
    ]


def values(figures: Sequence[Figure]) -> dict[str, float | None]:
    return {figure.name: figure.value for figure in figures}


def test_sets_without_a_window_are_left_out_of_every_gym_protocol() -> None:
    days = gym_days(3)
    spoiled = [*days[:5], *unusable(days[5]), *days[5:]]
    assert with_windows(spoiled) == days
    assert names_on_new_days(spoiled).figures == names_on_new_days(days).figures
    assert trust_on_new_days(spoiled) == trust_on_new_days(days)
    assert worn_otherwise(spoiled) == worn_otherwise(days)
    (data,) = {figure.data for figure in worn_otherwise(spoiled)}
    assert data == "gym IMU, 12 sets of one lifter on 3 days"


def test_a_day_of_short_sets_alone_is_no_day() -> None:
    short = [replace(unusable(movement)[0], day="day 9") for movement in gym_day(0)]
    days = gym_days(2)
    assert names_on_new_days([*days, *short]).figures == names_on_new_days(days).figures


def test_a_set_with_stuck_rotation_is_learned_from_its_other_stretch() -> None:
    """A sensor that is stuck for ten seconds leaves a stretch without rotation."""
    movement = gym_day(0)[0]
    (signal,) = movement.signals
    stuck = replace(slice_of(signal, 0, 250), gyro_rad_s=None)
    mixed = replace(movement, signals=(stuck, slice_of(signal, 250, len(signal.acc_g))))
    rest = replace(movement, signals=mixed.signals[1:])
    found, expected = training_statistics([mixed]), training_statistics([rest])
    assert found.sums.tolist() == expected.sums.tolist()
    assert found.moments.tolist() == expected.moments.tolist()


def test_sets_that_all_lack_rotation_are_kept() -> None:
    sets = [
        replace(m, signals=tuple(replace(s, gyro_rad_s=None) for s in m.signals))
        for m in gym_day(0)
    ]
    assert of_one_layout(sets) == sets


def test_names_of_two_days_are_learned_without_choosing_settings() -> None:
    outcome = names_on_new_days(gym_days(2))
    assert len(outcome.predictions) == 8
    assert values(outcome.figures)["s4c_sets_apart"] == 0
    assert outcome.chosen == ("day 0: shrink 0.1", "day 1: shrink 0.1")


def test_one_group_leaves_the_first_settings_and_no_scores() -> None:
    choices = (FitSettings(shrink=0.3), FitSettings(shrink=0.6))
    chosen = choose_settings(
        {"day 0": group_data(gym_day(0))}, choices, lambda s, settings: fit_user(s, None, settings)
    )
    assert chosen == (choices[0], [])


def test_a_code_that_two_names_share_is_of_either() -> None:
    days = gym_days(3)
    shared = [replace(m, variant="dumbbell") for m in days]
    found, expected = (values(names_on_new_days(sets).figures) for sets in (shared, days))
    assert found["s4c_sets"] == expected["s4c_sets"]
    assert found["s4c_code_sets"] == expected["s4c_code_sets"]


def test_names_of_one_day_cannot_be_measured() -> None:
    with pytest.raises(NotEnoughLabels, match="there are 4 sets on 1 day"):
        names_on_new_days(gym_day(0))
    with pytest.raises(NotEnoughLabels, match="there are 0 sets on 0 days"):
        names_on_new_days([])


def test_without_a_name_on_two_days_shares_of_such_sets_are_not_measured() -> None:
    days = [*gym_day(0), *gym_day(1, ("press", "dip"))]
    figures = values(names_on_new_days(days).figures)
    assert math.isnan(figures["s4c_windows"] or 0)
    assert math.isnan(figures["s4c_sets"] or 0)
    assert figures["s4c_sets_all"] == 0.0
    assert figures["s4c_sets_apart"] == 8
    assert all(math.isnan(figure.value or 0) for figure in worn_otherwise(days))


def test_a_day_whose_others_teach_one_exercise_is_not_asked() -> None:
    outcome = names_on_new_days([*gym_day(0), *gym_day(1, ("curl", "curl"))])
    figures = values(outcome.figures)
    assert figures["s4c_sets_apart"] == 0
    assert len(outcome.predictions) == 4  # of day 1, named by day 0
    assert outcome.chosen[0].startswith("day 0: not asked, 2 exercises of")


def test_trust_skips_an_exercise_without_which_one_alone_is_left() -> None:
    figures = values(trust_on_new_days(gym_days(3)))
    assert math.isnan(figures["s4c_unknown_abstained"] or 0)
    assert figures["s4c_known_abstained"] == 0.0


def test_trust_and_wearing_of_one_day_are_not_measured() -> None:
    figures = [*trust_on_new_days(gym_day(0)), *worn_otherwise(gym_day(0))]
    assert len(figures) == 12
    assert all(math.isnan(figure.value or 0) for figure in figures)
