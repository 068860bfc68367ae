"""Form templates as bytes."""

from models import codec
from models.form.quantities import QUANTITIES
from models.form.template import FormTemplate
from schemas.errors import BadModelBytes

TEMPLATE_TAG = "muvr-form-1"


def template_to_bytes(template: FormTemplate) -> bytes:
    """The stored form of a template; the same template, the same bytes."""
    meta = {
        "exercise": template.exercise,
        "sets": template.sets,
        "quantities": list(QUANTITIES),
    }
    arrays = {"typical": template.typical, "spread": template.spread}
    return codec.pack(TEMPLATE_TAG, meta, arrays)


def template_from_bytes(blob: bytes) -> FormTemplate:
    """The template of `template_to_bytes`.

    Raises:
        BadModelBytes: junk, or a template of other quantities.
    """
    meta, arrays = codec.unpack(blob, TEMPLATE_TAG)
    try:
        typical, spread = arrays["typical"], arrays["spread"]
        exercise, sets = str(meta["exercise"]), int(meta["sets"])
        names = tuple(meta["quantities"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not a form template: {error}") from error
    if names != QUANTITIES or not typical.shape == spread.shape == (len(QUANTITIES),):
        raise BadModelBytes(f"a form template of {names} with shape {typical.shape}")
    if not (spread > 0).all():
        raise BadModelBytes("a form template without spread")
    return FormTemplate(exercise, sets, typical, spread)
