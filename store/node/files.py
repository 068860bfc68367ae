"""The configuration files of an embedded node, generated from conf.yaml on every start.

Departures from Cassandra's defaults carry their reason.
"""

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from xml.sax.saxutils import escape

import yaml

from schemas.config import Cassandra
from store.node.folders import Folders
from store.node.jvm import jvm_arguments

LOOPBACK = "127.0.0.1"
COMMITLOG_TOTAL_MIB = 256
# The four tokens of the node, spread evenly, so that token-range readers get four equal pieces.
_TOKENS = "-9223372036854775807,-4611686018427387904,0,4611686018427387904"


def write_files(config: Cassandra, folders: Folders, jars: list[Path], agent: Path) -> Path:
    """Write cassandra.yaml, logback.xml and the Java argument file; returns the latter."""
    for folder in (folders.conf, folders.tmp, folders.log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    (folders.conf / "cassandra.yaml").write_text(cassandra_yaml(config, folders.root))
    (folders.conf / "logback.xml").write_text(logback_xml(folders.log))
    arguments = folders.conf / "java.args"
    lines = (_quoted(line) for line in jvm_arguments(config, folders, jars, agent))
    arguments.write_text("\n".join(lines) + "\n")
    return arguments


def has_roles(folders: Folders) -> bool:
    """Whether the node was last started with authentication."""
    file = folders.conf / "cassandra.yaml"
    return file.exists() and "authenticator" in yaml.safe_load(file.read_text())


def cassandra_yaml(config: Cassandra, root: Path) -> str:
    """cassandra.yaml of a single node on the loopback address."""
    settings = {
        **_network(config),
        **_roles(config),
        **_storage(root),
        **_durability(config, root),
        **_sizes(config),
    }
    return yaml.safe_dump(settings, sort_keys=False)


def _network(config: Cassandra) -> dict[str, object]:
    seeds = [{"seeds": f"{LOOPBACK}:{config.storage_port}"}]
    timeout = f"{round(config.request_timeout_s * 800)}ms"  # the node gives up before its client
    return {
        "cluster_name": "muvr",
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "num_tokens": 4,
        "initial_token": _TOKENS,
        "auto_bootstrap": False,
        "endpoint_snitch": "SimpleSnitch",
        "dynamic_snitch": False,
        "listen_address": LOOPBACK,
        "rpc_address": LOOPBACK,
        "storage_port": config.storage_port,
        "native_transport_port": config.port,
        "start_native_transport": True,
        "seed_provider": [
            {"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": seeds}
        ],
        # The default (heap / 40) throttles a single loader.
        "native_transport_max_request_data_in_flight": "128MiB",
        "native_transport_max_request_data_in_flight_per_ip": "128MiB",
        "read_request_timeout": timeout,
        "range_request_timeout": timeout,
        "write_request_timeout": timeout,
        # A conditional write is several rounds, each synced. The default of 1.8 s for all of them
        # is less than a plain write is given: three writers at once on a busy disk ran into it.
        "cas_contention_timeout": timeout,
        "truncate_request_timeout": "60s",
    }


def _roles(config: Cassandra) -> dict[str, object]:
    """Authentication; without usernames every process of this machine may connect."""
    if not config.username:
        return {}
    return {
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "role_manager": "CassandraRoleManager",
    }


def _storage(root: Path) -> dict[str, object]:
    return {
        "data_file_directories": [str(root / "data")],
        "commitlog_directory": str(root / "commitlog"),
        "hints_directory": str(root / "hints"),
        "saved_caches_directory": str(root / "saved_caches"),
        "cdc_raw_directory": str(root / "cdc_raw"),
        "hinted_handoff_enabled": False,
        "auto_snapshot": False,
        "sstable": {"selected_format": "bti"},
        "column_index_size": "4KiB",
        "uuid_sstable_identifiers_enabled": True,
        "storage_compatibility_mode": "NONE",
        "default_compaction": {
            "class_name": "UnifiedCompactionStrategy",
            "parameters": {
                "scaling_parameters": "T4",
                "target_sstable_size": "1GiB",
                "base_shard_count": 1,
            },
        },
        "default_secondary_index": "sai",
        "default_secondary_index_enabled": True,
    }


def _durability(config: Cassandra, root: Path) -> dict[str, object]:
    return {
        # A write is acknowledged after its fsync; the default acknowledges up to 10 s before it.
        "commitlog_sync": "group",
        "commitlog_sync_group_window": f"{config.commitlog_window_ms}ms",
        # Of mapped memory every page is faulted in, zeroed and protected again after each sync.
        # Both ways end with the bytes on the disk: direct writes are O_DSYNC.
        "commitlog_disk_access_mode": "direct" if _takes_direct_writes(root) else "mmap",
        "commitlog_segment_size": "16MiB",
        "commitlog_total_space": f"{COMMITLOG_TOTAL_MIB}MiB",
        # A node that can no longer write should end, not hang with a closed port.
        "disk_failure_policy": "die",
        "commit_failure_policy": "die",
    }


def _takes_direct_writes(folder: Path) -> bool:
    """Whether the folder's file system supports O_DIRECT; tmpfs does not, nor does macOS."""
    direct = getattr(os, "O_DIRECT", None)
    if direct is None:
        return False
    try:
        with NamedTemporaryFile(dir=folder) as probe:
            os.close(os.open(probe.name, os.O_WRONLY | direct))
    except OSError:
        return False
    return True


def _sizes(config: Cassandra) -> dict[str, object]:
    memtable = f"{max(64, config.heap_mb // 6)}MiB"
    return {
        "key_cache_size": "0MiB",
        "file_cache_size": "64MiB",
        "memtable_allocation_type": "offheap_objects",
        "memtable_heap_space": memtable,
        "memtable_offheap_space": memtable,
        "memtable": {
            "configurations": {
                "skiplist": {"class_name": "SkipListMemtable"},
                "trie": {"class_name": "TrieMemtable"},
                "default": {"inherits": "trie"},
            }
        },
        "concurrent_compactors": 1,
        "compaction_throughput": "0MiB/s",
        "concurrent_reads": 8,
        # In group mode each write holds its thread until the sync: the ceiling is this / window.
        "concurrent_writes": 128,
        "concurrent_counter_writes": 2,
        "batch_size_warn_threshold": "128KiB",
        "batch_size_fail_threshold": "640KiB",
    }


def logback_xml(log: Path) -> str:
    """Logging at INFO into a rolled file: without this file Cassandra logs DEBUG and crawls."""
    file = escape(str(log))
    pattern = "%d{ISO8601} %-5level %logger{20} - %msg%n"
    return f"""<configuration>
  <appender name="FILE" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <file>{file}</file>
    <rollingPolicy class="ch.qos.logback.core.rolling.FixedWindowRollingPolicy">
      <fileNamePattern>{file}.%i</fileNamePattern><minIndex>1</minIndex><maxIndex>3</maxIndex>
    </rollingPolicy>
    <triggeringPolicy class="ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy">
      <maxFileSize>20MB</maxFileSize>
    </triggeringPolicy>
    <encoder><pattern>{pattern}</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
</configuration>
"""


def _quoted(argument: str) -> str:
    """One line of a Java argument file: double quotes, backslash escapes, as in JSON."""
    return json.dumps(argument, ensure_ascii=False)
