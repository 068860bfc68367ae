"""Compiled code is found where `make` puts it, and nothing else is taken for it."""

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
        ("quantised", 3, ctypes.CDLL),
        ("codec", 1, ctypes.PyDLL),
        ("cover", 1, ctypes.CDLL),
    ],
)
def test_what_this_environment_holds_is_of_this_release(name, version, kind):
    assert isinstance(compiled(name, version, kind), kind)
    with pytest.raises(NoKernel, match=f"another release: {version}"):
        compiled(name, 99, kind)


@pytest.mark.parametrize("there", [False, True])
def test_where_it_is_not_compiled_the_error_says_what_to_do(monkeypatch, tmp_path, there):
    monkeypatch.setattr(code, "FOLDER", tmp_path)
    if there:
        (tmp_path / "muvr_features.so").write_bytes(b"no library")
    with pytest.raises(NoKernel, match="make"):
        compiled("features", 2, ctypes.CDLL)
