"""What happened, line by line, and the checker that reads it afterwards.

A history is a folder: `run.json`, and files of lines, each a letter and its fields. Times are nanoseconds of `time.monotonic_ns`,
which is one clock for all processes of a machine. A *value* is the number of one value of a key: a regenerated key has another.

    q START END NODE VALUE STATUS RETRY   a request with this value; START before its first byte was sent, END after its status was
                                          read; status 0: no answer came; RETRY 1: it carried Retry-After
    m TIME VALUE                          the answer that made it has been read: it is good
    e TIME VALUE                          a call is about to begin that takes it away
    d TIME VALUE KIND                     that this has been done has been read: from here on it is dead
    b TIME VALUE                          a call is about to begin that gives it back
    g TIME VALUE                          its answer has been read: it is good again
    x TIME VALUE                          what has become of it is not known, nor asked any more
    c START END NODE KIND STATUS          a call that makes, takes away or gives back
    o START END NODE KIND                 the same, answered with 202: END is when the operation was seen to have succeeded
    f START END NODE KIND                 what was done to a node, until it was undone; node -1: to all of them
"""

import collections
import json
import time
from typing import NamedTuple

REFUSED = (401, 403)
SECOND = 1_000_000_000
ALL = -1
TAKING_AWAY = ("revoke", "deactivate", "regenerate", "delete")
# What a fault is called in the table of calls; all others are cuts.
GROUPS = {
    "pause": "a paused node",
    "blink": "a briefly paused node",
    "kill": "a dead node",
    "restart": "a restarting node",
    "store-restart": "a restarting store",
}
FIELDS = {"q": 6, "m": 2, "e": 2, "d": 3, "b": 2, "g": 2, "x": 2, "c": 5, "o": 4, "f": 4}
# A cut is recorded from before it is begun, and is in force within this time.
CUT_WITHIN = SECOND // 20
# Of what a paused process does to others: it may hold the lock of an SQLite file, which is one for all who write.
HOLDS_A_FILE = ("pause", "blink")


class Recorder:
    """Writes one file of a history."""

    def __init__(self, path):
        self.file = open(path, "w", buffering=1 << 20, encoding="ascii")

    def write(self, letter, *fields):
        self.file.write(f"{letter} {' '.join(map(str, fields))}\n")

    def close(self):
        self.file.close()


class Request(NamedTuple):
    start: int
    end: int
    node: int
    value: int
    status: int
    retry: int

    @property
    def accepted(self):
        return self.status not in (0, 401, 403, 503)


class Call(NamedTuple):
    start: int
    end: int
    node: int
    kind: str
    status: int


class Fault(NamedTuple):
    start: int
    end: int
    node: int
    kind: str

    @property
    def group(self):
        return GROUPS.get(self.kind, "a node cut off")


class History:
    """All of it in memory; `run` has `staleness_s`, `recovery_s`, `store`, `nodes`, and what else the run says of itself."""

    def __init__(self, run, lines):
        self.run = run
        self.requests, self.calls, self.operations, self.faults = [], [], [], []
        self.lives = collections.defaultdict(list)
        self.done = collections.Counter()
        for line in lines:
            letter, *fields = line.split()
            if len(fields) != FIELDS[letter]:
                raise ValueError(f"no line of a history: {line!r}")
            self._take(letter, fields)
        for life in self.lives.values():
            life.sort()
        self.faults.sort()

    @classmethod
    def read(cls, folder):
        lines = (line for path in sorted(folder.glob("*.history")) for line in open(path, encoding="ascii"))
        return cls(json.loads((folder / "run.json").read_text()), lines)

    def _take(self, letter, fields):
        if letter == "q":
            self.requests.append(Request(*map(int, fields)))
        elif letter in "co":
            start, end, node, kind, *status = fields
            made = Call(int(start), int(end), int(node), kind, int(status[0]) if status else 202)
            (self.calls if letter == "c" else self.operations).append(made)
        elif letter == "f":
            self.faults.append(Fault(*map(int, fields[:3]), fields[3]))
        else:
            self.lives[int(fields[1])].append((int(fields[0]), letter))
            if letter == "d":
                self.done[fields[2]] += 1


class Finding(NamedTuple):
    """`what` is one of the words of `WORDS`."""

    what: str
    text: str


WORDS = {
    "accepted": "a request that began after the answer was accepted",
    "refused": "a good key was refused",
    "unready": "503 from a node that nothing was wrong with",
    "without-retry": "503 without Retry-After",
    "unanswered": "no answer from a node that nothing was wrong with",
    "status": "a good key got a status that nobody expects",
    "stale": "a node cut off from the store accepted keys for longer than max_staleness",
    "unrecovered": "a node did not recover by itself",
    "call": "a call failed on a node that nothing was wrong with",
    "slow": "a call that takes away took longer than leases explain",
    "nothing": "the history proves nothing",
}


