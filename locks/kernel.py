"""Compile what is written in C into this environment: all files that `SOURCES` names.

Any C compiler gives the same bytes: that of the machine is taken. Where there is none, or it fails
as one without the C library's headers does, the locked one from `locks/kernel.txt` is fetched by
name and hash, used once and removed.

    python locks/kernel.py
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
EXERCISE, REPS, SIGNAL = (
    CHECKOUT / "models" / room / "compiled" for room in ("exercise", "reps", "signal")
)
SOURCES = {
    "muvr_features.so": (
        EXERCISE / "kernel.c",
        EXERCISE / "kernel_avx512.c",
        EXERCISE / "kernel_avx2.c",
        EXERCISE / "waves.c",
    ),
    "muvr_scores.so": (EXERCISE / "scores.c",),
    "muvr_quantised.so": (EXERCISE / "quantised.c",),
    "muvr_codec.so": (SIGNAL / "codec.c",),
    "muvr_cover.so": (REPS / "cover.c",),
}
LOCK = CHECKOUT / "locks" / "kernel.txt"
OPTIONS = (
    "-O3",
    "-std=gnu11",
    "-shared",
    "-fPIC",
    "-ffp-contract=off",  # a fused multiply-add rounds once instead of twice: other bytes
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",  # vectors are passed inside this file only
)


def compile_all(compiler: list[str], target: Path) -> None:
    """Compile beside the files, then move them there: a half-written one is never loaded."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        for name, sources in SOURCES.items():
            library = Path(folder, name)
            files = map(str, sources)
            subprocess.run([*compiler, *OPTIONS, "-o", str(library), *files, "-lm"], check=True)
            library.replace(target / name)


def compiler_here() -> list[str] | None:
    """The machine's C compiler: $CC, else cc, gcc or clang; None where there is none."""
    named = os.environ.get("CC", "").split()
    if named:
        return named
    path = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [path] if path else None


def with_locked_compiler(target: Path) -> None:
    """Fetch the locked compiler, use it, remove it."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        uv = Path(sys.executable).parent / "uv"
        install = [uv, "pip", "install", "--quiet", "--python", sys.executable]
        subprocess.run(
            [*install, "--target", folder, "--require-hashes", "--requirement", LOCK], check=True
        )
        # for any processor of the kind, not this one only: an environment may be packed and moved
        zig = [str(Path(folder, "ziglang", "zig")), "cc", "-mcpu=baseline"]
        os.environ["ZIG_GLOBAL_CACHE_DIR"] = os.environ["ZIG_LOCAL_CACHE_DIR"] = folder
        compile_all(zig, target)


def install(target: Path) -> None:
    """Compile with the machine's compiler, or with the locked one.

    Raises:
        CalledProcessError, OSError: the compiler that $CC names fails, or the locked one.
    """
    compiler = compiler_here()
    if compiler:
        try:
            compile_all(compiler, target)
            return
        except (subprocess.CalledProcessError, OSError):
            if os.environ.get("CC", "").strip():
                raise
            print(
                f"{compiler[0]} cannot compile Muvr's C files; the C library's headers may be "
                "missing. Using the locked compiler instead ...",
                file=sys.stderr,
            )
    with_locked_compiler(target)


if __name__ == "__main__":
    install(Path(sysconfig.get_paths()["purelib"]))
