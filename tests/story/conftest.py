# SPDX-License-Identifier: GPL-3.0-or-later
"""What stories share. pytest runs in the build root; machines are booted by `scripts/guest --serve` on the host."""

import json
import os
import pathlib
import tempfile

import pytest

from findings_matrix import print_matrix
from guest_client import RemoteGuest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent


def result_of(completed):
    """The result object, which is the last line of every --json output."""
    assert completed.stdout, f"no output; standard error: {completed.stderr}"
    result = json.loads(completed.stdout.splitlines()[-1])
    assert result["type"] == "result", result
    assert result["exit"] == completed.status
    return result


class Machine(RemoteGuest):
    """A guest with the questions that stories ask."""

    def result(self, command, timeout=120):
        return result_of(self.run(command, timeout))

    def phones(self):
        """What `idevicerescue list --json` lists."""
        result = self.result("idevicerescue list --json")
        assert result["exit"] == 0
        return result["phones"]

    def ok(self, command, timeout=120):
        """Standard output of a command that must succeed."""
        done = self.run(command, timeout)
        assert done.status == 0, f"{command}: {done.status}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def folder():
    """An empty folder; its path is short, for sockets."""
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as path:
        yield pathlib.Path(path)


@pytest.fixture(scope="session")
def power_on():
    """power_on(phones=[…], firmware=…, …) → a booted Machine; all end with the session at the latest."""
    path = os.environ.get("IDR_GUEST")
    if not path:
        pytest.fail("stories with the image are started by scripts/story, which boots machines on the host")
    machines = []

    def boot(settle=True, service=True, **options):
        machine = Machine(path, **options)
        machines.append(machine)
        try:
            machine.boot(settle=settle, service=service)
        except BaseException:
            machine.shutdown()  # a machine that nobody uses would slow down all others
            raise
        return machine

    yield boot
    for machine in machines:
        machine.shutdown()


def pytest_terminal_summary(terminalreporter):
    """In the process that reports, whoever ran the tests."""
    print_matrix(terminalreporter.write_line)
