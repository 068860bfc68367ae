"""`muvr evaluate`: which files a run writes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.importers.gym import gym_is_there
from models.activity.evaluate import ActivityRecording
from models.exercise.protocols.floors import FLOORS_BY_PROTOCOL
from models.exercise.protocols.trials import Movement
from models.reps.examples import RepsExample
from muvr.context import CommandContext
from muvr.evaluation import command
from muvr.evaluation.command import PROTOCOLS, Protocol
from muvr.evaluation.recordings import EvaluationData
from muvr.evaluation.sections import SECTIONS, section_of
from muvr.terminal import Terminal
from schemas.config import Config
from schemas.errors import BadInput, NotEnoughLabels
from schemas.inputs import ACC6
from schemas.report import Figure
from tests.models.activity_sessions import session
from tests.models.curls import curl
from tests.models.gym_days import gym_day, gym_days
from tests.models.movements import movement

NOTHING = EvaluationData((), (), (), (), Path("/nowhere/gym"))
GYM_ALONE = {  # figures of each protocol over the gym recordings; the others take minutes
    "activity": ["s4_precision", "s4_recall", "s4b_start", "s4b_end", "s4b_both_3s"],
    "exercise": ["s4c_windows", "s4c_sets"],
    "reps": ["s5_gym", "s5_gym_exact"],
}


GYM_FLOORS = [name for one in ("s4", "s4c", "s5_gym") for name in FLOORS_BY_PROTOCOL[one]]


def protocol(name: str) -> Protocol:
    """A protocol with one figure."""

    def run(recordings: EvaluationData, results: command.ProtocolResults) -> None:
        results.figures.append(Figure(name, 0.9, floor=0.8))

    return Protocol(name, lambda _: "none", run)


def named(name: str) -> Protocol:
    """One of the command's own protocols."""
    return next(one for several in PROTOCOLS.values() for one in several if one.name == name)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandContext:
    monkeypatch.setattr(command, "read_data", lambda *folders: NOTHING)
    protocols = {"reps": [protocol("s5_gym")], "cost": [protocol("fit_ms")]}
    monkeypatch.setattr(command, "PROTOCOLS", protocols)
    config = Config()
    paths = config.paths.model_copy(update={"reports": tmp_path})
    config = config.model_copy(update={"paths": paths})
    return CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))


def names_in(path: Path) -> list[str]:
    return [figure["name"] for figure in json.loads(path.read_text())["figures"]]


def test_evaluating_one_family_does_not_change_the_full_report(context: CommandContext) -> None:
    reports = context.config.paths.reports
    assert command.run(context, "all")
    whole = (reports / "evaluate.json").read_bytes(), (reports / "evaluate.html").read_bytes()
    assert names_in(reports / "evaluate.json") == ["s5_gym", "fit_ms"]
    assert command.run(context, "reps")
    assert names_in(reports / "evaluate-reps.json") == ["s5_gym"]
    assert "s5_gym" in (reports / "evaluate-reps.html").read_text()
    found = (reports / "evaluate.json").read_bytes(), (reports / "evaluate.html").read_bytes()
    assert found == whole


def test_an_unknown_family_is_rejected_with_the_known_ones(context: CommandContext) -> None:
    with pytest.raises(BadInput, match="squats has no protocol; there are reps, cost, all"):
        command.run(context, "squats")


@pytest.mark.parametrize("family", GYM_ALONE)
def test_without_gym_recordings_unmeasured_figures_are_listed_with_instructions(
    context: CommandContext,
    family: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"activity": "s4", "exercise": "s4c", "reps": "s5"}
    monkeypatch.setattr(command, "PROTOCOLS", {family: [named(names[family])]})
    monkeypatch.setattr(command, "reps_figures", lambda counted: {"s5_spar": 1.0})
    shown = CommandContext(context.config, context.conf_path, Terminal())
    assert not command.run(shown, family)
    out, err = capsys.readouterr()
    assert "MISSED" not in out
    assert out.count("NOT MEASURED") == len(GYM_ALONE[family])
    assert f"Not measured: {', '.join(GYM_ALONE[family])}." in err
    assert "not at /nowhere/gym (paths.gym)" in err
    assert "MUVR_PATHS__GYM" in err
    assert "Kaggle" in err
    written = json.loads((context.config.paths.reports / f"evaluate-{family}.json").read_text())
    unasked = [figure for figure in written["figures"] if figure["value"] is None]
    assert [one["name"] for one in unasked] == GYM_ALONE[family]
    assert all(one["holds"] is False for one in unasked)
    assert all("/nowhere/gym" in one["data"] for one in unasked)


