"""From learned rows to champions: judge, veto, move pointers by LWT, record each outcome."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pipelines.gate import Trial, Verdict, judge, stratum_of, unasked, vetoed
from schemas.errors import LostChampionRace, NoModel
from schemas.layout import owner_of
from store.champions import Challenger, Champions, Serving
from store.database import Database
from store.jobs import UserOutcome
from store.models import Models, StoredModel

AT_ONCE = 64
TAKEN_BACK = "taken-back"
RETIRED = "retired"
NO_SETS = "no labelled set is left"
NOT_KEPT = "the model is not in the store: learned again from other sets, or its owner erased"
OVERTAKEN = "the pointer moved, or a run was taken back, since the model was judged"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A learned model that asks to serve: its row without its bytes.

    Attributes:
        hits: rung to set id to right or wrong; rungs are own, everybody, incumbent, majority.
        windows: rung to (asked, right).
        held: what was said about late sets, for calibration.
        note: what its outcome is to say beside why it was kept back.
        instead_of: the version of the user's own that served when it was judged; "" for none.
    """

    user_id: UUID
    model_id: str
    version: str
    sha256: bytes
    labelled_sets: int
    hits: Mapping[str, Mapping[str, bool]]
    windows: Mapping[str, tuple[int, int]]
    held: bytes = b""
    note: str = ""
    instead_of: str = ""

    @property
    def trial(self) -> Trial:
        """What the gate wants to know. The incumbent serves now, else the global model."""
        serving = self.hits["incumbent"] or self.hits["everybody"]
        own, majority = self.hits["own"], self.hits["majority"]
        return Trial(str(self.user_id), self.labelled_sets, own, serving, majority)


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
) -> dict[tuple[UUID, str], Serving]:
    """Which models of their own serve users, without reading one; users without are left out."""
    champions = Champions(database)
    found = gather([champions.serving(owner_of(user), layout, family) for user, layout in keys])
    return {key: serving for key, serving in zip(keys, found, strict=True) if serving is not None}


def read_serving(
    database: Database, pointers: Mapping[tuple[UUID, str], Serving]
) -> dict[tuple[UUID, str], StoredModel]:
    """The models that pointers in effect name.

    Left out is who has a pointer to a model that is not there: an erasure deletes models first.
    """
    models = Models(database)

    async def one(serving: Serving) -> StoredModel | None:
        try:
            return await models.get(*serving[:4])
        except NoModel:
            return None

    found = gather([one(serving) for serving in pointers.values()])
    return {key: model for key, model in zip(pointers, found, strict=True) if model is not None}


