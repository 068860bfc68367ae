"""Loading of compiled code: its version is checked, and a missing library is explained."""

import ctypes

import pytest

from models import compiled as code
from models.compiled import compiled
from schemas.errors import NoKernel


@pytest.mark.parametrize(
    ("name", "version", "kind"),
    [
        ("features", 2, ctypes.CDLL),
        ("scores", 1, ctypes.CDLL),
        ("quantised", 4, ctypes.CDLL),
        ("codec", 1, ctypes.PyDLL),
        ("cover", 1, ctypes.CDLL),
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
        compiled("features", 2, ctypes.CDLL)
