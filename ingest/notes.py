"""Notes about the quality of a session's data; nothing here changes a sample."""

from uuid import UUID

from ingest.chunk_selection import counted_chunks
from ingest.clocks import CLOCK_WENT_BACK, split_by_clock
from ingest.recordings import unused_streams
from ingest.rows import piece_of
from ingest.wrist_streams import NOT_ON_WRIST, NOT_USED, is_on_wrist, wrist_of
from models.signal.corrections import corrected, quality_notes
from models.signal.pieces import Recording
from models.signal.timing import clock_notes
from models.signal.wrist import MAX_RECORDING_S
from schemas.times import us_of
from store.records import Records
from store.sessions import SessionRow

CHUNKS_READ = 8
MAX_CLOCK_OFFSET_MS = 60_000
LONGER_THAN_A_DAY = "longer-than-a-day"


async def session_notes(records: Records, user_id: UUID, session: SessionRow) -> list[str]:
    """Notes such as "acc: unit-was-m/s2" and "gyro: clock-is-off", in order.

    Unit and sampling are judged by the first chunks of the wrist's acceleration, a clock that was
    set back by the chunks of its first part. The notes of sets cover the rest of a session.

    Raises:
        BadSamples: a row that does not decode.
    """
    notes = [
        f"{name}: clock-is-off"
        for name, offset_ms in session.clock_offset_ms.items()
        if abs(offset_ms) > MAX_CLOCK_OFFSET_MS
    ]
    parts = await records.samples.parts(user_id, session.session_id)
    lists = await records.sessions.lists(user_id, session.session_id)
    unused = await unused_streams(records, user_id, session, parts, lists)
    notes += [f"{name}: {NOT_USED}" for name in unused]
    wrist = wrist_of(session.streams)
    judged = [name for name in wrist.acc if name in parts and name not in unused] or wrist.acc
    if not judged:
        return notes
    acc = judged[0]
    if not is_on_wrist(session.streams[acc].get("placement")):
        notes.append(f"{acc}: {NOT_ON_WRIST}")
    first_part = parts.get(acc, [])[:1]
    chunks = await records.samples.metadata(user_id, session.session_id, acc, first_part)
    counted = counted_chunks(chunks, lists.get(acc))
    if len(split_by_clock(counted)) > 1:
        notes.append(f"{acc}: {CLOCK_WENT_BACK}")
    wanted = [(chunk.seq, chunk.sha256) for chunk in counted[:CHUNKS_READ]]
    rows = await records.samples.rows(user_id, session.session_id, acc, wanted)
    if not rows:
        return notes
    fixed, signal_notes = corrected(Recording(tuple(piece_of(row) for row in rows), (), wrist.side))
    signal_notes = (*signal_notes, *clock_notes(fixed.acc), *quality_notes(fixed))
    if session.ended_at and us_of(session.ended_at) / 1e6 - rows[0].t0_ns / 1e9 > MAX_RECORDING_S:
        signal_notes = (*signal_notes, LONGER_THAN_A_DAY)
    return [*(f"{acc}: {note}" for note in signal_notes), *notes]
