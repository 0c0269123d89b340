# SPDX-License-Identifier: GPL-3.0-or-later
"""How a service is told to misbehave, and what it remembers of its requests.

A rule names a behaviour with its options and says when it applies: always, for the next `times`
requests, for the `nth` request (1 is the next one), and only `where` facts of the request fit.
With `nth` and `times` it applies to that many from the nth on. Order: `nth` before `times` before
unlimited; among limited ones the oldest first, so that 429, 429, cut is told by adding them one
after the other; among unlimited ones the newest wins. A request that no rule fits gets "ok".
"""
import threading
import time


class Rule:
    """One thing a service was told. Counts change only under the lock of its Behaviours."""

    def __init__(self, name, options, times=None, nth=None, where=None):
        self.name, self.options = name, options
        self.times, self.nth, self.where = times, nth, dict(where or {})
        self.seen = self.fired = 0

    def __getitem__(self, option):
        return self.options[option]

    def is_limited(self):
        return self.times is not None or self.nth is not None

    def is_spent(self):
        if self.nth is not None:
            return self.seen >= self.nth + (self.times or 1) - 1
        return self.times is not None and self.fired >= self.times

    def fits(self, facts):
        for key, wanted in self.where.items():
            value = facts.get(key)
            if key == "path":
                if wanted not in (value or ""):
                    return False
            elif str(value).lower() != str(wanted).lower():
                return False
        return True

    def is_due(self):
        return self.nth is None or self.seen >= self.nth

    def describe(self):
        return {"behaviour": self.name, "options": self.options, "times": self.times,
                "nth": self.nth, "where": self.where, "seen": self.seen, "fired": self.fired}


class Behaviours:
    """The rules of one service. `known` = {behaviour: {option: default}}; "ok" needs no row."""

    def __init__(self, known):
        self.known = {"ok": {}} | known
        self._rules = []
        self._lock = threading.Lock()

    def add(self, name, *, times=None, nth=None, where=None, **options):
        name = str(name)
        if name not in self.known:
            raise ValueError(f"no behaviour {name!r}; there are: {', '.join(sorted(self.known))}")
        unknown = set(options) - set(self.known[name])
        if unknown:
            raise ValueError(f"{name} has no option {', '.join(sorted(unknown))}")
        for count in (times, nth):
            if count is not None and (not isinstance(count, int) or count < 1):
                raise ValueError(f"{count!r} is no number of requests")
        rule = Rule(name, self.known[name] | options, times, nth, where)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self):
        with self._lock:
            self._rules.clear()

    def describe(self):
        with self._lock:
            return [rule.describe() for rule in self._rules]

    def choose(self, facts):
        """The rule for a request; counts it for every rule that fits it."""
        with self._lock:
            fitting = [rule for rule in self._rules if rule.fits(facts) and not rule.is_spent()]
            for rule in fitting:
                rule.seen += 1
            due = [rule for rule in fitting if rule.nth is not None and rule.is_due()]
            due += [rule for rule in fitting if rule.nth is None and rule.times is not None]
            due += [rule for rule in reversed(fitting) if not rule.is_limited()]
            chosen = due[0] if due else Rule("ok", {})
            chosen.fired += 1
            return chosen


class Record:
    """What a service was asked: a list of dictionaries, each with `time` (seconds since 1970)."""

    def __init__(self):
        self._entries = []
        self._changed = threading.Condition()

    def add(self, entry):
        with self._changed:
            entry = {"number": len(self._entries) + 1, "time": time.time()} | entry
            self._entries.append(entry)
            self._changed.notify_all()
        return entry

    def entries(self, after=0):
        with self._changed:
            return list(self._entries[after:])

    def wait(self, count, timeout):
        """The entries once there are `count`; TimeoutError if they do not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._entries) >= count, timeout):
                raise TimeoutError(f"{len(self._entries)} requests instead of {count}")
            return list(self._entries)

    def clear(self):
        with self._changed:
            self._entries.clear()

    def __len__(self):
        return len(self._entries)
