#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine inside our job beside the same engine alone: same phone, same file, same servers, in turns. Natively, in
the build root; prints one JSON object {"ours": [seconds…], "bare": […], "service_kib": N}.

usage: tests/bench/restore.py [--rounds N]
"""

import argparse
import json
import pathlib
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests" / name) for name in ("story", "net", "")]

from apple import Apple  # noqa: E402
from ipsw.make_ipsw import build  # noqa: E402
from rescue_bed import Rescue  # noqa: E402
from restore_judge import MIB, PHONE, PHONES, Restore  # noqa: E402

IMAGE_MIB = 64


def bare(folder, ipsw, apple):
    with Restore(folder, ipsw, apple, product=PHONE, mode="recovery") as phone:
        done = phone.run(erase=True, variant="Customer Erase Install (IPSW)", limit=300)
        if not done.finished:
            sys.exit(f"bench: the engine alone failed\n{done.tail()}")
        return done.seconds


def ours(folder, ipsw, apple):
    """Seconds from the engine's start to its end, and the service's memory meanwhile."""
    with Rescue(folder, apple, ipsw=ipsw, mode="recovery", trust_after_ms=1) as rescue:
        rescue.until_phone(mode="recovery")
        name = rescue.start_erase("--file", str(ipsw))
        rescue.until_job(name, lambda job: (job.get("progress") or {}).get("part") == "upload-system"
                         or job["state"] != "running")
        kib = rescue.rss_kib()
        job = rescue.until_end(name, 300)
        if job["state"] != "done":
            sys.exit(f"bench: our job failed\n{json.dumps(job)}")
        lines = (rescue.storage / "jobs" / name / "engine-1.jsonl").read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        began = next(event["time_ms"] for event in events if event.get("event") == "started")
        return (events[-1]["time_ms"] - began) / 1000, kib


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    version, number = PHONES[PHONE]
    result = {"ours": [], "bare": [], "service_kib": 0}
    with tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as store:
        ipsw = pathlib.Path(store) / "bench_Restore.ipsw"
        build(ipsw, boards=[PHONE], version=version, build=number, image_bytes=IMAGE_MIB * MIB)
        (pathlib.Path(store) / "apple").mkdir()
        with Apple(pathlib.Path(store) / "apple", files=[ipsw]) as apple:
            for number in range(rounds):
                for kind in ("bare", "ours") if number % 2 else ("ours", "bare"):
                    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
                        if kind == "bare":
                            result["bare"].append(bare(pathlib.Path(folder), ipsw, apple))
                        else:
                            seconds, kib = ours(pathlib.Path(folder), ipsw, apple)
                            result["ours"].append(seconds)
                            result["service_kib"] = max(result["service_kib"], kib)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
