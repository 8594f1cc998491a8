"""The goals, and what the rounds of a run say about them: Markdown for `benches/README.md`."""

import dataclasses
import statistics

LABELS = {
    "nginx": "nginx, proxying only",
    "haproxy": "HAProxy, proxying only",
    "caddy": "Caddy, proxying only",
    "pingora": "Pingora, proxying only",
    "portcullis": "Portcullis, whole policy",
}
NAMES = {key: label.partition(",")[0] for key, label in LABELS.items()}
OURS = "portcullis"
CAPTION = "Ratios: the median of the rounds (their middle half; the lowest and the highest)."


@dataclasses.dataclass(frozen=True)
class Goal:
    """At most `limit` times what `peer` takes in `mode`; without a peer, at most `limit` in the mode's own unit."""

    mode: str
    limit: float
    peer: str | None

    def __str__(self):
        limit = f"{self.limit:.2f} × {NAMES[self.peer]}" if self.peer else f"{self.limit:,} bytes"
        return f"`{self.mode}` ≤ {limit}"


GOALS = (
    Goal("h1", 1.00, "nginx"),
    Goal("h1", 0.50, "pingora"),
    Goal("tls", 0.85, "nginx"),
    Goal("h2", 1.00, "haproxy"),
    Goal("handshake", 0.75, "nginx"),
    Goal("idle", 4096, None),
)


class Spread:
    """The median of some figures, the middle half of them, and the lowest and highest."""

    def __init__(self, figures):
        self.median = statistics.median(figures)
        self.low, self.high = min(figures), max(figures)
        quarters = statistics.quantiles(figures, n=4, method="inclusive") if len(figures) > 1 else figures * 3
        self.first, _, self.third = quarters

    def __str__(self):
        return f"{self.median:.2f} ({self.first:.2f}-{self.third:.2f}; {self.low:.2f}-{self.high:.2f})"


def ratio(rounds, name, base):
    """The spread of what `name` takes, divided by what `base` takes in the same round."""
    return Spread([one / other for one, other in zip(rounds[name], rounds[base], strict=True)])


def costs(results):
    """Medians of every server in every mode, and below them Portcullis divided by each of the others."""
    servers = [name for name in LABELS if any(name in rounds for rounds in results.values())]
    rows = [["CPU per request, µs (idle: bytes)", *(f"`{mode}`" for mode in results)]]
    for name in servers:
        rows.append([LABELS[name], *(_median(mode, rounds, name) for mode, rounds in results.items())])
    for peer in servers:
        if peer != OURS and OURS in servers:
            rows.append([f"Portcullis / {NAMES[peer]}", *(_ratio(rounds, peer) for rounds in results.values())])
    return _markdown(rows)


def shares(busy):
    """How much of its core each server used, the median. One that waits for the load generator falls asleep and wakes for
    fewer requests at once, which costs: much less than the whole core means that the figure is not the server's alone."""
    rows = [["share of its core", *(f"`{mode}`" for mode in busy)]]
    for name in (name for name in LABELS if any(name in rounds for rounds in busy.values())):
        medians = (statistics.median(rounds[name]) if name in rounds else None for rounds in busy.values())
        rows.append([LABELS[name], *("" if median is None else f"{median:.0%}" for median in medians)])
    return _markdown(rows)


def verdict(results):
    """Each goal, the figure that belongs to it, and whether it is met."""
    rows = [["goal", "measured", "met"]]
    for goal in GOALS:
        measured = _measured(goal, results.get(goal.mode, {}))
        if measured is None:
            rows.append([str(goal), "not measured", ""])
            continue
        shown = str(measured) if goal.peer else f"{measured.median:,.0f} ({measured.low:,.0f}-{measured.high:,.0f})"
        # Judged as it is printed: a ratio of 1.004 reads 1.00, and no run can tell the two apart.
        met = round(measured.median, 2 if goal.peer else 0) <= goal.limit
        rows.append([str(goal), shown, "yes" if met else "**no**"])
    return _markdown(rows)


def _measured(goal, rounds):
    if OURS not in rounds or goal.peer and goal.peer not in rounds:
        return None
    return ratio(rounds, OURS, goal.peer) if goal.peer else Spread(rounds[OURS])


def _median(mode, rounds, name):
    if name not in rounds:
        return ""
    median = statistics.median(rounds[name])
    return f"{median:,.0f}" if mode.startswith("idle") else f"{median:.1f}"


def _ratio(rounds, peer):
    return str(ratio(rounds, OURS, peer)) if peer in rounds and OURS in rounds else ""


def _markdown(rows):
    head, *rest = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rest])
