"""The first failures of a run are shown when they happen, not only when all tests have run.

A node or a Spark that hangs makes hundreds of tests fail, each after its time limit. Whoever waits,
or ends the run, sees why the first one did.
"""

import os

import pytest

SHOWN = 10
LINES = 60


class FirstFailures:
    """Prints the end of the first failures; all of them come in full at the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._left = config, SHOWN

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test, also for those of pytest-xdist's processes."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if not report.failed or not self._left or terminal is None:
            return
        self._left -= 1
        terminal.write_sep("_", f"{report.when} of {report.nodeid}")
        for line in report.longreprtext.splitlines()[-LINES:]:
            terminal.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Only in the process that has the terminal: it hears of the tests of all others."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(FirstFailures(config))
