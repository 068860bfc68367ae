"""Erases users from every table, and reports what remains elsewhere and until when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from schemas.layout import owner_of
from schemas.times import clock_from, us_of
from schemas.topics import ERASED, ERASURE_DONE
from store.champions import Champions
from store.changes import Changes
from store.database import Database
from store.dead_letters import DeadLetters
from store.followers import end_follows
from store.logins import Logins
from store.user_rows import RUN_TABLES, USER_TABLES, UserKeys, UserRows
from store.users import Users

REMAINS: dict[str, str] = {
    "disk": "deleted rows leave the data files at a compaction after 10 days",
    "changes": "two rows with the bare id, so that a restored backup is cleaned, for 90 days",
    "service": "a worker may answer from its cache of models for api.pointer_ttl_s",
    "shared models": "global models may hold sums over users with this one among them, until the "
    "next training replaces or retires them",
    "usernames": "of a user of an outside issuer a hash of the subject, which leads who comes back "
    "to another id",
    "mart": "pseudonymous rows until the next `muvr mart refresh`",
    "backups": "until the operator's retention ends; a backup made from now on "
    "remembers the bare id, and restoring any beside it erases this user again",
    "logs": "nothing: they hold no personal data",
}


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure deleted.

    Attributes:
        deleted: rows of the user per table.
        remains: what is not deleted yet, and until when.
    """

    deleted: dict[str, int]
    remains: dict[str, str]


async def announce_erasure(database: Database, user_id: UUID, at: datetime) -> None:
    """Announce an erasure: the sweep completes it even if the caller gets no further.

    Raises:
        DatabaseUnavailable: it may not be announced; call again.
    """
    await Changes(database).announce(user_id, ERASED, us_of(at))


@dataclass(frozen=True, slots=True)
class BegunErasure:
    """An erasure of everything but the rows by which others follow the user.

    Attributes:
        user_id: who.
        deleted: rows of the user per table.
        ended_at: when it ended, if it did before and found nothing more.
    """

    user_id: UUID
    deleted: dict[str, int]
    ended_at: datetime | None


async def erase_user(database: Database, user_id: UUID, now: datetime) -> Erasure:
    """Delete everything of a user. Repeatable: a second call deletes what the first left.

    Args:
        database: of the deployment.
        user_id: who.
        now: server time.

    Raises:
        DatabaseUnavailable: some of it is left; call again.
    """
    time_now = clock_from(now)
    begun = await begin_erasure(database, user_id, now)
    return (await end_erasures(database, [begun], time_now()))[0]


async def begin_erasure(
    database: Database,
    user_id: UUID,
    now: datetime,
    *,
    announced_at: datetime | None = None,
    ended_at: datetime | None = None,
    outside_names: Sequence[str] | None = None,
) -> BegunErasure:
    """Delete everything of a user but who follows them, which `end_erasures` finds for several.

    The erasure is announced first, so that the sweep completes an interrupted call. The subject of
    an outside issuer is given a new user id next: nothing may be written under the erased one. Then
    logins end, so that no device goes on sending; the username is freed last, and from then on
    nobody can follow the user.

    Args:
        database: of the deployment.
        user_id: who.
        now: server time.
        announced_at: when it was announced, if this call repeats it: announced anew it would be
            repeated for ever.
        ended_at: when it ended, if this call repeats one that did.
        outside_names: of the user, where the caller has read those of several users at once.

    Raises:
        DatabaseUnavailable: some of it is left; call again.
    """
    announced_at = announced_at or now
    await announce_erasure(database, user_id, announced_at)
    await Users(database).reassign_subject(user_id, outside_names)
    deleted = await _delete_all(database, user_id, now)
    await announce_erasure(database, user_id, announced_at)  # other announcements were deleted
    return BegunErasure(user_id, deleted, None if _has_rows(deleted) else ended_at)


async def end_erasures(
    database: Database, begun: Sequence[BegunErasure], now: datetime
) -> list[Erasure]:
    """Delete the rows by which others follow these users, and announce that they are erased.

    All of `follows` is read for that, once for all of them. The end of an erasure that found
    nothing more than one before is announced at the time of that one's end.

    Raises:
        DatabaseUnavailable: some of it is left; repeat the erasures.
    """
    time_now, changes, erasures = clock_from(now), Changes(database), list[Erasure]()
    followers = await end_follows(database, [one.user_id for one in begun], now)
    for one in begun:
        count = followers[one.user_id]
        ended_at = time_now() if count or one.ended_at is None else one.ended_at
        await changes.announce(one.user_id, ERASURE_DONE, us_of(ended_at))
        erasures.append(Erasure({**one.deleted, "follows of others": count}, dict(REMAINS)))
    return erasures


def _has_rows(deleted: dict[str, int]) -> bool:
    """Whether an erasure found anything besides its own announcements."""
    return any(count for table, count in deleted.items() if table != "changes")


async def _delete_all(database: Database, user_id: UUID, now: datetime) -> dict[str, int]:
    """Delete all rows of a user but who follows them; how many there were of each table."""
    user_rows, users = UserRows(database), Users(database)
    deleted = {"logins": len(await Logins(database).of_user(user_id))}
    await Logins(database).revoke_all(user_id)
    keys, rows = await _delete_tables(user_rows, user_id, now)
    deleted |= rows
    deleted["dead_letters"] = await DeadLetters(database).delete_user(user_id, now)
    deleted["champions"] = await _remove_champions(database, user_id)
    user = await users.by_id(user_id)
    await users.erase(user_id)
    deleted["users"] = deleted["usernames"] = int(user is not None)
    for table, count in (await _delete_results(user_rows, keys, now)).items():
        deleted[table] += count
    return deleted


async def _delete_tables(
    user_rows: UserRows, user_id: UUID, now: datetime
) -> tuple[UserKeys, dict[str, int]]:
    """Delete a user's rows of every table; all keys of them, and how many rows there were."""
    keys, deleted = await user_rows.keys(user_id, now), dict[str, int]()
    for table in USER_TABLES:
        deleted[table] = await user_rows.count(table, keys)
        await user_rows.delete(table, keys, now)
        if table == "sessions":  # from now on no part can be registered (ingest.uploads)
            keys = await user_rows.keys(user_id, now, keys)
    return keys, deleted


async def _delete_results(user_rows: UserRows, keys: UserKeys, now: datetime) -> dict[str, int]:
    """Delete what runs have written, or will write, that are not among the known keys.

    Such a run began during the erasure. One that begins later finds nothing of the user any more.
    """
    late = replace(keys, runs=tuple(set(await user_rows.runs(now)) - set(keys.runs)))
    deleted: dict[str, int] = {}
    for table in RUN_TABLES:
        deleted[table] = await user_rows.count(table, late)
        await user_rows.delete(table, late, now)
    return deleted


async def _remove_champions(database: Database, user_id: UUID) -> int:
    champions = Champions(database)
    owned = await champions.of_owner(owner_of(user_id))
    for champion in owned:
        await champions.remove(champion.key)
    return len(owned)
