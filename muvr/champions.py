"""Champions, as operators see and move them, without the gate."""

from typing import Any

from muvr.owners import resolve_model, resolve_owner
from schemas.errors import Conflict, NoModel, NotFound
from schemas.times import server_time
from store.champions import Champions
from store.database import Database
from store.models import ModelKey, Models
from store.pointers import Challenger, ServingVersion

SHOWN = 5  # kept versions


async def champions_of(database: Database, user: str) -> list[dict[str, Any]]:
    """All pointers of an owner, each with the version that serves, None where none does."""
    champions = Champions(database)
    pointers = await champions.of_owner(await resolve_owner(database, user))
    serving = [await champions.in_effect(pointer) for pointer in pointers]
    return [
        {**pointer._asdict(), "serves": serves.version if serves else None}
        for pointer, serves in zip(pointers, serving, strict=True)
    ]


async def serving_manifest(
    database: Database, user: str, family: str, model_id: str | None
) -> dict[str, Any]:
    """The manifest of the model that serves an owner.

    Raises:
        NotFound: none does.
    """
    serving = await _serving(database, user, family, model_id)
    return dict(await Models(database).manifest(serving.key, serving.version) or {})


async def serving_content(
    database: Database, user: str, family: str, model_id: str | None
) -> bytes:
    """The bytes of the model that serves an owner.

    Raises:
        NotFound: none does.
    """
    serving = await _serving(database, user, family, model_id)
    return (await Models(database).get(serving.key, serving.version)).content


async def promote_version(
    database: Database, user: str, model_id: str | None, family: str, version: str
) -> dict[str, Any]:
    """Point an owner to a stored version.

    Raises:
        NoModel: the version is not stored; the message lists those that are.
        Conflict: the run that learned it was withdrawn.
    """
    key = await resolve_model(database, user, family, model_id)
    try:
        stored = await Models(database).get(key, version)
    except NoModel as problem:
        kept = await _kept_versions(database, key)
        raise NoModel(problem.message.replace(key.owner, user), next_step=kept) from problem
    champions = Champions(database)
    if await champions.is_withdrawn(stored.run_id):
        raise Conflict(
            f"Run {stored.run_id}, which learned {version}, was withdrawn: nothing of it "
            f"serves. Learn anew with `muvr train {family} --users all`."
        )
    read = await champions.read(key)
    await champions.promote(Challenger.of(stored), read, server_time())
    return {"owner": key.owner, "family": family, "version": version}


async def roll_back(
    database: Database, user: str, model_id: str | None, family: str
) -> tuple[str, dict[str, Any]]:
    """Let an owner's previous champion serve again; the result as a sentence and as JSON.

    Raises:
        NoModel: there is none to go back to; the message lists the stored versions.
    """
    key = await resolve_model(database, user, family, model_id)
    try:
        back = await Champions(database).rollback(key, server_time())
    except NoModel as problem:
        kept = await _kept_versions(database, key)
        raise NoModel(problem.message.replace(key.owner, user), next_step=kept) from problem
    others = [
        champion.model_id
        for champion in await Champions(database).of_owner(key.owner)
        if champion.family == family and champion.key != key
    ]
    stays = f" What serves for {', '.join(others)} stays: see --model-id." if others else ""
    return f"{family} {back.version} serves {user} for {key.model_id} again.{stays}", back._asdict()


async def _serving(
    database: Database, user: str, family: str, model_id: str | None
) -> ServingVersion:
    """The version that serves an owner.

    Raises:
        NotFound: none does.
    """
    key = await resolve_model(database, user, family, model_id)
    serving = await Champions(database).serving(key)
    if serving is None:
        raise NotFound(
            f"No {family} model for {key.model_id} serves {user}; see `muvr models list {user}`."
        )
    return serving


async def _kept_versions(database: Database, key: ModelKey) -> str:
    """The next step where a pointer has no previous version: the stored ones, newest first."""
    champions = Champions(database)
    kept = await Models(database).versions(key)
    pointer = await champions.read(key)
    gone = set(await champions.withdrawn())
    others = [
        f"{version.version} of {version.created_at:%Y-%m-%d}"
        for version in kept
        if version.run_id not in gone and (pointer is None or version.version != pointer.version)
    ]
    if not others:
        return "No other version is kept."
    return f"`muvr models promote` lets a kept version serve: {', '.join(others[:SHOWN])}."
