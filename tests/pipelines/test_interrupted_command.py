"""A test that its time limit ends inside a command to Spark's Java leaves the next ones alone."""

import os
import signal
import threading

import pytest
from pyspark.sql import SparkSession

from tests.spark_session import drop_java_connection


def test_answer_to_an_interrupted_command_is_not_taken_for_a_later_one(
    spark: SparkSession,
) -> None:
    def end(*_: object) -> None:
        pytest.fail("as pytest-timeout does")

    before = signal.signal(signal.SIGUSR1, end)
    alarm = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1))
    alarm.start()
    try:
        with pytest.raises(pytest.fail.Exception) as kept:  # its frames hold the connection
            spark._jvm.java.lang.Thread.sleep(2000)
    finally:
        alarm.join()
        signal.signal(signal.SIGUSR1, before)
        drop_java_connection()
    assert [spark._jvm.java.lang.Math.abs(-number) for number in range(5)] == list(range(5))
    assert "as pytest-timeout does" in str(kept.value)
