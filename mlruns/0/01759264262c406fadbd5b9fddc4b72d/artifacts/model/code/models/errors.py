"""What can go wrong with a model, in one line and with what to do about it."""

from __future__ import annotations


class ModelError(Exception):
    """Something a user can act on: `str(error)` is one line, `error.hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(" ".join(message.split()))
        self.hint = " ".join(hint.split())


class ModelInputError(ModelError):
    """A table handed to a model, or to training, lacks what is needed or has another shape."""


class ModelRegistryError(ModelError):
    """The registry or one of its artifacts is missing, unreadable or not what was registered."""


class PriorError(ModelError):
    """The committed prior model is missing or damaged."""
