# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty simulated phones behind one socket of the unmodified usbmuxd, natively: each answers for itself."""

import concurrent.futures

from mux_bench import MuxBench

PHONES = 20
AT_ONCE = 4  # usbmuxd's backlog is five; a connection beyond it is refused


def test_twenty_phones_behind_one_socket():
    with MuxBench(PHONES, "iphone13-trusted") as bench:
        bench.await_records()
        udids = [phone.udid for phone in bench.phones]
        assert sorted(bench.udids()) == sorted(set(udids))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            said = list(pool.map(lambda udid: bench.run("ideviceinfo", "-u", udid, "-k", "SerialNumber").stdout.strip(),
                                 udids))
        assert said == [phone.state()["serial"] for phone in bench.phones]
        bench.phones[7].control("unplug")
        bench.until("the unplugged phone is gone", lambda: udids[7] not in bench.udids())
        assert len(bench.udids()) == PHONES - 1
