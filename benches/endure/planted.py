"""The checker's test of itself: a history in which nothing is wrong, and the same with one thing planted each time, which has
to be found, and nothing else."""

from history import SECOND, TAKING_AWAY, WORDS, Checker, History

RUN = {"staleness_s": 2, "recovery_s": 10, "store": "postgres", "nodes": 3}


def moment(second):
    return int(second * SECOND)


def request(second, node, value, status, retry=0, took=0.001):
    return f"q {moment(second)} {moment(second + took)} {node} {value} {status} {retry}"


def life(value, made, ended, kind, answered):
    return [
        f"m {moment(made)} {value}",
        f"e {moment(ended)} {value}",
        f"d {moment(answered)} {value} {kind}",
        f"c {moment(ended)} {moment(answered)} 0 {kind} 200",
    ]


def clean():
    """A key of each kind that dies, one that is given back, one that lives; a node is cut off from the 20th to the 26th second."""
    lines = [f"m {moment(0.5)} 9", f"f {moment(20)} {moment(26)} 1 cut-up"]
    for value, kind in enumerate(TAKING_AWAY):
        lines += life(value, 1, 5, kind, 5.1)
        for node in range(3):
            lines += [request(4, node, value, 200), request(5.05, node, value, 200), request(5.11, node, value, 401)]
            # Began before the answer: it may be accepted, however late its own answer comes.
            lines.append(request(5.09, node, value, 200, took=3))
    lines += [*life(7, 1, 5, "deactivate", 5.1), f"b {moment(8)} 7", f"g {moment(8.1)} 7"]
    lines += [request(7, 0, 7, 401), request(7.9, 0, 7, 200, took=0.2), request(8.05, 0, 7, 200), request(9, 1, 7, 401)]
    lines += [request(11, 1, 7, 200), request(21, 1, 9, 200), request(23, 1, 9, 503, 1), request(26.5, 1, 9, 503, 1)]
    lines += [request(27, 1, 9, 200), request(28, 1, 9, 503, 1), request(30, 1, 9, 200), request(23, 0, 9, 200)]
    return lines


PLANTED = {
    "accepted": [
        request(5.1001, 2, 0, 200),
        request(30, 1, 3, 500),
        request(6, 1, 1, 404),
        request(7.5, 2, 7, 200),
    ],
    "refused": [request(4, 2, 9, 401), request(23, 1, 9, 403), request(12, 1, 7, 401)],
    "unready": [request(15, 1, 9, 503, 1), request(23, 0, 9, 503, 1), request(35, 1, 9, 503, 1)],
    "without-retry": [request(23, 1, 9, 503)],
    "unanswered": [request(15, 2, 9, 0)],
    "status": [request(15, 2, 9, 502)],
    "stale": [request(22.5, 1, 9, 200)],
    "unrecovered": [f"f {moment(40)} {moment(45)} 2 kill"],
    "call": [f"c {moment(15)} {moment(15.1)} 0 make 500", f"c {moment(23)} {moment(23.1)} 2 delete 503"],
    "slow": [f"c {moment(5)} {moment(15)} 0 delete 204"],
}


def selftest():
    """Whether the checker finds what is planted, and only that."""
    wrong = []
    if found := Checker(History(RUN, clean())).check():
        wrong.append(f"a history in which nothing is wrong: {found}")
    if [each.what for each in Checker(History(RUN, [])).check()] != ["nothing"]:
        wrong.append("an empty history is taken for a proof")
    if missing := set(WORDS) - set(PLANTED) - {"nothing"}:
        wrong.append(f"nothing is planted for {missing}")
    for what, lines in PLANTED.items():
        for line in lines:
            found = Checker(History(RUN, [*clean(), line])).check()
            if [each.what for each in found] != [what]:
                wrong.append(f"planted {what}, {line!r}: found {found}")
    for line in wrong:
        print(line)
    print(f"{sum(map(len, PLANTED.values()))} planted, " + ("all found" if not wrong else f"{len(wrong)} wrong"))
    return not wrong