class Checker:
    def __init__(self, history):
        self.history = history
        self.staleness = int(history.run["staleness_s"] * SECOND)
        self.recovery = int(history.run["recovery_s"] * SECOND)
        self.findings = []
        self.of_node = collections.defaultdict(list)
        for each in history.requests:
            self.of_node[each.node].append(each)
        self.dead_requests, self.soonest = 0, None
        self.spans = {value: spans(life, self.staleness) for value, life in history.lives.items()}
        self.recoveries = [(fault, self._recovered(fault)) for fault in history.faults]
        self.affected = self._affected()

    def check(self):
        for each in self.history.requests:
            self._request(each)
        self._cut_off()
        for fault, took in self.recoveries:
            if took is None or took > self.recovery:
                self._find("unrecovered", f"{describe(fault)}: {'never' if took is None else seconds(took)}")
        self._calls()
        if not self.dead_requests or not any(each.status == 200 for each in self.history.requests):
            self._find("nothing", f"{len(self.history.requests)} requests, {self.dead_requests} of them with a dead value")
        return self.findings

    def _find(self, what, text):
        self.findings.append(Finding(what, text))

    def _request(self, it):
        good, dead = self.spans.get(it.value, ((), ()))
        for since, until in dead:
            # The whole request lies where the value was dead: its start alone is not enough where it was given back later.
            if since < it.start and it.end < until:
                self.dead_requests += 1
                if self.soonest is None or it.start - since < self.soonest:
                    self.soonest = it.start - since
                if it.accepted:
                    self._find("accepted", f"{show(it)}: began {seconds(it.start - since)} after; {self._amid(it)}")
        is_good = any(since < it.start and it.end < until for since, until in good)
        if is_good and it.status in REFUSED:
            self._find("refused", f"{show(it)}; {self._amid(it)}")
        if is_good and it.status not in (0, 200, 503, *REFUSED):
            self._find("status", f"{show(it)}; {self._amid(it)}")
        if it.status == 503 and not it.retry:
            self._find("without-retry", show(it))
        if it.status in (0, 503) and not self._is_affected(it):
            self._find("unready" if it.status else "unanswered", f"{show(it)}; {self._amid(it)}")

    def _cut_off(self):
        """A node that has lost its store goes on with what it knows for `max_staleness`, by its own clock since it last asked,
        which was before the cut."""
        cuts = [fault for fault in self.history.faults if fault.kind.startswith("cut")]
        for fault in cuts:
            late = [
                it
                for node in self._nodes(fault)
                for it in self.of_node[node]
                if fault.start + CUT_WITHIN + self.staleness < it.start and it.end < fault.end and it.accepted
            ]
            if late:
                longest = max(it.start - fault.start for it in late)
                self._find("stale", f"{describe(fault)}: {len(late)} requests, until {seconds(longest)} after it began")

    def _calls(self):
        limit = 2 * self.staleness + 5 * SECOND
        for it in self.history.calls + self.history.operations:
            if it.kind in TAKING_AWAY and it.end - it.start > limit and not self._is_affected(it):
                self._find("slow", f"{it.kind} at node {it.node}: {seconds(it.end - it.start)}")
        for it in self.history.calls:
            if not 200 <= it.status < 300 and not self._is_affected(it):
                self._find("call", f"{it.kind} at node {it.node} at {it.start}: {it.status}; {self._amid(it)}")

    def _recovered(self, fault):
        """How long after its end each of its nodes had accepted a key."""
        firsts = []
        for node in self._nodes(fault):
            later = (it.end for it in self.of_node[node] if it.start > fault.end and it.status == 200)
            firsts.append(min(later, default=None))
        return None if None in firsts else max(firsts) - fault.end

    def _nodes(self, fault):
        return range(self.history.run["nodes"]) if fault.node == ALL else (fault.node,)

    def _affected(self):
        """By node, from when until when it may refuse: until it has recovered, and then for as long as a lease lasts, because
        one of its threads may know before another."""
        every = range(self.history.run["nodes"])
        affected = {node: [] for node in every}
        for fault, took in self.recoveries:
            until = fault.end + min(took or self.recovery, self.recovery) + self.staleness
            all_of_them = self.history.run["store"] == "sqlite" and fault.kind in HOLDS_A_FILE
            for node in every if all_of_them else self._nodes(fault):
                affected[node].append((fault.start, until))
        return affected

    def _is_affected(self, it):
        return any(since <= it.end and it.start <= until for since, until in self.affected[it.node])

    def _amid(self, it):
        near = [fault for fault in self.history.faults if fault.start <= it.end and it.start <= fault.end + self.recovery]
        return "during or after " + ", ".join(map(describe, near)) if near else "with no fault near"

    def report(self):
        """What is worth telling of a run, findings apart."""
        history = self.history
        kinds = ", ".join(f"{history.done[kind]} {kind}" for kind in TAKING_AWAY)
        statuses = collections.Counter(it.status for it in history.requests)
        yield f"{len(history.requests)} requests: " + ", ".join(f"{n} x {status or 'none'}" for status, n in sorted(statuses.items()))
        yield f"{sum(history.done.values())} revocations: {kinds}"
        soonest = "" if self.soonest is None else f", the first {self.soonest / 1000:.0f} µs after the answer"
        yield f"{self.dead_requests} requests with a value that was dead{soonest}"
        yield from self._recovery_lines()
        yield "the revoking call, made at a node that nothing was wrong with, while there was"
        yield f"  {'':44}{'calls':>7}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}"
        for name, took in self._latencies():
            yield f"  {name:44}{len(took):>7}" + "".join(f"{it / 1e6:>10.1f}" for it in (at(took, 0.5), at(took, 0.99), took[-1]))

    def _recovery_lines(self):
        by_kind = collections.defaultdict(list)
        for fault, took in self.recoveries:
            by_kind[fault.kind].append(took)
        for kind, all_of_them in sorted(by_kind.items()):
            known = sorted(took for took in all_of_them if took is not None)
            last = f"first 200 after {seconds(at(known, 0.5))} (median), {seconds(known[-1])} (longest)" if known else "no 200 after"
            yield f"fault {kind}: {len(all_of_them)} times, {last}"

    def _latencies(self):
        groups = collections.defaultdict(list)
        # What a fault does to others lasts until its node is back, and at least as long as the lease that it may have left.
        until = [
            (fault, max(fault.end + min(took or self.recovery, self.recovery), fault.start + self.staleness))
            for fault, took in self.recoveries
        ]
        taking = [it for it in self.history.calls if it.kind in TAKING_AWAY and 200 <= it.status < 300]
        told = ((it, "202: " if it.status == 202 else "") for it in taking)
        for it, prefix in [*told, *((it, "202, until in force: ") for it in self.history.operations)]:
            amid = [fault for fault, end in until if fault.start <= it.end and it.start <= end]
            if any(fault.node in (it.node, ALL) for fault in amid):
                continue
            name = amid[0].group if len(amid) == 1 else "no fault" if not amid else "faults of two nodes"
            groups[prefix + name].append(it.end - it.start)
        for name in sorted(groups):
            yield name, sorted(groups[name])


