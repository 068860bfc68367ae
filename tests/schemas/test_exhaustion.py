"""A machine that has run out of something is named, with the folder or setting to change."""

import errno
import os

import pytest

from muvr.family_jobs import problem_text
from schemas.errors import NoMart
from schemas.exhaustion import exhaustion_of, said_by

TRACE = """An error occurred while calling o72.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed
\tat org.apache.spark.scheduler.DAGScheduler.abortStage(DAGScheduler.scala:2898)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: org.apache.spark.SparkException: Task failed while writing rows
\tat org.apache.spark.sql.execution.datasources.FileFormatWriter$.executeTask(F.scala:421)
Caused by: {}
\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)
\t... 1 more
"""


class Py4JJavaError(Exception):
    """As py4j's, whose text comes from Java."""


class Py4JNetworkError(Exception):
    """As py4j's."""


class PythonException(Exception):
    """As PySpark's."""


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "The disk of /mnt/x is full (No space left on device). Free some space"),
        (errno.EDQUOT, "The disk of /mnt/x is full for this account"),
        (errno.EROFS, "The disk of /mnt/x can only be read (Read-only file system). Mount it"),
        (errno.EIO, "The disk of /mnt/x fails (Input/output error). `dmesg`"),
        (errno.EMFILE, "Too many files are open (Too many open files). Raise the limit"),
    ],
)
def test_an_error_of_the_system_names_the_folder(number: int, says: str) -> None:
    assert problem_text(OSError(number, os.strerror(number), "/mnt/x")).startswith(says)


def test_of_two_files_the_one_that_is_written_is_named() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/srv/source", None, "/mnt/backup")
    assert str(exhaustion_of(full)).startswith("The disk of /mnt/backup is full")


def test_a_full_disk_without_a_name_is_full() -> None:
    assert str(exhaustion_of(OSError(errno.ENOSPC, "x"))).startswith("A disk is full (No space")


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("java.io.IOException: No space left on device", "spark.local.dir"),
        ("java.lang.OutOfMemoryError: Java heap space", "spark.driver_memory_mb"),
        (
            "org.apache.spark.memory.SparkOutOfMemoryError: [UNABLE_TO_ACQUIRE_MEMORY]",
            "Raise spark",
        ),
        ("io.netty.util.internal.OutOfDirectMemoryError: failed to allocate", "Raise spark"),
        ("org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)", "dmesg"),
        ("java.io.IOException: /x (Read-only file system)", "paths.mart"),
    ],
)
def test_an_error_of_spark_names_the_setting(cause: str, says: str) -> None:
    told = problem_text(Py4JJavaError(TRACE.format(cause)))
    assert says in told
    assert "collectToPython" not in told
    assert "\n" not in told


def test_memory_and_a_java_that_is_gone_are_named() -> None:
    assert "enough memory. Free some" in problem_text(MemoryError())
    assert "Java was ended" in problem_text(Py4JNetworkError("Answer from Java side is empty"))
    killed = "An exception was thrown from the Python worker.\nTraceback:\nMemoryError"
    assert "too little memory" in problem_text(PythonException(killed))


def test_other_errors_say_what_caused_them_in_one_line() -> None:
    caused = Py4JJavaError(TRACE.format("java.net.UnknownHostException: elsewhere"))
    assert problem_text(caused) == "Py4JJavaError: java.net.UnknownHostException: elsewhere"
    direct = Py4JJavaError("An error occurred while calling o1.x.\n: java.lang.Error: it\n\tat x")
    assert said_by(direct) == "java.lang.Error: it"
    assert said_by(PythonException("\n  An exception\nTraceback:\nValueError: no set\n")) == (
        "ValueError: no set"
    )
    assert problem_text(NoMart("There is none.")) == "There is none."
    assert problem_text(FileNotFoundError(2, "No such file", "/x")).startswith("FileNotFoundError")
    assert said_by(ValueError()) == ""


def test_an_error_whose_text_is_gone_with_java_has_none() -> None:
    class Gone(Exception):
        def __str__(self) -> str:
            raise ConnectionRefusedError

    assert said_by(Gone()) == ""
