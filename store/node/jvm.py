"""Command-line arguments for the embedded node's Java.

The exports and opens are those of Cassandra 5.0's own `conf/jvm17-server.options`.
"""

from pathlib import Path

from schemas.config import Cassandra
from store.node.folders import Folders
from store.node.jmx import server_arguments

_EXPORTS = [
    "java.base/jdk.internal.misc",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "java.base/java.lang.ref",
    "jdk.unsupported/sun.misc",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.attach/sun.tools.attach",
]
_OPENS = [
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang.reflect",
    "jdk.compiler/com.sun.tools.javac",
    "java.base/java.lang",
    "java.base/java.util",
    "java.base/java.nio",
]
_JVM = [
    "-XX:+UseThreadPriorities",
    "-Xss512k",
    "-XX:+UseTLAB",
    "-XX:+ResizeTLAB",
    "-XX:+PerfDisableSharedMem",
    "-Djava.net.preferIPv4Stack=true",
    "-XX:+UseG1GC",
    "-XX:+ParallelRefProcEnabled",
    "-XX:MaxTenuringThreshold=1",
    "-XX:MaxGCPauseMillis=300",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.useCacheForAllThreads=true",
    "-Dio.netty.allocator.maxOrder=11",
]
# A single node: no gossip to settle, no shutdown to announce, no ring to wait for. Sizes for
# Spark's splits are estimated every 30 s.
_SINGLE_NODE = [
    "-Dcassandra-foreground=yes",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra.shutdown_announce_in_ms=0",
    "-Dcassandra.size_recorder_interval=30",
]


def jvm_arguments(config: Cassandra, folders: Folders, jars: list[Path], agent: Path) -> list[str]:
    """Everything between `java` and the main class."""
    heap = f"{config.heap_mb}M"
    return [
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={folders.console.parent}/crash_%p.log",
        *_JVM,
        *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTS),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS),
        f"-javaagent:{agent}",
        f"-Dcassandra.config={(folders.conf / 'cassandra.yaml').as_uri()}",
        f"-Dcassandra.storagedir={folders.root}",
        f"-Dlogback.configurationFile={(folders.conf / 'logback.xml').as_uri()}",
        f"-Djava.io.tmpdir={folders.tmp}",
        f"-Djna.tmpdir={folders.tmp}",
        *server_arguments(config, folders),
        *_SINGLE_NODE,
        "-cp",
        ":".join(str(place) for place in (folders.conf, *jars)),
    ]


def tool_arguments(folders: Folders, jars: list[Path]) -> list[str]:
    """Everything between `java` and the class of one of Cassandra's own tools, for one short run.

    Its history and scratch files go to the node's folder for temporary files.
    """
    return [
        "-Xmx128M",
        "-XX:TieredStopAtLevel=1",  # a run of two seconds: compiling well would double it
        *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTS),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS),
        f"-Dlogback.configurationFile={(folders.conf / 'logback.xml').as_uri()}",
        f"-Duser.home={folders.tmp}",
        f"-Dcassandra.storagedir={folders.tmp}",
        "-cp",
        ":".join(str(jar) for jar in jars),
    ]
