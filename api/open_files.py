"""How many connections a worker can have: each is an open file, and the system limits their number.

Without a file left, a connection is closed with no answer, and Cassandra cannot be reached anew.
"""

import resource

OTHER_FILES = 256
"""What a worker may have open besides its connections: those to Cassandra, files, libraries, and
the connections that it is about to refuse."""


def connections_within(wanted: int, most_files: int) -> int:
    """How many of the wanted connections a worker can have that may open so many files.

    >>> connections_within(2000, 524_288), connections_within(2000, 1024)
    (2000, 768)
    """
    if most_files == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(most_files // 2, most_files - OTHER_FILES))


def most_files() -> int:
    """How many files this process may let itself open: its hard limit."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def allow_connections(wanted: int) -> None:
    """Let this process, and those that it starts, open the files of so many connections.

    The soft limit is 1,024 on most systems, for the sake of programs that call `select`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def too_few_files(wanted: int, most_files: int) -> str:
    """What to do where the wanted connections are more than the files allow; "" if they are not."""
    within = connections_within(wanted, most_files)
    if within == wanted:
        return ""
    return (
        f"raise the hard limit of open files to {wanted + OTHER_FILES} (`ulimit -Hn`, or "
        f"LimitNOFILE= of a systemd unit), or set api.connections to {within}"
    )