def test_every_gym_floor_is_listed_when_gym_recordings_are_missing() -> None:
    assert sorted(sum(GYM_ALONE.values(), [])) == sorted(GYM_FLOORS)


def test_a_gym_folder_without_its_files_counts_as_missing(tmp_path: Path) -> None:
    assert not gym_is_there(tmp_path)
    for name in ("segments.csv", "samples.parquet"):
        (tmp_path / name).touch()
    assert gym_is_there(tmp_path)


def test_form_of_both_arms_is_reported_from_the_counted_sets() -> None:
    """Three people, each with a pace of their own on both wrists."""
    sets = tuple(
        Movement(str(k), "", "curl", "", (replace(curl(8, period_s=1.6 + 0.4 * k), side=side),))
        for k in range(3)
        for side in ("left", "right")
    )
    results = command.ProtocolResults()
    named("form").run(replace(NOTHING, spar=sets), results)
    figures = {figure.name: figure.value for figure in results.figures}
    assert figures["form_r_duration_s"] == pytest.approx(1.0, abs=0.01)
    assert (
        {section_of(name) for name in figures} == {"form"} < {section.key for section in SECTIONS}
    )


def cannot(*_: object, **__: object) -> None:
    raise NotEnoughLabels("two are needed")


def of_days(number: int) -> EvaluationData:
    """Gym recordings of this many days, whose sets have no number of repetitions."""
    whole = tuple(session(k, day=f"day {k}", t0_ns=k * 1000 * 10**9) for k in range(number))
    sets = gym_days(number) if number > 1 else gym_day(0)
    return EvaluationData((), tuple(sets), whole, (), Path("/somewhere/gym"))


def evaluated(
    context: CommandContext, data: EvaluationData, monkeypatch: pytest.MonkeyPatch
) -> tuple[bool, dict[str, Figure]]:
    """Whether the gym's protocols hold on this data, and the figures of the report."""
    own = [named(name) for name in ("s4c", "s4c_trust", "s7_worn", "s5", "s4")]
    monkeypatch.setattr(command, "read_data", lambda *folders: data)
    monkeypatch.setattr(command, "PROTOCOLS", {"exercise": [*own, protocol("s8_fit_ms")]})
    monkeypatch.setattr(command, "reps_figures", lambda counted: {"s5_spar": 1.0})
    shown = CommandContext(context.config, context.conf_path, Terminal())
    holds = command.run(shown, "all")
    path = context.config.paths.reports / "evaluate.json"
    written = json.loads(path.read_text(), parse_constant=pytest.fail)["figures"]
    kept = ("name", "value", "floor", "data", "protocol")
    figures = [Figure(**{name: one[name] for name in kept}) for one in written]
    return holds, {figure.name: figure for figure in figures}


