"""Loads the parts that are written in C, from where `make` has compiled them."""

import ctypes
import sysconfig
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from schemas.errors import NoKernel

FOLDER = Path(sysconfig.get_paths()["purelib"])
Library = TypeVar("Library", bound=ctypes.CDLL)


def compiled(name: str, version: int, library_type: type[Library]) -> Library:
    """The compiled code of a subject.

    Args:
        name: of the subject, in the names of its file and of the function that says its version.
        version: that the caller is written for.
        library_type: `ctypes.CDLL`, or `ctypes.PyDLL` where a call is too short to let go of the
            interpreter's lock.

    Raises:
        NoKernel: it is not there, or of another release.
    """
    path = FOLDER / f"muvr_{name}.so"
    try:
        library = library_type(str(path))
    except OSError as problem:
        raise NoKernel(f"The compiled {name} is not at {path}: {problem}.") from problem
    found_version = library[f"muvr_{name}_version"]()
    if found_version != version:
        raise NoKernel(f"{path} is of another release: {found_version}.")
    return library


def address_of(array: NDArray[Any]) -> int:
    """The address of an array's first number; the caller keeps the array alive and contiguous.

    The array may have any shape; at the address of an empty one, such as (0,), nothing may be read.
    `array.ctypes.data` takes three times as long.
    """
    return array.__array_interface__["data"][0]
