# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the restore judges; a module names this file in pytest_plugins. One set of IPSWs and servers a worker."""

import pathlib
import sys
import tempfile

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("net", "")]

from apple import Apple  # noqa: E402
from ipsw.make_ipsw import build  # noqa: E402
from restore_judge import MIB, PHONE, PHONES, manifest_rewritten  # noqa: E402


@pytest.fixture(scope="session")
def store():
    """Files and servers of one worker; a short path because of sockets."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        yield pathlib.Path(folder)


@pytest.fixture(scope="session")
def ipsws(store):
    """ipsws(product, wishes…): the path of such a file, made once. rewrite: what else is done to its manifest."""
    made = {}

    def make(product=PHONE, rewrite=None, **wishes):
        key = (product, rewrite, repr(sorted(wishes.items())))
        if key not in made:
            version, number = PHONES[product]
            path = store / f"{len(made)}.ipsw"
            build(path, boards=[product], version=version, build=number,
                  **{"image_bytes": 2 * MIB, "cryptex_bytes": MIB // 2, **wishes})
            if rewrite:
                manifest_rewritten(path, rewrite)
            made[key] = path
        return made[key]
    return make


@pytest.fixture(scope="session")
def servers(store):
    (store / "apple").mkdir()
    with Apple(store / "apple") as apple:
        yield apple


@pytest.fixture
def apple(servers):
    """The servers, as yet asked nothing and told nothing."""
    servers.calm()
    return servers


@pytest.fixture
def known(apple, ipsws):
    """The firmware that the catalogues name for the phone."""
    return apple.register(ipsws(PHONE)).path
