"""The functions that run on executors: a user's partition in, a row with the model out. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from models.exercise.codec import from_bytes
from pipelines.exercise.calibration import SHIPPED
from pipelines.exercise.global_fit import GlobalModels, VersionedGlobalModel
from pipelines.exercise.labelled import LabelledRow, labelled_sets
from pipelines.exercise.learner import Incumbent, learn_user, member_digest
from pipelines.exercise.manifest import manifest
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import FRESH
from pipelines.keys import Key, Row
from pipelines.lifecycle.attempts import attempted_row
from pipelines.lifecycle.incumbents import EvaluationPeriod, IncumbentBytes
from pipelines.lifecycle.model_rows import MODEL_FIELDS, model_columns
from schemas.inputs import InputLayout, input_layout

LEARNED = pa.schema(
    [
        *MODEL_FIELDS,
        ("sets", pa.int32()),
        ("rungs", pa.string()),
        ("fresh", FRESH),
        ("held_out", pa.binary()),
        ("missing_sets", pa.string()),
    ]
)

SETS_CHANGED = "sets were confirmed, corrected or deleted while the run read them"


@dataclass(frozen=True, slots=True)
class FitContext:
    """The inputs of learning one user besides the user's own rows; sent with every task.

    Attributes:
        recipe: shared by the run.
        global_models: by layout.
        incumbents: the serving models of users, by user and layout.
        former: the global models that the run would replace, by layout.
    """

    recipe: Recipe
    global_models: GlobalModels
    incumbents: Mapping[tuple[str, str], IncumbentBytes] = field(
        default_factory=dict[tuple[str, str], IncumbentBytes]
    )
    former: Mapping[InputLayout, IncumbentBytes] = field(
        default_factory=dict[InputLayout, IncumbentBytes]
    )


def learned_row(key: Key, group: pa.Table, *, context: FitContext) -> list[Row]:
    """On an executor: one user's row. Errors in a user's data become the reason in that row."""
    row = attempted_row(key, lambda: _learned(key, group, context))
    return [row | {"sets": group.num_rows}]


def _learned(key: Key, table: pa.Table, context: FitContext) -> Row:
    """A user's model and its evaluation; the reason is a note, "" where there is none.

    A member whose sets changed since they were summed is overtaken: the global model cannot be
    evaluated without sets that are not the ones in it.
    """
    user_id, layout = str(key[0]), input_layout(str(key[1]))
    global_model, sets = context.global_models.get(layout), labelled_sets(table)
    given = global_model.digests.get(user_id) if global_model else None
    if given not in (None, member_digest(sets, context.recipe)):
        return {"status": "overtaken", "reason": SETS_CHANGED}
    incumbent, note = _decoded(context.incumbents.get((user_id, layout)))
    learned = learn_user(
        sets,
        layout,
        context.recipe,
        global_model.learned if global_model else None,
        is_member=given is not None,
        unlearned=_unlearned(user_id, sets, global_model),
        incumbent=incumbent,
        former=_decoded(context.former.get(layout))[0],
    )
    calibrated_on = global_model.calibrations.learned_on if global_model else SHIPPED
    entry = manifest(learned, context.recipe, calibrated_on)
    return model_columns(user_id, learned.content, entry) | {
        "reason": note,
        "rungs": json.dumps(learned.rungs.as_json()),
        "fresh": [asdict(windows) for windows in learned.fresh],
        "held_out": learned.held_out,
        "missing_sets": learned.missing_sets,
    }


def _unlearned(
    user_id: str, sets: Sequence[LabelledRow], global_model: VersionedGlobalModel | None
) -> EvaluationPeriod | None:
    """What evaluates a global model that an earlier run learned, perhaps from this user's sets."""
    earlier = global_model.earlier if global_model else None
    return earlier.unlearned(user_id, sets) if earlier else None


def _decoded(stored: IncumbentBytes | None) -> tuple[Incumbent | None, str]:
    """The serving model, decoded; None where there is none, and with a sentence if unreadable."""
    if stored is None:
        return None, ""
    model, problem = stored.decoded(from_bytes)
    return (Incumbent(model, stored.period) if model is not None else None), problem
