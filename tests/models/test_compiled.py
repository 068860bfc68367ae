"""Loading of compiled code: its version is checked, and a missing library is explained."""

import ctypes

import pytest

from models import compiled as code
from models.compiled import compiled
from models.exercise import kernel, quantised, scores
from models.reps import cover
from models.signal import planes
from schemas.errors import NoKernel


@pytest.mark.parametrize(
    ("name", "version", "kind"),
    [
        ("features", kernel.VERSION, ctypes.CDLL),
        ("scores", scores.VERSION, ctypes.CDLL),
        ("quantised", quantised.VERSION, ctypes.CDLL),
        ("codec", planes.VERSION, ctypes.PyDLL),
        ("cover", cover.VERSION, ctypes.CDLL),
    ],
)
def test_compiled_libraries_have_the_version_of_this_release(name, version, kind):
    assert isinstance(compiled(name, version, kind), kind)
    with pytest.raises(NoKernel, match=f"another release: {version}"):
        compiled(name, 99, kind)


@pytest.mark.parametrize("there", [False, True])
def test_missing_or_broken_library_error_names_make(monkeypatch, tmp_path, there):
    monkeypatch.setattr(code, "FOLDER", tmp_path)
    if there:
        (tmp_path / "muvr_features.so").write_bytes(b"no library")
    with pytest.raises(NoKernel, match="make"):
        compiled("features", kernel.VERSION, ctypes.CDLL)
