"""The password of JMX, by which a node is managed: without it any local account could.

With roles, the node asks for it and nodetool sends it; without them both stay as they are, since
every process of the machine may then read and write all tables anyway.
"""

import secrets
from pathlib import Path

from schemas.config import Cassandra
from store.node.folders import Folders
from store.secret_file import write_new

USERNAME = "muvr"


def jmx_password_file(folder: Path) -> Path:
    """The file with name and password, as nodetool reads them, in `paths.secrets`."""
    return folder / "cassandra-jmx-password"


def write_server_file(config: Cassandra, folders: Folders, secrets_folder: Path) -> None:
    """Give the node its copy of the password, which is generated if there is none.

    Java replaces the password in that copy by its hash.
    """
    server_file(folders).unlink(missing_ok=True)
    if not config.username:
        return
    secrets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = jmx_password_file(secrets_folder)
    if not path.exists():
        write_new(path, f"{USERNAME} {secrets.token_urlsafe(24)}\n".encode())
    write_new(server_file(folders), path.read_bytes())


def server_file(folders: Folders) -> Path:
    """The node's copy, written again on every start."""
    return folders.conf / "jmx-password"


def server_arguments(config: Cassandra, folders: Folders) -> list[str]:
    """Java's arguments for a node: JMX on the loopback address, with a password where roles are."""
    arguments = [f"-Dcassandra.jmx.local.port={config.jmx_port}"]
    if config.username:
        arguments += [
            "--add-exports=java.management/com.sun.jmx.remote.security=ALL-UNNAMED",
            "-Dcom.sun.management.jmxremote.authenticate=true",
            f"-Dcom.sun.management.jmxremote.password.file={server_file(folders)}",
        ]
    return arguments


def login_arguments(config: Cassandra, secrets_folder: Path) -> list[str]:
    """Nodetool's arguments; none where there are no roles, or the file was lost.

    >>> login_arguments(Cassandra(), Path())
    []
    """
    path = jmx_password_file(secrets_folder)
    return ["-u", USERNAME, "-pwf", str(path)] if config.username and path.exists() else []