def promote(
    database: Database,
    candidates: Sequence[Candidate],
    verdicts: Mapping[str, Verdict],
    *,
    family: str,
    run_id: UUID,
    at: datetime,
) -> list[UserOutcome]:
    """Move the pointers of everybody whose stratum passes and speaks for them, and without a veto.

    Who is served by something else than when the models were judged, because somebody moved the
    pointer or took a run back, is overtaken: the next run judges again.
    """
    outcomes: dict[int, UserOutcome] = {}
    moving: list[int] = []
    for number, one in enumerate(candidates):
        verdict = verdicts[f"{one.model_id} {stratum_of(one.labelled_sets)}"]
        if against := verdict.reason or unasked(one.trial, verdict):
            reason = f"{verdict.stratum} sets: {against}"
            outcomes[number] = _outcome(one, "refused", reason)
        elif reason := vetoed(one.trial):
            outcomes[number] = _outcome(one, "vetoed", reason)
        else:
            moving.append(number)
    pointers = [
        Move(one.user_id, one.model_id, one.version, one.sha256, one.instead_of)
        for one in (candidates[number] for number in moving)
    ]
    moved = move_pointers(database, pointers, family=family, run_id=run_id, at=at)
    for number, (status, reason) in zip(moving, moved, strict=True):
        outcomes[number] = _outcome(candidates[number], status, reason)
    return [outcomes[number] for number in range(len(candidates))]


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

    Spark learns again what a lost executor held, from sets that may be others by then: the bytes
    that it writes are not those that it told the driver of. And of who was erased since the run
    began the store takes no model.
    """
    champions, models = Champions(database), Models(database)

    async def one(move: Move) -> tuple[str, str]:
        owner = owner_of(move.user_id)
        challenger = Challenger(owner, move.model_id, family, move.version, move.sha256, run_id)
        if not await models.holds(*challenger[:4]):
            return "overtaken", NOT_KEPT
        try:
            return await move_pointer(champions, challenger, at, instead_of=move.instead_of)
        except LostChampionRace:
            return "overtaken", OVERTAKEN

    return gather([one(move) for move in pointers])


async def move_pointer(
    champions: Champions, challenger: Challenger, at: datetime, *, instead_of: str | None = None
) -> tuple[str, str]:
    """Let a model serve its owner, unless it does, or somebody took it back.

    The same data gives the same bytes. After a rollback a run must not undo what a person decided:
    bytes that were taken back stay away while another version of the owner serves. Where none does
    the gate has the last word, and the reason says whose bytes they are.

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
    incumbent = await champions.read(*challenger[:3])
    serving = None if incumbent is None else await champions.in_effect(incumbent)
    if serving is not None and serving.version == challenger.version:
        return "unchanged", ""
    if instead_of not in (None, serving.version if serving else ""):
        raise LostChampionRace(OVERTAKEN)
    run = None if incumbent is None else await champions.taken_back(incumbent, challenger.version)
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

    They deleted sets, or the samples of old ones went after their time. What answers them from then
    on is the global model.

    Args:
        database: where the pointers are.
        without_model: outcomes of people with too few sets, and the reasons.
        gone: of those who have none at all: see `pipelines.scope.left_over`.
        family: of the models.
        run_id: of the run that read the sets.
        at: now.

    Returns:
        the outcomes: retired, with the version that had served; as given where none had; overtaken
        where somebody else moved the pointer meanwhile. Who has no sets is in it only where
        something had served.
    """
    champions = Champions(database)

    async def one(outcome: UserOutcome) -> UserOutcome:
        owner = owner_of(outcome.user_id)
        try:
            version = await champions.retire(owner, outcome.model_id, family, run_id, at)
        except LostChampionRace:
            return outcome._replace(status="overtaken")
        return outcome._replace(status=RETIRED, version=version) if version else outcome

    empty = [UserOutcome(*key, "", NO_SETS, "", "{}") for key in gone]
    found = gather([one(each) for each in (*without_model, *empty)])
    return [each for each in found if each.status]


def verdicts_of(challengers: Sequence[Candidate], margin: float) -> dict[str, Verdict]:
    """The gate's word on every stratum of every layout, by "layout stratum".

    Layouts are judged apart: a person with rotation has a model of each, of the same sets.
    """
    found: dict[str, Verdict] = {}
    for layout in sorted({one.model_id for one in challengers}):
        trials = [one.trial for one in challengers if one.model_id == layout]
        verdicts = judge(trials, margin=margin)
        found |= {f"{layout} {stratum}": verdict for stratum, verdict in verdicts.items()}
    return found


def rung_shares(challengers: Sequence[Candidate]) -> dict[str, dict[str, float | int]]:
    """Of each rung: late sets and windows asked, and shares named right."""
    shares: dict[str, dict[str, float | int]] = {}
    for rung in ("own", "everybody", "incumbent", "majority"):
        sets = [hit for one in challengers for hit in one.hits[rung].values()]
        asked = sum(one.windows[rung][0] for one in challengers)
        right = sum(one.windows[rung][1] for one in challengers)
        if sets:
            shares[rung] = {
                "sets": len(sets),
                "sets_right": round(sum(sets) / len(sets), 4),
                "windows": asked,
                "windows_right": round(right / max(asked, 1), 4),
            }
    return shares


def _outcome(challenger: Candidate, status: str, reason: str) -> UserOutcome:
    metrics = {rung: list(counts) for rung, counts in challenger.windows.items() if counts[0]}
    return UserOutcome(
        challenger.user_id,
        challenger.model_id,
        status,
        "; ".join(said for said in (reason, challenger.note) if said),
        challenger.version,
        json.dumps(metrics, sort_keys=True),
    )


def gather(work: Sequence[Any]) -> list[Any]:
    """Await many, a bounded number at a time; their answers in order."""

    async def every() -> list[Any]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(each: Any) -> Any:
            async with gate:
                return await each

        return await asyncio.gather(*(one(each) for each in work))

    return asyncio.run(every())
