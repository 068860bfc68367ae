"""The function that decodes the stored bytes of each family's models."""

from collections.abc import Callable, Mapping
from typing import Any

from models.activity.codec import from_bytes as activity_from_bytes
from models.exercise.codec import from_bytes as exercise_from_bytes
from models.form.codec import from_bytes as form_from_bytes
from models.intensity.codec import from_bytes as intensity_from_bytes
from models.load.codec import from_bytes as load_from_bytes
from models.next.codec import from_bytes as next_from_bytes

DECODERS: Mapping[str, Callable[[bytes], Any]] = {
    "activity": activity_from_bytes,
    "form": form_from_bytes,
    "exercise": exercise_from_bytes,
    "intensity": intensity_from_bytes,
    "load": load_from_bytes,
    "next": next_from_bytes,
}
"""Family to decoder."""
