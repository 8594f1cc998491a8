"""The instructions of each stage alone."""

# What a figure may move by however small it is.
NOISE = 20


def count(bench):
    """Per stage: instructions of one call."""
    return {}
