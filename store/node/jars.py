"""Cassandra's and the Spark connector's jars: fetched once by jgo, checked on every use.

`locks/java/*.toml` hold coordinates and sha256 in jgo's own lock format, no addresses: jgo asks
the repositories of its configuration, Maven Central unless told otherwise. A jar enters the cache
only after its hash was checked, by a rename: an interrupted or tampered download is never seen.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import requests
from jgo.config import GlobalSettings
from jgo.env import LockedDependency, LockFile
from jgo.maven import Artifact, MavenContext

from schemas.errors import BadJar
from schemas.progress import NoProgress, Progress

LOCKS = Path(__file__).parents[2] / "locks" / "java"
_AT_ONCE = 8  # downloads; they wait on the network, not on a core
_TIMEOUT_S = 60


def cassandra_jars(cache: Path, progress: Progress | None = None) -> list[Path]:
    """Every jar of the embedded node, fetched when it is not in `cache` yet.

    Raises:
        BadJar: a jar cannot be fetched or is not the locked one; the sentence names it.
    """
    return locked_jars(LOCKS / "cassandra.toml", cache, progress)


def connector_jars(cache: Path) -> list[Path]:
    """The jars of the Spark-Cassandra connector, without those that Spark brings itself.

    Raises:
        BadJar: a jar cannot be fetched or is not the locked one; the sentence names it.
    """
    return locked_jars(LOCKS / "connector.toml", cache)


def locked_jars(lock: Path, cache: Path, progress: Progress | None = None) -> list[Path]:
    """The jars that `lock` names, in its order, each with the locked hash.

    Args:
        lock: a jgo lock file.
        cache: folder in Maven's layout; made when absent, shared by all checkouts.
        progress: reports every jar that is fetched.

    Raises:
        BadJar: a jar cannot be fetched, or its hash is not the locked one.
    """
    wanted = LockFile.load(lock).dependencies
    missing = [jar for jar in wanted if not _in_cache(jar, cache)]
    if missing:
        _fetch_all(missing, cache, progress or NoProgress(), f"fetching jars ({lock.stem})")
    return [_place(jar, cache) for jar in wanted]


def cassandra_version(jars: Sequence[Path]) -> str:
    """The version of Cassandra among jars in Maven's layout.

    >>> cassandra_version([Path("cassandra/cassandra-all/5.0.9/cassandra-all-5.0.9.jar")])
    '5.0.9'
    """
    return jar_of(jars, "cassandra-all").parent.name


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def jar_of(jars: Sequence[Path], artifact: str) -> Path:
    """The jar of an artifact among jars in Maven's layout.

    Raises:
        BadJar: it is not among them.
    """
    for jar in jars:
        if jar.parent.parent.name == artifact:
            return jar
    raise BadJar(f"{artifact} is not among the locked jars")


def _in_cache(jar: LockedDependency, cache: Path) -> bool:
    """Whether the file is in the cache; a damaged one is an error and not fetched again."""
    path = _place(jar, cache)
    try:
        if not path.is_file():
            return False
        _check(jar, path, f"Delete {path} to fetch it again.")
    except OSError as problem:  # such as another account's folder
        raise _unusable(cache, problem) from problem
    return True


def _fetch_all(
    missing: Sequence[LockedDependency], cache: Path, progress: Progress, what: str
) -> None:
    progress.step(what, 0, len(missing))
    with _staging(cache) as staging, ThreadPoolExecutor(_AT_ONCE) as pool:
        context = _maven(Path(staging))
        fetched = [pool.submit(_fetch, jar, context, cache) for jar in missing]
        try:
            for done, future in enumerate(as_completed(fetched), start=1):
                future.result()
                progress.step(what, done, len(missing))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _staging(cache: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for downloads in the cache, so that the final rename stays on one file system."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache)
    except OSError as problem:
        raise _unusable(cache, problem) from problem


def _unusable(cache: Path, problem: OSError) -> BadJar:
    return BadJar(
        f"Jars cannot be kept in {cache}: {problem.strerror}. Set paths.jars (or "
        "MUVR_PATHS__JARS) to a folder that this account can write, then start again."
    )


def _fetch(jar: LockedDependency, context: MavenContext, cache: Path) -> None:
    try:
        artifact = _artifact(jar, context).resolve()
    except (requests.RequestException, RuntimeError, OSError) as problem:
        raise BadJar(
            f"{_coordinates(jar)} could not be fetched ({problem}). Check the network, the "
            "proxy variables and jgo's [repositories], then start again."
        ) from problem
    _check(jar, artifact, "It was not what the lock promises and was not kept.")
    target = _place(jar, cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    ready = context.repo_cache / f"{jar.sha256}.ready"
    shutil.copyfile(artifact, ready)  # a copy: it may lie in the user's own Maven repository
    os.replace(ready, target)


def _maven(staging: Path) -> MavenContext:
    """The places where jgo looks: the user's Maven repository, then the configured remote ones."""
    settings = GlobalSettings.load()
    return MavenContext(
        repo_cache=staging,
        local_repos=[settings.repo_cache],
        remote_repos=settings.repositories or None,
        timeout=_TIMEOUT_S,
    )


def _artifact(jar: LockedDependency, context: MavenContext) -> Artifact:
    component = context.project(jar.groupId, jar.artifactId).at_version(jar.version)
    return component.artifact(jar.classifier or "", jar.packaging)


def _place(jar: LockedDependency, cache: Path) -> Path:
    classifier = f"-{jar.classifier}" if jar.classifier else ""
    name = f"{jar.artifactId}-{jar.version}{classifier}.{jar.packaging}"
    return cache.joinpath(*jar.groupId.split("."), jar.artifactId, jar.version, name)


def _check(jar: LockedDependency, path: Path, otherwise: str) -> None:
    sha256 = sha256_of(path)
    if sha256 != jar.sha256:
        raise BadJar(
            f"{_coordinates(jar)} has the hash {sha256[:16]}…, the lock says "
            f"{(jar.sha256 or 'none')[:16]}…. {otherwise}"
        )


def _coordinates(jar: LockedDependency) -> str:
    parts = (jar.groupId, jar.artifactId, jar.version, jar.classifier)
    return ":".join(part for part in parts if part)