def spans(life, staleness):
    """When a value was good for sure, and when it was dead for sure. After it was given back, a node may go by what it knew
    for `max_staleness`."""
    good, dead = [], []
    good_since, dead_since = None, None
    for moment, letter in life:
        if letter == "m":
            good_since = moment
        elif letter == "g":
            good_since = moment + staleness
        elif letter == "d" and dead_since is None:
            dead_since = moment
        # What ends a span: a call that has begun, whether or not it has an end.
        if letter in "ex" and good_since is not None:
            good.append((good_since, moment))
            good_since = None
        if letter in "bx" and dead_since is not None:
            dead.append((dead_since, moment))
            dead_since = None
    forever = 1 << 63
    good += [(good_since, forever)] if good_since is not None else []
    dead += [(dead_since, forever)] if dead_since is not None else []
    return good, dead


def at(ordered, share):
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def seconds(nanoseconds):
    return f"{nanoseconds / SECOND:.3f} s"


def show(it):
    return f"value {it.value} at node {it.node} from {it.start} to {it.end}: {it.status or 'no answer'}"


def describe(fault):
    whom = "all nodes" if fault.node == ALL else f"node {fault.node}"
    return f"{fault.kind} of {whom} ({fault.start} to {fault.end})"


def verdict(history, most=10):
    """Prints what was found; gives the words for it."""
    started = time.monotonic()
    checker = Checker(history)
    findings = checker.check()
    for line in checker.report():
        print(line)
    count = collections.Counter(each.what for each in findings)
    for what, total in count.items():
        print(f"FOUND {total} x {WORDS[what]}")
        for each in [it for it in findings if it.what == what][:most]:
            print(f"  {each.text}")
    print(f"{'nothing was found' if not findings else 'see above'}; checked in {time.monotonic() - started:.1f} s")
    return set(count)
