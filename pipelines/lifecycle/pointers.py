"""Which model serves whom: pointers move by LWT, and each move says what it came to."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pipelines.keys import IncumbentBytes
from pipelines.lifecycle.gather import gather
from schemas.errors import LostChampionRace, NoModel
from schemas.inputs import LAYOUTS, InputLayout
from schemas.layout import GLOBAL_OWNER, owner_of
from store.champions import Challenger, Champions, ServingVersion
from store.database import Database
from store.jobs import UserOutcome
from store.models import Models, StoredModel

TAKEN_BACK = "taken-back"

RETIRED = "retired"

NO_SETS = "no labelled set is left"

NOT_KEPT = "the model is not in the store: learned again from other sets, or its owner erased"

OVERTAKEN = "the pointer moved, or a run was taken back, since the model was judged"


class Move(NamedTuple):
    """A pointer that shall move.

    Attributes:
        instead_of: the version that must serve still, "" for none: what the model was judged
            against. None where it was judged against nothing that serves.
    """

    user_id: UUID
    model_id: str
    version: str
    sha256: bytes
    instead_of: str | None = None


def pointers_in_effect(
    database: Database, keys: Sequence[tuple[UUID, str]], family: str
) -> dict[tuple[UUID, str], ServingVersion]:
    """Which models of their own serve users, without reading one; users without are left out."""
    champions = Champions(database)
    found = gather([champions.serving(owner_of(user), layout, family) for user, layout in keys])
    return {key: serving for key, serving in zip(keys, found, strict=True) if serving is not None}


def read_serving(
    database: Database, pointers: Mapping[tuple[UUID, str], ServingVersion]
) -> dict[tuple[UUID, str], StoredModel]:
    """The models that pointers in effect name.

    Users whose pointer names a model that is gone are left out: an erasure deletes models first.
    """
    models = Models(database)

    async def stored(serving: ServingVersion) -> StoredModel | None:
        """A model with its bytes; None where it is not there any more."""
        try:
            return await models.get(*serving.model_key)
        except NoModel:
            return None

    found = gather([stored(serving) for serving in pointers.values()])
    return {key: model for key, model in zip(pointers, found, strict=True) if model is not None}


async def global_pointers(database: Database, family: str) -> dict[InputLayout, ServingVersion]:
    """Which of a family's global models serves, by layout; layouts without one are left out."""
    champions = Champions(database)
    found: dict[InputLayout, ServingVersion] = {}
    for layout in LAYOUTS:
        serving = await champions.serving(GLOBAL_OWNER, layout, family)
        if serving is not None:
            found[layout] = serving
    return found


async def read_global_incumbents(
    database: Database, family: str
) -> dict[InputLayout, IncumbentBytes]:
    """A family's global models that serve, by layout; those whose bytes are gone are left out."""
    found: dict[InputLayout, IncumbentBytes] = {}
    for layout, serving in (await global_pointers(database, family)).items():
        with suppress(NoModel):
            found[layout] = incumbent_of(await Models(database).get(*serving.model_key))
    return found


def incumbent_of(model: StoredModel) -> IncumbentBytes:
    """A stored model, and up to when it had learned: it may be asked about sets after that."""
    return model.content, datetime.fromisoformat(str(model.manifest["trained_until"]))


def move_pointers(
    database: Database,
    pointers: Sequence[Move],
    *,
    family: str,
    run_id: UUID,
    at: datetime,
) -> list[tuple[str, str]]:
    """Let models serve their users.

    Args:
        database: where the pointers are.
        pointers: user and input layout of each model, its version, and what it takes over from.
        family: of the models.
        run_id: of the run that learned them.
        at: now.

    Returns:
        (status, reason) for each, as of `move_pointer`; or overtaken, where that loses the race, or
        the store does not hold the model: the pointer stays, and the next run judges again.

    If an executor is lost Spark learns its users again, perhaps from other sets by then, so that
    the stored bytes are not those that the driver was told of. And the store takes no model of a
    user who was erased since the run began.
    """
    champions, models = Champions(database), Models(database)

    async def promoted(move: Move) -> tuple[str, str]:
        """Move one pointer, if the store holds the model and nobody else moved it meanwhile."""
        owner = owner_of(move.user_id)
        challenger = Challenger(owner, move.model_id, family, move.version, move.sha256, run_id)
        if not await models.holds(*challenger.model_key):
            return "overtaken", NOT_KEPT
        try:
            return await move_pointer(champions, challenger, at, instead_of=move.instead_of)
        except LostChampionRace:
            return "overtaken", OVERTAKEN

    return gather([promoted(move) for move in pointers])


async def move_pointer(
    champions: Champions, challenger: Challenger, at: datetime, *, instead_of: str | None = None
) -> tuple[str, str]:
    """Let a model serve its owner, unless it does, or somebody took it back.

    The same data gives the same bytes, so a run could undo a rollback. Bytes that a person took
    back therefore stay away while another version of the owner serves. Where none does the gate
    decides, and the reason says whose bytes they are.

    Args:
        champions: where the pointers are.
        challenger: the model.
        at: now.
        instead_of: as of `Move`: a run takes hours, and what somebody decided meanwhile stands.

    Returns:
        (promoted | unchanged | taken-back, reason).

    Raises:
        LostChampionRace: something else serves than what the model was judged against, or the
            pointer moved just now.
    """
    incumbent = await champions.read(challenger.owner, challenger.model_id, challenger.family)
    serving = None if incumbent is None else await champions.in_effect(incumbent)
    if serving is not None and serving.version == challenger.version:
        return "unchanged", ""
    if instead_of not in (None, serving.version if serving else ""):
        raise LostChampionRace(OVERTAKEN)
    run = (
        None
        if incumbent is None
        else await champions.withdrawn_run_of(incumbent, challenger.version)
    )
    reason = f"the same bytes as those of run {run}, which was taken back" if run else ""
    if reason and serving is not None:
        return TAKEN_BACK, reason
    await champions.promote(challenger, incumbent, at)
    return "promoted", reason


def retire(
    database: Database,
    without_model: Sequence[UserOutcome],
    gone: Iterable[tuple[UUID, str]],
    *,
    family: str,
    run_id: UUID,
    at: datetime,
) -> list[UserOutcome]:
    """Retire the models of people from whose sets none can be learned any more.

    They deleted sets, or the samples of old sets have expired. From then on the global model
    answers them.

    Args:
        database: where the pointers are.
        without_model: outcomes of people with too few sets, and the reasons.
        gone: of those who have none at all: see `pipelines.lifecycle.scope.left_over`.
        family: of the models.
        run_id: of the run that read the sets.
        at: now.

    Returns:
        the outcomes: retired, with the version that had served; as given where none had; overtaken
        where somebody else moved the pointer meanwhile. Who has no sets is in it only where
        something had served.
    """
    champions = Champions(database)

    async def retired(outcome: UserOutcome) -> UserOutcome:
        """Retire what serves one user, if anything does."""
        owner = owner_of(outcome.user_id)
        try:
            version = await champions.retire(owner, outcome.model_id, family, run_id, at)
        except LostChampionRace:
            return outcome._replace(status="overtaken")
        return outcome._replace(status=RETIRED, version=version) if version else outcome

    empty = [UserOutcome(*key, "", NO_SETS, "", "{}") for key in gone]
    found = gather([retired(each) for each in (*without_model, *empty)])
    return [each for each in found if each.status]
