"""`muvr evaluate`: runs the protocols one after another, and writes the report and the page."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.importers.gym import HOW_TO_GET
from models.activity.evaluate import RecordingSegments, activity_figures, leave_one_day_out
from models.exercise.protocols.gym import names_on_new_days
from models.exercise.protocols.outcome import ProtocolOutcome
from models.exercise.protocols.trials import without_rotation
from models.exercise.protocols.trust import trust_on_new_days
from models.exercise.protocols.unknown import unknown_exercise
from models.exercise.protocols.unseen_people import unseen_people
from models.exercise.protocols.user_models import enrolment, user_models
from models.exercise.protocols.worn import worn_otherwise
from models.exercise.protocols.wrists import other_wrist
from models.form.evaluate import FormSet, form_figures
from models.reps.count import count_repetitions
from models.reps.evaluate import RepsExample, reps_figures
from muvr.context import CommandContext
from muvr.evaluation.cost import cost_figures
from muvr.evaluation.page import PageData, write_page
from muvr.evaluation.recordings import EvaluationData, read_data
from muvr.reports import show_figures, write_report
from pipelines.lifecycle.threads import one_blas_thread
from schemas.errors import BadInput
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.report import Figure

GYM_FLOORS = {
    "s4_precision": 0.99,
    "s4_recall": 0.985,
    "s4b_start": 0.9,
    "s4b_end": 0.8,
    "s4b_both_3s": 0.8,
    "s4c_windows": 0.91,
    "s4c_sets": 0.92,
    "s5_gym": 0.95,
    "s5_gym_exact": 0.83,
}
SPAR_REPS_FLOORS = {"s5_spar": 0.95, "s5_spar_exact": 0.8}
FORM = "sets as counted; people's left and right arms are compared within each exercise"
REPS = "weights and confidence chosen in four of five folds by person or day, scored on the fifth"
DAYS = (
    "leave one day out; discriminant and borders learned on the other days, the constants of "
    "models/activity/settings.py fixed beforehand, with days of this lifter in sight"
)


@dataclass(slots=True)
class ProtocolResults:
    """The protocols' results: figures for the report; outcomes, segments and sets for the page."""

    figures: list[Figure] = field(default_factory=list)
    outcomes: dict[str, ProtocolOutcome] = field(default_factory=dict)
    recordings: list[RecordingSegments] = field(default_factory=list)
    counted: tuple[RepsExample, ...] = ()

    def keep(self, name: str, outcome: ProtocolOutcome) -> None:
        """Add a protocol's outcome."""
        self.outcomes[name] = outcome
        self.figures.extend(outcome.figures)


