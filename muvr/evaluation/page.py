"""build/evaluate.html: figures, confusions, reliability, and signals with what was found."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure as Picture

from models.activity.evaluate import Found
from models.exercise.figures import Outcome
from muvr.evaluation import pictures
from schemas.report import Report

TITLES = {
    "s1": "S1: people who were never seen",
    "s2": "S2: own model, later and earlier parts in turn",
    "s3": "S3: a fifth enrolled",
    "s4c": "S4c: gym exercises on a new day",
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
       color: #16202a; background: #f6f8f9; }
table { border-collapse: collapse; background: #fff; } td, th { padding: .25rem .7rem;
       border-bottom: 1px solid #dfe5ea; text-align: left; } td.n { text-align: right; }
.bad { color: #b3261e; font-weight: 600; } img { max-width: 100%; } .soft { color: #5c6b7a; }
"""


def write_page(
    path: Path, report: Report, outcomes: Mapping[str, Outcome], found: Sequence[Found]
) -> None:
    """Write the page; it stands alone, without anything from elsewhere."""
    parts = [
        "<h1>What Muvr recognises</h1>",
        f"<p class=soft>commit {escape(report.commit)}, {escape(report.machine)}, "
        f"{report.seconds:.0f} s</p>",
        _table(report),
    ]
    for name, title in TITLES.items():
        if name in outcomes and outcomes[name].asked:
            parts.append(f"<h2>{escape(title)}</h2>")
            parts.append(_image(pictures.confusion_matrix(outcomes[name])))
            parts.append(_image(pictures.reliability(outcomes[name])))
    if found:
        parts.append("<h2>S4b: sets in continuous recordings</h2>")
        parts.append("<p>Labelled sets above, found sets below, repetitions as ticks.</p>")
        parts += [_image(pictures.recording(*one)) for one in pictures.telling(found)]
    body = "\n".join(parts)
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>Muvr evaluation</title>"
        f"<style>{STYLE}</style>\n{body}\n"
    )


def _table(report: Report) -> str:
    rows = [
        f"<tr><td>{escape(figure.name)}<td class=n>"
        f"{'not measured' if figure.value is None else f'{figure.value:.4g}'} {escape(figure.unit)}"
        f"<td class=n>{'' if figure.floor is None else f'{figure.floor:g}'}"
        f"<td class={'bad' if figure.holds is False else 'soft'}>"
        f"{ {True: 'holds', False: 'missed', None: ''}[figure.holds] }"
        f"<td class=soft>{escape(figure.data or '')}; {escape(figure.protocol or '')}"
        for figure in report.figures
    ]
    head = "<tr><th>figure<th>value<th>floor<th><th>data; protocol"
    return f"<table>{head}{''.join(rows)}</table>"


def _image(picture: Picture) -> str:
    """A picture inside the page."""
    out = io.BytesIO()
    picture.savefig(out, format="png", dpi=110, bbox_inches="tight")
    return f'<img src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'
