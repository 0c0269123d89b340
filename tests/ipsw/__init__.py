# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder of IPSW files for tests: from ipsw.make_ipsw import build, describe."""
