"""Write `locks/java/*.toml` again: `python -m store.node.lock`, after changing a version here.

Needs the network. Resolving transitive dependencies happens here only; an installation fetches
exactly what the locks list.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import tomli_w
from jgo.env import LockFile
from jgo.maven import Dependency, MavenContext

from store.node.jars import LOCKS

WANTED = {
    "cassandra": "org.apache.cassandra:cassandra-all:5.0.9",
    "connector": "com.datastax.spark:spark-cassandra-connector_2.12:3.5.1",
}
# Spark's own copies of these must win: two Scala libraries or two loggers break its class loading.
NOT_FROM_CONNECTOR = {"scala-library", "scala-reflect", "slf4j-api"}


def resolve(coordinates: str, folder: Path) -> list[Dependency]:
    """The artifact and all that it needs at run time, each once, the artifact first."""
    context = MavenContext(repo_cache=folder, timeout=60)
    named, needed = context.resolver.resolve([context.create_dependency(coordinates)])
    running = [jar for jar in needed if jar.scope in {"compile", "runtime"}]
    return list({jar.artifact.key: jar for jar in named + running}.values())


def write_lock(path: Path, jars: Iterable[Dependency]) -> None:
    """Write coordinates and sha256 in jgo's format, without the time and addresses."""
    lock = LockFile.from_resolved_dependencies(list(jars))
    entries = [jar.to_dict() for jar in lock.dependencies]
    path.write_text(tomli_w.dumps({"dependencies": entries}))


def main() -> None:
    """Resolve and lock everything that `WANTED` names."""
    with tempfile.TemporaryDirectory() as folder:
        for name, coordinates in WANTED.items():
            jars = resolve(coordinates, Path(folder))
            kept = [jar for jar in jars if jar.artifactId not in NOT_FROM_CONNECTOR]
            write_lock(LOCKS / f"{name}.toml", jars if name == "cassandra" else kept)


if __name__ == "__main__":
    main()
