"""What runs on executors: a user's partition in, one row with the learned model out. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import pyarrow as pa

from models.exercise.codec import from_bytes
from pipelines.exercise.calibration import SHIPPED
from pipelines.exercise.everybody import Everybody
from pipelines.exercise.judging import Hits
from pipelines.exercise.labelled import labelled_sets
from pipelines.exercise.learner import Incumbent, LearnedModel, learn_user
from pipelines.exercise.manifest import manifest
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import FRESH
from pipelines.keys import IncumbentBytes, Key
from pipelines.lifecycle.attempts import attempted
from schemas.errors import BadModelBytes
from schemas.ids import version_of
from schemas.inputs import InputLayout, input_layout
from schemas.layout import owner_of

LEARNED = pa.schema(
    [
        ("user_id", pa.string()),
        ("model_id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("owner", pa.string()),
        ("version", pa.string()),
        ("bytes", pa.binary()),
        ("sha256", pa.binary()),
        ("manifest", pa.string()),
        ("sets", pa.int32()),
        ("judged", pa.string()),
        ("fresh", FRESH),
        ("held", pa.binary()),
        ("lacking", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class FitContext:
    """What learning one user needs besides the user's own rows; it travels with every task.

    Attributes:
        recipe: shared by the run.
        everybody: the global model of each layout.
        incumbents: champion's bytes and up to when it had learned, by user and layout.
        former: the same of the global model of each layout that the run would replace.
    """

    recipe: Recipe
    everybody: Mapping[InputLayout, Everybody]
    incumbents: Mapping[tuple[str, str], IncumbentBytes]
    former: Mapping[InputLayout, IncumbentBytes] = field(
        default_factory=dict[InputLayout, IncumbentBytes]
    )


def learned_row(key: Key, group: pa.Table, *, lesson: FitContext) -> list[dict[str, Any]]:
    """On an executor: one user's row. Whatever is wrong with a user's data stays in that row."""
    user_id, model_id = str(key[0]), str(key[1])
    attempt = attempted(lambda: _learned(user_id, input_layout(model_id), group, lesson))
    row: dict[str, Any] = {
        "user_id": user_id,
        "model_id": model_id,
        "status": attempt.status,
        "reason": attempt.reason,
        "owner": owner_of(UUID(user_id)),
        "sets": group.num_rows,
    }
    if attempt.value is not None:
        learned, row["reason"] = attempt.value
        row |= {
            "version": version_of(learned.sha256),
            "bytes": learned.content,
            "sha256": learned.sha256,
            "manifest": manifest(
                learned, lesson.recipe, _calibrated(input_layout(model_id), lesson)
            ),
            "judged": _judged(learned),
            "fresh": [asdict(one) for one in learned.fresh],
            "held": learned.held,
            "lacking": learned.lacking,
        }
    return [row]


def _learned(
    user_id: str, model_id: InputLayout, group: pa.Table, lesson: FitContext
) -> tuple[LearnedModel, str]:
    """A user's model, and a note for the run's reasons, "" where there is none."""
    everybody = lesson.everybody.get(model_id)
    incumbent, note = _incumbent(lesson.incumbents.get((user_id, model_id)))
    learned = learn_user(
        labelled_sets(group),
        model_id,
        lesson.recipe,
        everybody.learned if everybody else None,
        in_everybody=everybody is not None and user_id in everybody.members,
        incumbent=incumbent,
        former=_incumbent(lesson.former.get(model_id))[0],
    )
    return learned, note


def _incumbent(held: IncumbentBytes | None) -> tuple[Incumbent | None, str]:
    """The model that serves now, decoded; None with a sentence where it cannot be.

    It is no error, or no run could ever replace such a model.
    """
    if held is None:
        return None, ""
    try:
        return Incumbent(from_bytes(held[0]), held[1]), ""
    except BadModelBytes as problem:
        return None, f"judged without what served before, which cannot be read: {problem}"


def _calibrated(model_id: InputLayout, lesson: FitContext) -> str:
    """What the probabilities of the models of a layout were learned on."""
    everybody = lesson.everybody.get(model_id)
    return everybody.calibrations.learned_on if everybody else SHIPPED


def _judged(learned: LearnedModel) -> str:
    rungs: dict[str, Hits] = {
        "own": learned.own,
        "everybody": learned.everybody,
        "incumbent": learned.incumbent,
        "former": learned.former,
        "majority": learned.majority,
    }
    return json.dumps(
        {name: [dict(h.sets), h.windows, h.right_windows] for name, h in rungs.items()}
    )
