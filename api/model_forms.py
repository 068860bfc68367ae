"""The forms in which a model is downloaded, and their ETags."""

import asyncio
import hashlib
from typing import Literal, NamedTuple

from ingest.bounded_cache import BoundedCache
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


class WrittenModel(NamedTuple):
    """A model in a form, with its strong ETag."""

    etag: str
    content: bytes


class ModelForms:
    """Writes models in their forms, in a thread: it takes 30 ms. A worker's cache of ETags."""

    def __init__(self) -> None:
        self._etags = BoundedCache[tuple[str, ModelForm], str](_MAX_ETAGS)

    def etag(self, stored: StoredModel, form: ModelForm) -> str | None:
        """The strong ETag of a model in a form; None where it was not written here before."""
        return self._etags.get((stored.version, form))

    async def written(self, stored: StoredModel, form: ModelForm) -> WrittenModel:
        """A model in one of the forms.

        A version names the stored bytes. The other forms are written from them when they are asked
        for, with a manifest: another release may write another one from the same version.

        Raises:
            NotAcceptable, BadModelBytes: as `content_of`.
        """
        written = await asyncio.to_thread(_written, stored, form)
        self._etags[stored.version, form] = written.etag
        return written


def _written(stored: StoredModel, form: ModelForm) -> WrittenModel:
    content = content_of(stored, form)
    of_form = "" if form == "npz" else f"-{hashlib.sha256(content).hexdigest()[:16]}"
    return WrittenModel(f'"{stored.version}-{form}{of_form}"', content)


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
