# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL of anything but the engine and its parent at random moments of a restore: it still ends right, once.

Each round is a whole restore with some kills; IDR_SEED repeats a run. What is killed is started again by whoever does
so in the image: systemd the service and the console, the person the command line, the service its workers."""

import os
import random
import signal
import time

import pexpect
import pytest

from rescue_bed import ENDS, PROGRAM, Cli, Rescue
from restore_judge import PHONE, PHONES

pytest_plugins = ["restore_fixtures"]

ROUNDS = 10
KILLS = 4  # of each round
MOMENTS = (0.0, 2.0)  # seconds between two kills
VICTIMS = ["service", "service", "cli", "console", "worker"]
SEED = int(os.environ.get("IDR_SEED") or 20261122)


class Company:
    """What runs beside the service, and how it is killed and comes back."""

    def __init__(self, rescue, name):
        self.rescue, self.name = rescue, name
        self.cli = Cli(rescue, "job", "show", name, "--follow")
        self.console = None
        self.begin_console()

    def begin_console(self):
        self.console = pexpect.spawn(str(PROGRAM), ["--socket", str(self.rescue.socket), "console"],
                                     env={**self.rescue.environment, "TERM": "linux"}, dimensions=(25, 80))

    def kill(self, victim, dice):
        if victim == "service":
            self.rescue.kill_service()
            self.rescue.start_service()
        elif victim == "cli":
            self.cli.kill()
            self.cli = Cli(self.rescue, "job", "show", self.name, "--follow")
        elif victim == "console":
            self.console.kill(signal.SIGKILL)
            self.console.close(force=True)
            self.begin_console()
        else:
            pids = set(self.rescue.workers()) - set(self.rescue.workers("restore"))
            if pids:
                try:
                    os.kill(dice.choice(sorted(pids)), signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it has just ended by itself

    def end(self):
        self.console.close(force=True)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_restore_survives(folder, apple, known, number):
    dice = random.Random(SEED * 1000 + number)
    erase = bool(number % 2)
    with Rescue(folder, apple, ipsw=known, mode=dice.choice(["normal", "recovery", "dfu"]), trust_after_ms=1) as rescue:
        rescue.until_phone(ecid=rescue.phone.state()["ecid"])
        name = rescue.start_erase() if erase else rescue.start("restore", rescue.ecid, "--update")
        company = Company(rescue, name)
        done = []
        for _ in range(KILLS):
            time.sleep(dice.uniform(*MOMENTS))  # the moment is what is tried, nothing is awaited
            victim = dice.choice(VICTIMS)
            done.append(victim)
            company.kill(victim, dice)
        job = rescue.until_end(name, 180)
        status, lines = company.cli.end()
        company.end()
        assert job["state"] == "done", (SEED, number, done, job)
        assert status == 0 and [line["job"]["state"] for line in lines if line["type"] == "job"][-1:] in ([], ["done"])
        judge(rescue, name, erase)


def judge(rescue, name, erase):
    """Once: for the phone, in the journal, in the report."""
    state = rescue.until_normal()
    assert (state["erases"], state["updates"]) == (int(erase), int(not erase))
    assert state["build"] == PHONES[PHONE][1]
    ends = [line["state"] for line in rescue.journal(name) if line["state"] in ENDS]
    assert ends == ["done"]
    begun = [(line["step"], line["attempt"]) for line in rescue.journal(name) if line["event"] == "begin"]
    finished = [line for line in rescue.journal(name) if line["event"] == "done"]
    assert len(finished) == len({step for step, _ in begun})
    assert rescue.report(name)["outcome"] == "done"
