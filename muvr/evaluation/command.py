"""`muvr evaluate`: runs the protocols one after another, and writes the report and the page."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.importers.gym import HOW_TO_GET
from models.activity.evaluate import activity_figures, leave_one_day_out
from models.exercise.protocols.floors import figure, unmeasured
from models.exercise.protocols.gym import names_on_new_days
from models.exercise.protocols.outcome import SPAR, ProtocolOutcome
from models.exercise.protocols.trials import without_rotation
from models.exercise.protocols.trust import trust_on_new_days
from models.exercise.protocols.unknown import unknown_exercise
from models.exercise.protocols.unseen_people import unseen_people
from models.exercise.protocols.user_models import enrolment, user_models
from models.exercise.protocols.worn import worn_otherwise
from models.exercise.protocols.wrists import other_wrist
from models.form.evaluate import FormSet, form_figures
from models.reps.count import count_repetitions
from models.reps.evaluate import reps_figures
from muvr.context import CommandContext
from muvr.evaluation.cost import cost_figures
from muvr.evaluation.page import write_page
from muvr.evaluation.recordings import EvaluationData, read_data
from muvr.evaluation.results import ProtocolResults
from muvr.reports import show_figures, write_report
from muvr.terminal import Terminal
from pipelines.lifecycle.threads import one_blas_thread
from schemas.errors import BadInput, CannotLearn
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.plurals import plural
from schemas.report import Figure

FORM = "sets as counted; people's left and right arms are compared within each exercise"
REPS = "weights and confidence chosen in four of five folds by person or day, scored on the fifth"
DAYS = (
    "leave one day out; discriminant and borders learned on the other days, the constants of "
    "models/activity/settings.py fixed beforehand, with days of this lifter in sight"
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol that `muvr evaluate` runs.

    Attributes:
        name: what stands for its figures where it cannot be measured and promises none; it begins
            with the section of the page that they belong to.
        data: the recordings that it reads, in words.
        run: measures, and keeps the results.
        promised: the figures that it measures against a floor where the recordings are enough.
    """

    name: str
    data: Callable[[EvaluationData], str]
    run: Callable[[EvaluationData, ProtocolResults], None]
    promised: tuple[Figure, ...] = ()


def run(context: CommandContext, family: str) -> bool:
    """Run a family's protocols, write and show the report; whether every floor holds.

    A protocol whose recordings are not enough is not measured, and the others go on.

    Raises:
        BadInput: no such family.
    """
    if family not in (*PROTOCOLS, "all"):
        known = ", ".join((*PROTOCOLS, "all"))
        raise BadInput(f"{family} has no protocol; there are {known}", field="family", value=family)
    began = time.monotonic()
    results = ProtocolResults()
    with context.terminal as terminal:
        terminal.step("read recordings", 0, 1)
        recordings = read_data(context.config.paths.datasets, context.config.paths.gym)
        terminal.step("read recordings", 1, 1)
        terminal.notes(recordings.remarks)
        asked = [p for f, several in PROTOCOLS.items() if family in (f, "all") for p in several]
        for done, protocol in enumerate(asked):
            terminal.step("protocols", done, len(asked))
            _take(protocol, recordings, results)
        terminal.step("protocols", len(asked), len(asked))
    reports = context.config.paths.reports
    name = "evaluate" if family == "all" else f"evaluate-{family}"  # the whole report stays whole
    report = write_report(name, time.monotonic() - began, results.figures, reports)
    write_page(reports / f"{name}.html", report, results)
    show_figures(context.terminal, name, report.figures)
    _tell_unmeasured(context.terminal, results, report.figures)
    context.terminal.say(f"The page is {reports / name}.html.")
    context.terminal.answer(report.as_json())
    return report.holds and not results.reasons


def _tell_unmeasured(
    terminal: Terminal, results: ProtocolResults, figures: Sequence[Figure]
) -> None:
    """Say what was not measured and why: as an error where the command fails for it."""
    required = [f for f in figures if f.floor is not None or f.name in results.reasons]
    for sentence in results.sentences(required):
        terminal.fail(sentence)
    for sentence in results.sentences([f for f in figures if f not in required]):
        terminal.say(sentence)


def _take(protocol: Protocol, recordings: EvaluationData, results: ProtocolResults) -> None:
    """Run a protocol; its figures are not measured where the recordings are not enough for it."""
    try:
        with one_blas_thread():
            protocol.run(recordings, results)
    except CannotLearn as problem:
        figures = protocol.promised or (Figure(protocol.name, None),)
        why = f"It cannot be measured: {problem}."
        results.leave_out(figures, protocol.data(recordings), why)


def _spar(measure: Callable[..., ProtocolOutcome], name: str, model_id: InputLayout) -> Protocol:
    """A protocol on SPAR, with rotation or without."""

    def run(recordings: EvaluationData, results: ProtocolResults) -> None:
        """Measure on the recordings of SPAR, and keep the results."""
        movements = recordings.spar
        if model_id == ACC3:
            movements = tuple(without_rotation(m) for m in movements)
        results.keep(name, measure(movements, model_id=model_id))

    return Protocol(name, _spar_text, run, unmeasured(name))


