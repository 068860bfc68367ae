"""Which model serves which owner: pointers move by LWT, and each move returns its outcome."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from pipelines.keys import UserKey
from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.incumbents import EvaluationPeriod, IncumbentBytes
from schemas.errors import LostChampionRace, NoModel
from schemas.inputs import LAYOUTS, InputLayout
from schemas.statuses import UserStatus
from schemas.times import server_time
from store.champions import Champions
from store.database import Database
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger, Champion, ServingVersion

WITHDRAWN: UserStatus = "withdrawn"
NOT_KEPT = "the model is not in the store: learned again from other sets, or its owner erased"
ROLLED_BACK = "the same bytes as those of a version that an operator rolled back"
OVERTAKEN = "the pointer moved, or a run was withdrawn, since the model was judged"
CLOCK_TOLERANCE = timedelta(hours=1)
"""How long after a model was stored its training data may end, as devices date it."""


class MoveOutcome(NamedTuple):
    """How a model fared that a run wanted to serve.

    Attributes:
        status: as of users: promoted, unchanged, withdrawn, overtaken; of a model that the run
            itself refused, refused or not-learned.
        reason: a sentence, "" where there is nothing to say.
    """

    status: UserStatus
    reason: str = ""

    @property
    def overtaken(self) -> bool:
        """Whether something else serves than it was compared with: the next run judges again."""
        return self.status == "overtaken"

    @property
    def serves(self) -> bool:
        """Whether the model serves now."""
        return self.status in ("promoted", "unchanged")


def pointers_in_effect(
    database: Database, keys: Sequence[UserKey], family: str
) -> dict[UserKey, ServingVersion]:
    """The pointers in effect of users' own models; users without one are left out."""
    champions = Champions(database)
    pointers = gather(lambda key: champions.serving(ModelKey.of_user(*key, family)), keys)
    return {key: pointer for key, pointer in zip(keys, pointers, strict=True) if pointer}


def read_serving(
    database: Database, pointers: Mapping[UserKey, ServingVersion]
) -> dict[UserKey, StoredModel]:
    """The models that pointers in effect name.

    Users whose pointer names a deleted model are left out: an erasure deletes models first.
    """
    models = Models(database)

    async def stored(serving: ServingVersion) -> StoredModel | None:
        """A model with its bytes; None where it was deleted."""
        try:
            return await models.get(serving.key, serving.version)
        except NoModel:
            return None

    loaded = gather(stored, pointers.values())
    return {key: model for key, model in zip(pointers, loaded, strict=True) if model is not None}


async def serving_manifest(database: Database, key: ModelKey) -> dict[str, object]:
    """The manifest of the model that serves; {} where none does, or where it was deleted."""
    serving = await Champions(database).serving(key)
    if serving is None:
        return {}
    return await Models(database).manifest(serving.key, serving.version) or {}


async def global_pointers(database: Database, family: str) -> dict[InputLayout, ServingVersion]:
    """The pointers of a family's global models, by layout; layouts without one are left out."""
    champions = Champions(database)
    pointers: dict[InputLayout, ServingVersion] = {}
    for layout in LAYOUTS:
        serving = await champions.serving(ModelKey.of_global(layout, family))
        if serving is not None:
            pointers[layout] = serving
    return pointers


def served_versions(database: Database, families: Sequence[str]) -> dict[ModelKey, str]:
    """The versions of families' global models that serve now, "" in layouts where none does."""
    keys = [ModelKey.of_global(layout, family) for layout in LAYOUTS for family in families]
    champions = Champions(database)
    pointers = gather(champions.serving, keys)
    return {
        key: pointer.version if pointer else "" for key, pointer in zip(keys, pointers, strict=True)
    }


async def read_global_incumbents(
    database: Database, family: str
) -> dict[InputLayout, IncumbentBytes]:
    """A family's serving global models, by layout; those whose bytes were deleted are left out."""
    incumbents: dict[InputLayout, IncumbentBytes] = {}
    for layout, serving in (await global_pointers(database, family)).items():
        with suppress(NoModel):
            model = await Models(database).get(serving.key, serving.version)
            incumbents[layout] = incumbent_of(model)
    return incumbents


def incumbent_of(model: StoredModel) -> IncumbentBytes:
    """A stored model, and what may evaluate it: only sets later than its training data.

    That does not end after the model was stored, whatever its manifest says: one set of a device
    with a wrong clock would otherwise end all comparison with it until then.
    """
    newest_set_at = datetime.fromisoformat(str(model.manifest["trained_until"]))
    after = min(newest_set_at, model.created_at + CLOCK_TOLERANCE)
    return IncumbentBytes(model.content, EvaluationPeriod(after))


def move_pointers(database: Database, moves: Sequence[tuple[Challenger, str]]) -> list[MoveOutcome]:
    """Point users to their new models.

    The store may not hold a model that the driver knows: if an executor is lost, Spark learns its
    users again, perhaps from other sets, and stores other bytes; and the models of a user who was
    erased since the run began are not stored.

    Args:
        database: where the pointers are.
        moves: models, each with the expected version of `move_pointer`.

    Returns:
        one for each, as of `move_pointer`; or overtaken, where the store does not hold the model.
    """
    models, at = Models(database), server_time()

    async def moved(move: tuple[Challenger, str]) -> MoveOutcome:
        """Move one pointer, if the store holds the model."""
        challenger, expected_version = move
        if not await models.holds(challenger.key, challenger.version):
            return MoveOutcome("overtaken", NOT_KEPT)
        return await move_pointer(database, challenger, expected_version, at)

    return gather(moved, moves)


async def move_pointer(
    database: Database, challenger: Challenger, expected_version: str, at: datetime
) -> MoveOutcome:
    """Point an owner to a model, unless it serves already or was withdrawn.

    The same data gives the same bytes, so a run could undo a rollback. Bytes of a withdrawn run, or
    of a version that an operator rolled back, are therefore not promoted while another version of
    the owner serves. Where none does they are, and the reason says what was withdrawn.

    Args:
        database: where the pointers are.
        challenger: the model.
        expected_version: the version that must still serve, "" for none: the one that the model
            was compared with. A run takes hours, and an operator may have moved the pointer.
        at: now.

    Returns:
        promoted, unchanged or withdrawn; or overtaken: another version serves than the one that was
        expected, or the pointer moved just now. It stays, and the next run judges again.
    """
    champions = Champions(database)
    incumbent = await champions.read(challenger.key)
    serving = None if incumbent is None else await champions.in_effect(incumbent)
    if serving is not None and serving.version == challenger.version:
        return MoveOutcome("unchanged")
    if expected_version != (serving.version if serving else ""):
        return MoveOutcome("overtaken", OVERTAKEN)
    reason = ""
    if incumbent is not None:
        reason = await _withdrawn_reason(champions, incumbent, challenger.version)
    if reason and serving is not None:
        return MoveOutcome(WITHDRAWN, reason)
    try:
        await champions.promote(challenger, incumbent, at)
    except LostChampionRace:
        return MoveOutcome("overtaken", OVERTAKEN)
    return MoveOutcome("promoted", reason)


async def _withdrawn_reason(champions: Champions, incumbent: Champion, version: str) -> str:
    """Why an operator does not want a version to serve; "" where nobody has said so."""
    if version in incumbent.rolled_back:
        return ROLLED_BACK
    run = await champions.withdrawn_run_of(incumbent, version)
    return f"the same bytes as those of run {run}, which was withdrawn" if run else ""
