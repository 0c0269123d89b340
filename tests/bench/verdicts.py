#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long until every phone has its verdict: one phone, then many at once behind the same unmodified usbmuxd; and
beside both what the plainest programs need to read as many: idevice_id, then ideviceinfo for each, three at a time.
Natively, in the build root; prints one JSON object with lists of milliseconds
{"one": […], "many": […], "ideviceinfo": […], "ideviceinfo_many": […], "phones": N}.

usage: tests/bench/verdicts.py [--rounds N] [--phones N]

The phones are plugged in and paired before: usbmuxd loses some of many that come in the same moment. What is timed is
ours, from the moment at which the service hears of them to the last verdict, as `watch` tells it. A verdict needs more
than ideviceinfo: a session, what is in it, and two services. The phones are simulated on the same processors.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests/story"))
os.environ.setdefault("IDR_SIMPHONE", "plain")  # the phones' sanitizers are no part of it
os.environ.setdefault("IDR_BUILD", "build")

from mux_bench import MuxBench  # noqa: E402
from rescue_bed import PROGRAM  # noqa: E402
from ward import Ward  # noqa: E402

LIMIT = 120
# of all at once usbmuxd loses some; as many at once as ours, and started by who starts them faster than Python
ALL = "idevice_id -l | xargs -P 3 -I UDID ideviceinfo -u UDID"


def verdict_ms(bench):
    """From the sightings to the moment at which each phone is known to be well."""
    with Ward(bench=bench, tell=False) as ward:
        watch = subprocess.Popen(["timeout", str(LIMIT), PROGRAM, "--socket", ward.socket, "--json", "watch"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=ward.environment)
        watch.stdout.readline()  # the snapshot: from here it hears of all
        began = time.monotonic()
        ward.tell()
        well = set()
        for line in watch.stdout:
            phone = json.loads(line).get("phone", {})
            if phone.get("reach") == "service":
                well.add(phone["port"])
            if len(well) == len(bench.phones):
                break
        took = (time.monotonic() - began) * 1000
        watch.terminate()
        watch.wait()
        if len(well) < len(bench.phones):
            sys.exit(f"bench: {len(well)} verdicts within {LIMIT} s\n{ward.log_text()[-2000:]}")
        return took


def ideviceinfo_ms(bench):
    """Every phone that usbmuxd lists."""
    began = time.monotonic()
    done = bench.run("sh", "-c", ALL)
    if done.stdout.count("ProductType: ") != len(bench.phones):
        sys.exit(f"bench: ideviceinfo failed\n{done.stderr}")
    return (time.monotonic() - began) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--phones", type=int, default=20)
    options = parser.parse_args()
    result = {"one": [], "many": [], "ideviceinfo": [], "ideviceinfo_many": [], "phones": options.phones}
    for count, ours, theirs in ((1, "one", "ideviceinfo"), (options.phones, "many", "ideviceinfo_many")):
        with MuxBench(count, "iphone13-trusted") as bench:
            bench.await_records()
            for _ in range(options.rounds):
                result[ours].append(verdict_ms(bench))
                result[theirs].append(ideviceinfo_ms(bench))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
