"""Exports all data of a user as JSON lines."""

import base64
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from ingest.sample_rows import body_of
from schemas.errors import BadSamples
from schemas.layout import owner_of
from schemas.times import us_of
from store.champions import Champions
from store.database import Database
from store.dead_letters import DeadLetters
from store.samples import SampleRow
from store.user_rows import USER_TABLES, UserRows
from store.users import Users

ExportLine = dict[str, Any]


async def export_user(
    database: Database, user_id: UUID, now: datetime
) -> AsyncIterator[ExportLine]:
    """Every row of a user, table by table, as `{"table": …, "row": {…}}`.

    A chunk's row also has `body`: the bytes that the client sent, whose hash is in the receipt; or
    null and a `problem` where the row is damaged.
    Bytes are base64. Password hashes and refresh tokens are left out: they are not the user's data.

    Raises:
        DatabaseUnavailable: the export is incomplete; start it again.
    """
    user_rows = UserRows(database)
    user = await Users(database).by_id(user_id)
    if user is not None:
        row = {"user_id": user_id, "username": user.username, "scopes": sorted(user.scopes)}
        yield _line("users", row)
    keys = await user_rows.keys(user_id, now)
    for table in USER_TABLES:
        async for row in user_rows.rows(table, keys):
            fields = dict(row._asdict())
            if table == "samples":
                fields |= _body(fields)
            yield _line(table, fields)
    async for letter in DeadLetters(database).of_user(user_id, now):
        yield _line("dead_letters", letter._asdict())
    for champion in await Champions(database).of_owner(owner_of(user_id)):
        yield _line("champions", champion._asdict())


def _body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The body that a client sent, or why a damaged row does not give it any more."""
    try:
        return {"body": body_of(_sample(fields))}
    except BadSamples as problem:
        return {"body": None, "problem": str(problem)}


def _sample(fields: Mapping[str, Any]) -> SampleRow:
    named = {name: fields[name] for name in SampleRow._fields if name != "received_us"}
    return SampleRow(**named, received_us=us_of(fields["received_at"]))


def _line(table: str, fields: Mapping[str, Any]) -> ExportLine:
    return {"table": table, "row": {name: _plain(value) for name, value in fields.items()}}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    if isinstance(value, UUID | date) or type(value).__name__ == "Date":
        return str(value)
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return [_plain(item) for item in value]
