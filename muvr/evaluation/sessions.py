"""`muvr evaluate sessions`: leave-one-day-out evaluation of the service over HTTP.

Each gym day gets a temporary deployment. The other days are sent, their sets are confirmed, and the
models are trained. Then the day is sent without labels, as it is and as other devices would have
recorded it, and `GET /v1/sessions/{session}` is compared with the ground truth. So is
`POST /v1/classify` for each set by itself. A day takes minutes, so the report is written after each
of them.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from examples.client import Client, chunk
from ingest.importers.gym import read_gym
from ingest.importers.imported import ImportedRecording
from models.recognition.evaluate import Tally, TimedSet, tally
from models.signal.pieces import Piece, Recording
from models.signal.timing import cut_pieces, sample_times_ns
from muvr.context import CommandContext
from muvr.deployment import deployed
from muvr.evaluation.devices import (
    as_recorded_by,
    at_rate,
    bare_sensor,
    clipped_at,
    drifting,
    in_8_bits,
    in_ms2,
    ms2_labelled_g,
    on_other_axes,
    other_sign,
    other_wrist,
    other_wrist_without_side,
    tilted,
    turned_round,
    with_jitter,
    with_packet_loss,
    without_rotation,
    without_side,
    zeros_for_losses,
)
from muvr.family_jobs import keep_stretches
from muvr.importing import (
    DAY_NS,
    connect,
    days_to_move,
    import_recordings,
    send_recording,
    session_of,
)
from muvr.reports import show_figures, write_report
from pipelines import jobs
from schemas.errors import BadInput
from schemas.layout import MAX_CHUNK_SAMPLES
from schemas.report import Figure

FAMILIES = ("exercise", "activity", "form")
SOURCE = "gym"
HOUR_NS = 3600 * 10**9
MIN_DAYS = 2
PROTOCOL = "over HTTP: the other days enrolled and trained, a day sent without labels"
RecordingChange = Callable[[ImportedRecording], ImportedRecording]
DEVICES: Mapping[str, RecordingChange] = {
    "": lambda recording: recording,
    "_25hz": lambda recording: as_recorded_by(recording, at_rate(25.0)),
    "_100hz": lambda recording: as_recorded_by(recording, at_rate(100.0)),
    "_200hz": lambda recording: as_recorded_by(recording, at_rate(200.0)),
    "_drifting": lambda recording: as_recorded_by(recording, drifting(48.9, 50.0)),
    "_56hz_as_50": lambda recording: as_recorded_by(recording, drifting(56.0, 50.0)),
    "_stamped_within_4ms": lambda recording: as_recorded_by(recording, with_jitter(4.0)),
    "_clipped_at_2g": lambda recording: as_recorded_by(recording, clipped_at(2.0)),
    "_8_bits_of_4g": lambda recording: as_recorded_by(recording, in_8_bits(4.0)),
    "_ms2": lambda recording: as_recorded_by(recording, in_ms2),
    "_ms2_under_g": lambda recording: as_recorded_by(recording, ms2_labelled_g),
    "_other_wrist": lambda recording: as_recorded_by(recording, other_wrist),
    "_side_unsaid": without_side,
    "_other_wrist_side_unsaid": other_wrist_without_side,
    "_turned_round": lambda recording: as_recorded_by(recording, turned_round),
    "_other_sign": lambda recording: as_recorded_by(recording, other_sign),
    "_other_axes": lambda recording: as_recorded_by(recording, on_other_axes),
    "_bare_sensor": lambda recording: as_recorded_by(recording, bare_sensor),
    "_tilted": lambda recording: as_recorded_by(recording, tilted),
    "_acc_alone": lambda recording: as_recorded_by(recording, without_rotation),
    "_lost_fifth_by_200ms": lambda recording: as_recorded_by(recording, with_packet_loss(0.2, 0.2)),
    "_zeros_tenth_by_1s": lambda recording: as_recorded_by(recording, zeros_for_losses(1.0, 0.1)),
    "_lost_tenth_by_1s": lambda recording: as_recorded_by(recording, with_packet_loss(1.0, 0.1)),
    "_lost_tenth_by_2s": lambda recording: as_recorded_by(recording, with_packet_loss(2.0, 0.1)),
}


def run(context: CommandContext) -> bool:
    """Run the protocol, write and show the report.

    Raises:
        BadInput: the gym recordings are not there, or are all of one day.
    """
    began = time.monotonic()
    recordings = read_gym(context.config.paths.gym)
    context.terminal.notes(remark for recording in recordings for remark in recording.remarks)
    days = days_of(recordings, context.config.paths.gym)
    totals = dict.fromkeys(DEVICES, Tally())
    reports = context.config.paths.reports
    figures: list[Figure] = []
    with context.terminal as terminal:
        for done, day in enumerate(days):
            terminal.step("days", done, len(days))
            with deployed(context) as own:
                own_context = CommandContext(own.config, own.conf_path, context.terminal)
                tallies = evaluate_day(own_context, own.service.url, recordings, day)
            totals = {device: totals[device] + tallies[device] for device in DEVICES}
            figures = figures_of(totals, f"{done + 1} of {len(days)} days")
            write_report("sessions", time.monotonic() - began, figures, reports)
        terminal.step("days", len(days), len(days))
    report = write_report("sessions", time.monotonic() - began, figures, reports)
    show_figures(context.terminal, "sessions", figures)
    context.terminal.answer(report.as_json())
    return report.holds


def days_of(recordings: Sequence[ImportedRecording], folder: Path) -> list[str]:
    """The days of the recordings of a folder, in order.

    Raises:
        BadInput: there is one alone: its models would be learned from nothing.
    """
    days = sorted({recording.day for recording in recordings if recording.day})
    if len(days) < MIN_DAYS:
        raise BadInput(
            f"Each day is evaluated with models of the other days, and {folder} holds "
            f"{len(days)}: {', '.join(days) or 'no day'}.",
            field="paths.gym",
            value=str(folder),
            next_step="Add the recordings of a second day to the folder.",
        )
    return days


def figures_of(totals: Mapping[str, Tally], days: str) -> list[Figure]:
    """Figures of every device; the peer is the device that made the recordings."""
    plain = totals[""].figures()
    data = f"gym IMU, {totals[''].done} sets of one lifter, {days}"
    return [
        Figure(
            f"sessions_{name}{device}",
            value,
            unit="sets" if name == "invented" else "",
            peer="the device itself" if device else None,
            peer_value=plain[name] if device else None,
            data=data,
            protocol=PROTOCOL,
        )
        for device, total in totals.items()
        for name, value in total.figures().items()
    ]


def evaluate_day(
    context: CommandContext, url: str, recordings: Sequence[ImportedRecording], day: str
) -> dict[str, Tally]:
    """Learn from the other days, then evaluate this one as every device would record it."""
    others = [recording for recording in recordings if recording.day != day]
    of_day = [recording for recording in recordings if recording.day == day]
    known = {set_.exercise for recording in others for set_ in recording.sets}
    moved_ns = {of: days * DAY_NS for of, days in days_moved(recordings).items()}
    password = secrets.token_urlsafe(18)
    moved = [shifted(recording, moved_ns[recording.day]) for recording in others]
    import_recordings(url, SOURCE, moved, password, context.terminal)
    learn(context)
    tallies: dict[str, Tally] = {}
    with connect(url, f"{SOURCE}-{others[0].person}", password) as client:
        for hours, (device, change) in enumerate(DEVICES.items()):
            sent = [shifted(change(recording), hours * HOUR_NS) for recording in of_day]
            tallies[device] = sum(
                (evaluate_recording(client, recording, moved_ns[day], known) for recording in sent),
                Tally(),
            )
            context.terminal.step(f"{day}, asked as devices", hours + 1, len(DEVICES))
    return tallies


def days_moved(recordings: Sequence[ImportedRecording]) -> dict[str | None, int]:
    """How many days later each day is dated than it was recorded, so that the service takes it.

    All are moved alike, which keeps their order; where they span too many days, each by itself,
    and two may come to lie on one date.
    """
    days = {recording.day for recording in recordings}
    try:
        return dict.fromkeys(days, days_to_move(recordings))
    except BadInput:
        return {day: days_to_move([r for r in recordings if r.day == day]) for day in days}


def learn(context: CommandContext) -> None:
    """Train as `muvr train FAMILY --users all --engine local` does."""
    keep_stretches(context)
    for family in FAMILIES:
        jobs.train(family, context.config, users="all", engine="local", progress=context.terminal)


def evaluate_recording(
    client: Client, recording: ImportedRecording, moved_ns: int, known: set[str]
) -> Tally:
    """Send a recording without its labels, and compare the answer with them.

    Of a recording whose device lost all its acceleration nothing is found: it cannot be sent.
    """
    done = [
        TimedSet(
            set_.start_ns + moved_ns,
            set_.end_ns + moved_ns,
            set_.exercise,
            set_.reps if set_.reps_audited is None else set_.reps_audited,
        )
        for set_ in recording.sets
    ]
    if not recording.recording.acc:
        return tally(done, [], known)
    send_recording(client, replace(recording, sets=()), moved_ns)
    answer = client.session(session_of(recording, moved_ns))
    result = tally(done, [parsed_set(set_) for set_ in answer["sets"]], known)
    return result + Tally(named_alone=named_alone(client, recording, known))


def named_alone(client: Client, recording: ImportedRecording, known: set[str]) -> int:
    """How many of a recording's sets are named right when each is asked about by itself.

    Sets are cut as a client would cut them: by the claimed times, right or wrong. One whose
    acceleration was lost cannot be asked about, and is not named.
    """
    whole, named = recording.recording, 0
    for set_ in recording.sets:
        if set_.exercise in known:
            streams = {
                kind: cut_pieces(pieces, set_.start_ns, set_.end_ns)
                for kind, pieces in (("acc", whole.acc), ("gyro", whole.gyro))
            }
            if not streams["acc"]:
                continue
            bodies = {kind: one_chunk(pieces) for kind, pieces in streams.items() if pieces}
            named += client.classify(bodies, whole.side, reps=False)["exercise"] == set_.exercise
    return named


def one_chunk(pieces: Sequence[Piece]) -> bytes:
    """The samples of a stream as one chunk with a time each, cut at the limit of a chunk."""
    at_ns = np.concatenate([sample_times_ns(piece) for piece in pieces])[:MAX_CHUNK_SAMPLES]
    counts = np.concatenate([piece.counts for piece in pieces])[:MAX_CHUNK_SAMPLES]
    t_ms = np.rint((at_ns - at_ns[0]) / 1e6).astype(int).tolist()
    first = pieces[0]
    samples = counts.astype("<i2").tobytes()
    return chunk(int(at_ns[0]), first.rate_hz, first.unit, first.scale, samples, t_ms)


def parsed_set(set_: Mapping[str, Any]) -> TimedSet:
    """A set of the answer."""
    start, end = (
        round(datetime.fromisoformat(set_[name]).timestamp() * 1e9)
        for name in ("started_at", "ended_at")
    )
    return TimedSet(start, end, set_["exercise"], set_["reps"])


def shifted(source: ImportedRecording, by_ns: int) -> ImportedRecording:
    """The same recording at a later time, which makes it another session."""

    def move(pieces: Sequence[Any]) -> tuple[Any, ...]:
        """The pieces of a stream, each later."""
        return tuple(replace(piece, t0_ns=piece.t0_ns + by_ns) for piece in pieces)

    raw = source.recording
    sets = [replace(s, start_ns=s.start_ns + by_ns, end_ns=s.end_ns + by_ns) for s in source.sets]
    moved = Recording(move(raw.acc), move(raw.gyro), raw.side)
    return replace(source, recording=moved, sets=tuple(sets))
