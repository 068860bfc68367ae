"""build/evaluate.html: figures, confusions, reliability, and signals with what was found."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np

from models.activity.evaluate import RecordingSegments, border_errors
from models.exercise.protocols.outcome import ProtocolOutcome
from models.reps.examples import RepsExample
from muvr.evaluation import pictures
from muvr.evaluation.chosen_examples import recordings_to_draw, sets_to_draw
from muvr.evaluation.drawing import drawn
from muvr.evaluation.pictures import DrawnSet
from muvr.evaluation.results import ProtocolResults
from muvr.evaluation.sections import SECTIONS, ProtocolSection, figures_of
from muvr.reports import floor_text, number_text
from schemas.report import Figure, Report

SIGNALS = (("x", "acceleration x"), ("y", "y"), ("z", "z (g, gravity included)"))


def write_page(path: Path, report: Report, results: ProtocolResults) -> None:
    """Write the page; it stands alone, without anything from elsewhere."""
    style = files("muvr.evaluation").joinpath("page.css").read_text()
    sections = "".join(_section(section, report, results) for section in SECTIONS)
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>What Muvr recognises</title><style>{style}</style>\n"
        f"<main>{_head(report)}{sections}</main></html>\n"
    )


def _head(report: Report) -> str:
    floored = [figure for figure in report.figures if figure.floor is not None]
    bad = [figure for figure in floored if not figure.holds]
    verdict = f"{len(floored) - len(bad)} of {len(floored)} floors hold."
    for verdict_word in ("missed", "not measured"):
        names = [
            f"<code>{escape(figure.name)}</code>"
            for figure in bad
            if figure.verdict == verdict_word
        ]
        if names:
            verdict += f" {verdict_word.capitalize()}: {', '.join(names)}."
    return (
        "<header><h1>What Muvr recognises</h1><p class=lead>From a wrist's raw acceleration and "
        "rotation to sets, exercises and repetitions, on real recordings, split by person and by "
        "time. What is learned comes from the training part of its split.</p>"
        f"<p class={'bad' if bad else 'good'}>{verdict}</p>"
        f"<p class=soft>commit {escape(report.commit)} · {escape(report.machine)} · "
        f"{report.seconds / 60:.0f} min</p></header>"
    )


def _section(section: ProtocolSection, report: Report, results: ProtocolResults) -> str:
    """A question, its figures and its pictures; nothing where it was not asked."""
    mine = figures_of(section, report.figures)
    if not mine:
        return ""
    body = _table(mine) + _protocols(mine)
    outcome = results.outcomes.get(section.key)
    if outcome is not None and outcome.predictions:
        body += _answers(outcome)
    if section.key == "s4b" and results.recordings:
        body += _recordings(results.recordings)
    if section.key == "s5" and results.counted:
        body += _sets(results.counted)
    title = f"<h2><span>{section.key.upper()}</span> {escape(section.title)}</h2>"
    return f"<section id={section.key}>{title}<p>{escape(section.asks)}</p>{body}</section>\n"


def _table(figures: Sequence[Figure]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(figure.name)}</code>"
        f"<td class=n>{escape(number_text(figure.value, figure.unit))}"
        f"<td class=n>{escape(floor_text(figure))}{_verdict(figure)}"
        for figure in figures
    )
    head = "<tr><th>figure<th class=n>value<th class=n>floor<th>"
    return f"<div class=wide><table>{head}{rows}</table></div>"


def _verdict(figure: Figure) -> str:
    """Whether the floor holds, with the distance to it."""
    if figure.holds is None or figure.floor is None:
        return "<td>"
    apart = ""
    if figure.value is not None:
        distance = float(f"{abs(figure.value - figure.floor):.3g}")
        apart = f" by {escape(number_text(distance, figure.unit))}"
    return f"<td class={'good' if figure.holds else 'bad'}>{figure.verdict}{apart}"


def _protocols(figures: Sequence[Figure]) -> str:
    """Data and protocol of the figures, each once."""
    protocols = dict.fromkeys(f"{f.data or ''}: {f.protocol or ''}".strip(": ") for f in figures)
    return "".join(f"<p class=soft>{escape(text)}</p>" for text in protocols if text)


def _answers(outcome: ProtocolOutcome) -> str:
    """Confusion and reliability side by side."""
    chosen = "; ".join(outcome.chosen)
    return (
        "<div class=pair>"
        + _figure(
            drawn(pictures.confusion_matrix(outcome), "confusion matrix"),
            "Per cent of each exercise, by what it was named. The diagonal is right.",
        )
        + _figure(
            drawn(pictures.reliability(outcome), "reliability diagram"),
            "A probability that is said should come true that often: dots on the dashed line. "
            "Large dots are many answers.",
        )
        + "</div>"
        + (
            f"<details><summary>Chosen in each fold</summary>{escape(chosen)}</details>"
            * bool(chosen)
        )
    )


def _recordings(recordings: Sequence[RecordingSegments]) -> str:
    right, wrong = recordings_to_draw(recordings)
    bars = (("truth", "labelled set"), ("accent", "found set, a mark at each counted repetition"))
    right_figures, wrong_figures = (
        [
            _figure(
                drawn(pictures.recording(recording), "recording"), _border_text(recording), "strip"
            )
            for recording in several
        ]
        for several in (right, wrong)
    )
    return _legend((*bars, *SIGNALS)) + _right_and_wrong(right_figures, wrong_figures)


def _border_text(recording: RecordingSegments) -> str:
    starts, ends = border_errors([recording])
    errors = [
        "set not found" if np.isinf(start) else f"start {start:+.1f} s, end {end:+.1f} s"
        for start, end in zip(starts, ends, strict=True)
    ]
    truth, segments = recording
    more = "" if len(segments) == len(truth.sets_ns) else f"; {len(segments)} sets found"
    return f"{truth.group}: {'; '.join(errors)}{more}"


def _sets(labelled: Sequence[RepsExample]) -> str:
    right, wrong = sets_to_draw(labelled)
    right_figures, wrong_figures = (
        [
            _figure(drawn(pictures.counted_set(drawn_set), "set"), _count_text(drawn_set), "strip")
            for drawn_set in several
        ]
        for several in (right, wrong)
    )
    return (
        "<p>Counted with the settings that are shipped; a sample of all sets.</p>"
        + _legend((("accent", "a counted repetition"), *SIGNALS))
        + _right_and_wrong(right_figures, wrong_figures)
    )


def _count_text(drawn_set: DrawnSet) -> str:
    return (
        f"{drawn_set.group}: counted {drawn_set.counted.count}, believed {drawn_set.reps}, "
        f"confidence {drawn_set.counted.confidence:.2f}"
    )


def _right_and_wrong(right: Sequence[str], wrong: Sequence[str]) -> str:
    """Figures under the headings that both kinds of pictures have."""
    return "".join(["<h3>Right ones</h3>", *right, "<h3>Wrong ones, worst first</h3>", *wrong])


def _figure(svg: str, caption: str, kind: str = "") -> str:
    return f"<figure class='{kind}'>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    """Swatches in the page's own colours."""
    shown = "".join(
        f'<span><i style="background: var(--{name})"></i>{escape(text)}</span>'
        for name, text in entries
    )
    return f"<p class=legend>{shown}</p>"