def test_one_gym_day_is_not_measured_and_everything_else_is(
    context: CommandContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    holds, figures = evaluated(context, of_days(1), monkeypatch)
    assert not holds
    unmeasured = {name for name, figure in figures.items() if figure.verdict == "not measured"}
    assert unmeasured == set(GYM_FLOORS)
    assert (figures["s8_fit_ms"].value, figures["s5_spar"].value) == (0.9, 1.0)
    assert figures["s4_recall"].data == "gym IMU, 2 sets on 1 day"
    out, err = capsys.readouterr()
    assert "s4c_sets. It cannot be measured: no day can be named from the others: there are" in err
    assert "s4b_both_3s. It cannot be measured: a day is left out of two or more" in err
    assert "s5_gym_exact. No gym set has a number of repetitions." in err
    assert "Not measured: s4c_own_sets_ece" in out  # without a floor: no error
    assert "/somewhere/gym" not in err
    page = (context.config.paths.reports / "evaluate.html").read_text()
    assert "It cannot be measured: a day is left out of two or more" in page


def test_figures_name_the_sets_and_days_that_were_read(
    context: CommandContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = tuple(
        RepsExample("gym", f"day {k % 2}", (curl(6, seed=k),), 6, None) for k in range(7)
    )
    _, figures = evaluated(context, replace(of_days(2), counted=counted), monkeypatch)
    assert figures["s4c_sets"].data == "gym IMU, 8 sets of one lifter on 2 days"
    assert figures["s7_worn_wrong_side_right"].data == "gym IMU, 8 sets of one lifter on 2 days"
    assert figures["s4_recall"].data == "gym IMU, 4 sets on 2 days"
    assert "gym IMU, 7 sets on 2 days" in (figures["s5_spar"].data or "")


def test_a_protocol_without_enough_data_fails_the_command_and_not_the_others(
    context: CommandContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [command._spar(cannot, "s1", ACC6), protocol("fit_ms")]
    monkeypatch.setattr(command, "PROTOCOLS", {"exercise": steps})
    assert not command.run(
        CommandContext(context.config, context.conf_path, Terminal()), "exercise"
    )
    names = ["s1_windows", "s1_sets", "s1_ece"]
    assert names_in(context.config.paths.reports / "evaluate-exercise.json") == [*names, "fit_ms"]
    said = capsys.readouterr().err
    assert f"Not measured: {', '.join(names)}. It cannot be measured: two are needed." in said


@pytest.mark.parametrize("one", sum(PROTOCOLS.values(), []), ids=lambda one: one.name)
def test_protocol_that_cannot_be_measured_names_its_own_data_and_is_on_the_page(one: Protocol):
    results = command.ProtocolResults()
    command._take(replace(one, run=cannot), of_days(2), results)
    assert {figure.name for figure in results.figures} >= {figure.name for figure in one.promised}
    for figure in results.figures:
        assert section_of(figure.name) in {section.key for section in SECTIONS}
        assert (figure.value, figure.verdict) == (None, "not measured" if figure.floor else "")
        reads_gym = one.name.startswith(("s4", "s7_worn"))
        assert (figure.data or "").startswith("gym IMU, 4 sets" if reads_gym else "SPAR-10")


@pytest.mark.parametrize("name", ["s1", "s6", "s8"])
def test_promised_figures_are_those_that_are_measured_against_a_floor(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.exercise.protocols.cost.ROUNDS", 1)
    monkeypatch.setattr("muvr.evaluation.cost.ROUNDS", 1)
    moves = {"swing": 1, "turn": 2, "press": 3}
    sets = tuple(
        Movement(str(person), "", move, "", (movement(move, 10 * person + seed, 30.0),))
        for person in range(3)
        for move, seed in moves.items()
    )
    results = command.ProtocolResults()
    named(name).run(replace(NOTHING, spar=sets), results)
    measured = [figure for figure in results.figures if figure.floor is not None]
    assert [floored(figure) for figure in measured] == [
        floored(figure) for figure in named(name).promised
    ]


def floored(figure: Figure) -> tuple[object, ...]:
    return figure.name, figure.unit, figure.floor, figure.ceiling


def test_days_of_sets_that_begin_with_their_recordings_leave_borders_unmeasured(
    context: CommandContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = of_days(2)
    whole = tuple(map(cut_to_sets, data.gym_whole))
    holds, figures = evaluated(context, replace(data, gym_whole=whole), monkeypatch)
    assert not holds
    assert figures["s4b_start"].verdict == "not measured"
    assert figures["s4_recall"].value is not None


def cut_to_sets(recording: ActivityRecording) -> ActivityRecording:
    """The recording with one set, which lasts until its end."""
    (signal,) = recording.signals
    end_ns = signal.t0_ns + round(signal.duration_s * 1e9)
    return replace(recording, sets_ns=((recording.sets_ns[-1][0], end_ns),))


@pytest.mark.parametrize("as_json", [False, True])
def test_what_recordings_leave_out_is_told_on_stderr(
    context: CommandContext,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    as_json: bool,
) -> None:
    said = "segments.csv segment 7, column reps: '8+2' is no number"
    monkeypatch.setattr(command, "read_data", lambda *_: replace(NOTHING, remarks=(said,)))
    shown = CommandContext(context.config, context.conf_path, Terminal(as_json=as_json))
    assert command.run(shown, "all")
    out, err = capsys.readouterr()
    assert f"note: {said}" in err
    assert said not in out
