"""The kinds of values of settings: how they are written, which are valid, and messages for invalid ones."""
