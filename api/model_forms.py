"""The forms in which a model is downloaded, and their ETags."""

import hashlib
from collections import OrderedDict
from typing import Literal

from schemas.errors import NotAcceptable
from schemas.families import EXERCISE
from store.models import StoredModel

ModelForm = Literal["npz", "onnx", "raw"]
MEDIA_TYPES: dict[str, str] = {
    "npz": "application/x-npz",
    "onnx": "application/onnx",
    "raw": "application/json",
}
_MAX_ETAGS = 100_000  # of some 200 bytes each


class ModelForms:
    """A worker's cache of ETags. To write a form, which its ETag is of, takes 30 ms."""

    def __init__(self) -> None:
        self._etags: OrderedDict[tuple[str, ModelForm], str] = OrderedDict()

    def etag(self, stored: StoredModel, form: ModelForm) -> str:
        """The strong ETag of a model in a form.

        A version names the stored bytes. The other forms are written from them when they are asked
        for, with a manifest: another release may write another one from the same version.

        Raises:
            NotAcceptable, BadModelBytes: as `content_of`.
        """
        key = (stored.version, form)
        if key not in self._etags:
            self._etags[key] = _etag_of(stored, form)
            if len(self._etags) > _MAX_ETAGS:
                self._etags.popitem(last=False)
        return self._etags[key]


def _etag_of(stored: StoredModel, form: ModelForm) -> str:
    if form == "npz":
        return f'"{stored.version}-npz"'
    written = hashlib.sha256(content_of(stored, form)).hexdigest()
    return f'"{stored.version}-{form}-{written[:16]}"'


def content_of(stored: StoredModel, form: ModelForm) -> bytes:
    """A model's bytes in one of the forms.

    Raises:
        NotAcceptable: this family has no such form.
        BadModelBytes: what is stored is no model.
    """
    if form == "npz":
        return stored.content
    if stored.family != EXERCISE:
        raise NotAcceptable(f"{stored.family} comes as npz only.", field="format", value=form)
    # onnx is heavy, and most services never need it.
    from models.exercise.export import onnx_bytes, raw_json

    write = onnx_bytes if form == "onnx" else raw_json
    return write(stored.content, stored.version, stored.sha256)
