"""What callgrind wrote: instructions in all, by function, and how often memory was asked for.

Read here and not by callgrind_annotate, which takes the first function of a thread for all of it when the profile was
written while that ran.
"""

import collections
import re

# What Rust takes memory by, with jemalloc and without.
ALLOCATES = re.compile(r"(_rjem_|_rjem_je_)?(malloc|calloc|realloc|mallocx|rallocx|posix_memalign|aligned_alloc)$")


def total(file):
    """Instructions in a profile."""
    found = re.search(r"^(?:totals|summary): (\d+)", file.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def functions(file):
    """Instructions by function, those of the functions that it calls not among them."""
    names, own, current, of_call = {}, collections.Counter(), None, False
    for line in file.read_text().splitlines():
        if named := re.match(r"(c?)fn=\((\d+)\)(?: (.+))?", line):
            called, number, name = named.groups()
            if name:
                names[number] = name
            if not called:
                current = number
        elif line.startswith("calls="):
            of_call = True
        elif line[:1] in "+-*0123456789" and line:
            # The line behind a call has what the called function took.
            own[current] += 0 if of_call else int(line.split()[1])
            of_call = False
    return collections.Counter({names.get(number, "?"): count for number, count in own.items()})


def allocations(file):
    """How often memory was asked for in a profile."""
    text = file.read_text()
    # A function's name stands with its number where that is named first, and later the number alone.
    names = dict(re.findall(r"^c?fn=\((\d+)\) (.+)$", text, re.MULTILINE))
    takes = {number for number, name in names.items() if ALLOCATES.match(name)}
    called = re.findall(r"^cfn=\((\d+)\).*\ncalls=(\d+)", text, re.MULTILINE)
    return sum(int(calls) for number, calls in called if number in takes)