def _other_wrist(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.keep("s7_other_wrist", other_wrist(recordings.spar))


def _unknown(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.keep("s6", unknown_exercise(recordings.spar))


def _gym_names(recordings: EvaluationData, results: ProtocolResults) -> None:
    if not recordings.gym_is_read:
        results.leave_out(unmeasured("s4c"), *_gym_missing(recordings))
        return
    results.keep("s4c", names_on_new_days(recordings.gym))


def _gym_trust(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.figures.extend(trust_on_new_days(recordings.gym) if recordings.gym else [])


def _gym_worn(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.figures.extend(worn_otherwise(recordings.gym) if recordings.gym else [])


def _reps(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.counted = recordings.counted
    values = reps_figures(recordings.counted)
    results.figures.extend(_named(values, _counted_text(recordings), REPS))
    if not recordings.gym_is_read:
        results.leave_out(unmeasured("s5_gym"), *_gym_missing(recordings))
    elif not _counted_days(recordings):
        why = "No gym set has a number of repetitions."
        results.leave_out(unmeasured("s5_gym"), _gym_text(recordings), why)


def _form(recordings: EvaluationData, results: ProtocolResults) -> None:
    sets = [
        FormSet(
            m.person, m.exercise, m.signals[0].side or "", count_repetitions(m.signals).repetitions
        )
        for m in recordings.spar
    ]
    results.figures.extend(_named(form_figures(sets), SPAR, FORM))


def _activity(recordings: EvaluationData, results: ProtocolResults) -> None:
    if not recordings.gym_is_read:
        results.leave_out(unmeasured("s4"), *_gym_missing(recordings))
        return
    values = activity_figures(recordings.gym_whole)
    results.figures.extend(_named(values, _gym_text(recordings), DAYS))
    results.recordings = leave_one_day_out(recordings.gym_whole, ACC6)


def _cost(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.figures.extend(cost_figures(recordings.spar))


def _named(values: dict[str, float], data: str, protocol: str) -> list[Figure]:
    return [figure(name, value, data=data, protocol=protocol) for name, value in values.items()]


def _spar_text(recordings: EvaluationData) -> str:  # it is the same for everybody
    return SPAR


def _gym_text(recordings: EvaluationData) -> str:
    sets = sum(len(recording.sets_ns) for recording in recordings.gym_whole)
    return f"gym IMU, {_sets_text(sets, [recording.group for recording in recordings.gym_whole])}"


def _counted_text(recordings: EvaluationData) -> str:
    days = _counted_days(recordings)
    if not days:
        return f"{SPAR} (nominal 20)"
    gym = f"gym IMU, {_sets_text(len(days), days)} (audited counts where there are some)"
    return f"{SPAR} (nominal 20) and {gym}"


def _counted_days(recordings: EvaluationData) -> list[str]:
    """The day of each gym set that has a number of repetitions."""
    return [example.group for example in recordings.counted if example.source == "gym"]


def _sets_text(sets: int, days: Sequence[str]) -> str:
    return f"{plural(sets, 'set')} on {plural(len(set(days)), 'day')}"


def _gym_missing(recordings: EvaluationData) -> tuple[str, str]:
    """What stands for the data of figures without gym recordings, and what to do about it."""
    return (
        f"gym IMU, which is not at {recordings.gym_folder} (paths.gym)",
        f"The gym recordings are not at {recordings.gym_folder} (paths.gym). {HOW_TO_GET} Put them "
        "there, or name their folder by paths.gym in conf.yaml or by MUVR_PATHS__GYM.",
    )


PROTOCOLS: dict[str, list[Protocol]] = {
    "exercise": [
        _spar(unseen_people, "s1", ACC6),
        _spar(user_models, "s2", ACC6),
        _spar(enrolment, "s3", ACC6),
        Protocol("s4c", _gym_text, _gym_names, unmeasured("s4c")),
        Protocol("s4c_trust", _gym_text, _gym_trust),
        Protocol("s7_worn", _gym_text, _gym_worn),
        Protocol("s6", _spar_text, _unknown, unmeasured("s6")),
        Protocol("s7_other_wrist", _spar_text, _other_wrist),
        _spar(unseen_people, "s1_acc_only", ACC3),
        _spar(user_models, "s2_acc_only", ACC3),
        _spar(enrolment, "s3_acc_only", ACC3),
    ],
    "activity": [Protocol("s4", _gym_text, _activity, unmeasured("s4"))],
    "reps": [Protocol("s5", _counted_text, _reps, unmeasured("s5_spar", "s5_gym"))],
    "form": [Protocol("form", _spar_text, _form)],
    "cost": [Protocol("s8", _spar_text, _cost, unmeasured("s8"))],
}
