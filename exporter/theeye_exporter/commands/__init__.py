"""What the exporter can be told to do, one module per command."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """A command cannot do its work; the text is one line for the person who called it."""
