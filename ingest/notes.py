"""Notes about the data of a session, for its answer; nothing here changes a sample."""

from uuid import UUID

from ingest.clocks import CLOCK_BACK, by_clock
from ingest.recordings import ELSEWHERE, decided, is_on_wrist, wrist_of
from ingest.rows import piece_of
from models.signal.pieces import Recording
from models.signal.timing import clock_notes
from models.signal.truth import lacking, truthful
from models.signal.wrist import LONGEST_S
from schemas.times import us_of
from store.records import Records
from store.sessions import SessionRow

CHUNKS_READ = 8
CLOCK_OFF_MS = 60_000
LONGER = "longer-than-a-day"


async def session_notes(records: Records, user_id: UUID, session: SessionRow) -> list[str]:
    """Notes such as "acc: unit-was-m/s2" and "gyro: clock-is-off", in order.

    Unit and clock are judged by the first chunks of the wrist's acceleration; whether its clock
    went back by those of its first part. Sets say it wherever it did.

    Raises:
        BadSamples: a row that does not decode.
    """
    notes = [
        f"{name}: clock-is-off"
        for name, offset_ms in session.clock_offset_ms.items()
        if abs(offset_ms) > CLOCK_OFF_MS
    ]
    wrist = wrist_of(session.streams)
    if wrist.acc is None:
        return notes
    if not is_on_wrist(session.streams[wrist.acc].get("placement")):
        notes.append(f"{wrist.acc}: {ELSEWHERE}")
    parts = (await records.samples.parts(user_id, session.session_id)).get(wrist.acc, [])
    heads = await records.samples.heads(user_id, session.session_id, wrist.acc, parts[:1])
    listed = (await records.sessions.lists(user_id, session.session_id)).get(wrist.acc)
    counted = decided(heads, listed)
    if len(by_clock(counted)) > 1:
        notes.append(f"{wrist.acc}: {CLOCK_BACK}")
    wanted = [(head.seq, head.sha256) for head in counted[:CHUNKS_READ]]
    rows = await records.samples.rows(user_id, session.session_id, wrist.acc, wanted)
    if not rows:
        return notes
    truth, found = truthful(Recording(tuple(piece_of(row) for row in rows), (), wrist.side))
    found = (*found, *clock_notes(truth.acc), *lacking(truth))
    if session.ended_at and us_of(session.ended_at) / 1e6 - rows[0].t0_ns / 1e9 > LONGEST_S:
        found = (*found, LONGER)
    return [*(f"{wrist.acc}: {note}" for note in found), *notes]
