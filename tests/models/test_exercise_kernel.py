"""The compiled feature kernel: equal to the numpy reference, with the same bytes everywhere."""

import ctypes
import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.exercise import kernel
from models.exercise.examples import rotations
from models.exercise.kernel import features
from models.exercise.names import feature_names
from models.exercise.reference import features as reference
from schemas.errors import NoKernel
from tests.c_compiler import compiler

COMPILED = Path(kernel.__file__).parent / "compiled"


def wandering(seed: int, m: int = 20) -> np.ndarray:
    """Random walks (m, 3, 200) in multiples of 1/1024, which are exact in float32."""
    steps = np.random.default_rng(seed).integers(-64, 65, (m, 3, 200))
    return (np.cumsum(steps, axis=2) / 1024).astype(np.float32)


@pytest.mark.parametrize("with_gyro", [True, False])
def test_kernel_equals_the_numpy_reference(with_gyro):
    acc, gyro = wandering(1), wandering(2) if with_gyro else None
    acc[:, 2] += 1
    out, want = features(acc, gyro), reference.features(acc, gyro)
    off = np.abs(out - want) / (np.abs(want) + 1e-2)
    worst = feature_names(with_gyro)[int(off.max(axis=0).argmax())]
    assert off.max() < 1e-3, worst


def test_kernel_output_has_the_expected_hash():
    """Every machine gives the same bytes: the order of operations is fixed."""
    out = features(wandering(3), wandering(4))
    assert hashlib.sha256(out.tobytes()).hexdigest() == SAME_BYTES


@pytest.mark.parametrize("width", [4, 8, 16])
def test_every_vector_width_gives_the_same_bytes_without_uninitialised_reads(
    width, tmp_path, monkeypatch
):
    """The compiler fills uninitialised variables with a pattern."""
    one_width = tmp_path / "one_width.c"
    lines = '#include "processors.h"', "#undef EACH_PROCESSOR", f"#define WIDTH {width}"
    one_width.write_text("\n".join([*lines, '#include "kernel.c"\n']))
    built = tmp_path / "features.so"
    options = ["-O1", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC"]
    rubbish = "-ftrivial-auto-var-init=pattern"
    sources = [one_width, COMPILED / "waves.c"]
    command = [*compiler(), *options, rubbish, "-std=gnu11", "-I", COMPILED, "-o", built, *sources]
    subprocess.run([*map(str, command), "-lm"], check=True)
    monkeypatch.setattr(kernel, "compiled", lambda name, version, load: load(str(built)))
    kernel._compiled.cache_clear()
    try:
        found = features(wandering(3), wandering(4))
    finally:
        kernel._compiled.cache_clear()
    assert hashlib.sha256(found.tobytes()).hexdigest() == SAME_BYTES


SAME_BYTES = "794cfc3099a411557c64c8d72c0be06d0cf3b2cf02ad451539f9ace54df6b413"


@given(
    st.lists(st.sampled_from([-8.0, -1.0, 0.0, 1e-3, 1.0, 8.0]), min_size=1, max_size=12),
    st.booleans(),
)
def test_quantiles_of_few_distinct_values_equal_the_reference(values: list[float], with_gyro: bool):
    """Quantiles use buckets: all values may lie in one of them, or none between two."""
    window = np.resize(np.float32(values), (1, 3, 200))
    slow = np.convolve(window[0, 0], np.ones(25) / 25, "valid")
    assume(
        np.abs(np.convolve(slow, np.ones(25) / 25, "valid")).min() > 1e-3
    )  # gravity has a direction
    gyro = window[:, ::-1].copy() if with_gyro else None
    out, want = features(window, gyro), reference.features(window, gyro)
    assert np.isfinite(out).all()
    ordered = [n for n, name in enumerate(feature_names(with_gyro)) if ".q" in name]
    assert out[0, ordered] == pytest.approx(want[0, ordered], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_non_finite_sample_affects_only_its_own_window(broken):
    acc = wandering(5, 3)
    acc[1, 0, 77] = broken
    out = features(acc, None)
    assert np.isfinite(out[[0, 2]]).all()
    assert not np.isfinite(out[1]).all()


@pytest.mark.parametrize("with_gyro", [True, False])
def test_features_of_rotated_copies_equal_those_of_rotated_samples(with_gyro):
    acc, gyro = wandering(7), wandering(8) if with_gyro else None
    turns = rotations(np.random.default_rng(0).normal(0, 20, (len(acc), 3)))
    own = features(acc, gyro)
    turned = turns @ acc, None if gyro is None else turns @ gyro
    copy = features(*turned, own)
    assert copy == pytest.approx(features(*turned), rel=1e-3, abs=1e-3)
    assert not np.allclose(copy, own, rtol=1e-2, atol=1e-2)
    scalars = [n for n, name in enumerate(feature_names(with_gyro)) if "norm." in name]
    assert (copy[:, scalars] == own[:, scalars]).all(), "what no turn changes is the window's own"


def test_empty_input_gives_empty_features():
    assert features(np.empty((0, 3, 200), np.float32), None).shape == (0, 214)


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="shape"):
        features(np.zeros((2, 3, 199), np.float32), None)
    with pytest.raises(ValueError, match="shape"):
        features(np.zeros((2, 3, 200), np.float32), np.zeros((1, 3, 200), np.float32))
    with pytest.raises(ValueError, match="shape"):
        features(np.zeros((2, 3, 200), np.float32), None, np.zeros((2, 515), np.float32))


def test_any_memory_layout_is_accepted():
    acc = wandering(6)
    assert (features(np.asfortranarray(acc), None) == features(acc, None)).all()
    assert (features(acc.astype(np.float64), None) == features(acc, None)).all()


def test_kernel_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(kernel, "VERSION", 99)
    kernel._compiled.cache_clear()
    with pytest.raises(NoKernel, match="another release"):
        features(wandering(1), None)


@pytest.fixture(autouse=True)
def _loaded_again():
    yield
    kernel._compiled.cache_clear()
    assert isinstance(kernel._compiled(), ctypes.CDLL)
