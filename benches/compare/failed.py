"""What ends a measurement."""


class Failed(Exception):
    """The measurement cannot be made; the text says why."""