def run(context: CommandContext, family: str) -> bool:
    """Run a family's protocols, write and show the report; whether every floor holds.

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
        steps = [s for f, several in PROTOCOLS.items() if family in (f, "all") for s in several]
        for done, step in enumerate(steps):
            terminal.step("protocols", done, len(steps))
            one_blas_thread()(step)(recordings, results)
        terminal.step("protocols", len(steps), len(steps))
    reports = context.config.paths.reports
    name = "evaluate" if family == "all" else f"evaluate-{family}"  # the whole report stays whole
    report = write_report(name, time.monotonic() - began, results.figures, reports)
    shown = PageData(results.outcomes, results.recordings, results.counted)
    write_page(reports / f"{name}.html", report, shown)
    show_figures(context.terminal, name, results.figures)
    if unasked := [figure.name for figure in results.figures if figure.verdict == "not measured"]:
        context.terminal.fail(_without_gym(unasked, recordings))
    context.terminal.say(f"The page is {reports / name}.html.")
    context.terminal.answer(report.as_json())
    return report.holds


def _spar(
    protocol: Callable[..., ProtocolOutcome], name: str, model_id: InputLayout
) -> "ProtocolStep":
    """A protocol on SPAR, with rotation or without."""

    def step(recordings: EvaluationData, results: ProtocolResults) -> None:
        """Run the protocol on the recordings of SPAR, and keep its results."""
        movements = recordings.spar
        if model_id == ACC3:
            movements = tuple(without_rotation(m) for m in movements)
        results.keep(name, protocol(movements, model_id=model_id))

    return step


def _other_wrist(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.keep("s7_other_wrist", other_wrist(recordings.spar))


def _unknown(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.keep("s6", unknown_exercise(recordings.spar))


def _gym_names(recordings: EvaluationData, results: ProtocolResults) -> None:
    if not recordings.gym:
        results.figures.extend(_not_measured("s4c_", recordings))
        return
    results.keep("s4c", names_on_new_days(recordings.gym))
    results.figures.extend(trust_on_new_days(recordings.gym))
    results.figures.extend(worn_otherwise(recordings.gym))


def _reps(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.counted = recordings.counted
    values = reps_figures(recordings.counted)
    floors = {**SPAR_REPS_FLOORS, **(GYM_FLOORS if recordings.gym else {})}
    data = "SPAR-10 (nominal 20) and gym IMU (audited counts)"
    results.figures.extend(_named(values, floors, data, REPS))
    if not recordings.gym:
        results.figures.extend(_not_measured("s5_gym", recordings))


def _form(recordings: EvaluationData, results: ProtocolResults) -> None:
    sets = [
        FormSet(
            m.person, m.exercise, m.signals[0].side or "", count_repetitions(m.signals).repetitions
        )
        for m in recordings.spar
    ]
    results.figures.extend(_named(form_figures(sets), {}, "SPAR-10", FORM))


def _activity(recordings: EvaluationData, results: ProtocolResults) -> None:
    if not recordings.gym_whole:
        results.figures.extend(_not_measured("s4_", recordings))
        results.figures.extend(_not_measured("s4b_", recordings))
        return
    values = activity_figures(recordings.gym_whole)
    results.figures.extend(_named(values, GYM_FLOORS, "gym IMU, 99 sets on 8 days", DAYS))
    results.recordings = leave_one_day_out(recordings.gym_whole, ACC6)


def _cost(recordings: EvaluationData, results: ProtocolResults) -> None:
    results.figures.extend(cost_figures(recordings.spar))


def _named(
    values: dict[str, float], floors: dict[str, float], data: str, protocol: str
) -> list[Figure]:
    return [
        Figure(name, value, floor=floors.get(name), data=data, protocol=protocol)
        for name, value in values.items()
    ]


def _not_measured(prefix: str, recordings: EvaluationData) -> list[Figure]:
    """Figures with a floor for which there is no data, marked as not measured."""
    data = f"gym IMU, which is not at {recordings.gym_folder} (paths.gym)"
    return [
        Figure(name, None, floor=floor, data=data)
        for name, floor in GYM_FLOORS.items()
        if name.startswith(prefix)
    ]


def _without_gym(names: list[str], recordings: EvaluationData) -> str:
    """Why some figures were not measured, and what to do about it."""
    return (
        f"Not measured: {', '.join(names)}. The gym recordings are not at {recordings.gym_folder} "
        f"(paths.gym). {HOW_TO_GET} Put them there, or name their folder by paths.gym in conf.yaml "
        "or by MUVR_PATHS__GYM."
    )


ProtocolStep = Callable[[EvaluationData, ProtocolResults], None]
PROTOCOLS: dict[str, list[ProtocolStep]] = {
    "exercise": [
        _spar(unseen_people, "s1", ACC6),
        _spar(user_models, "s2", ACC6),
        _spar(enrolment, "s3", ACC6),
        _gym_names,
        _unknown,
        _other_wrist,
        _spar(unseen_people, "s1_acc_only", ACC3),
        _spar(user_models, "s2_acc_only", ACC3),
        _spar(enrolment, "s3_acc_only", ACC3),
    ],
    "activity": [_activity],
    "reps": [_reps],
    "form": [_form],
    "cost": [_cost],
}
