"""The one kind of error that a user sees: one line, what is wrong, where, what to do."""

from __future__ import annotations


class StillwatchError(Exception):
    """Shown to the user as one line without a traceback; the command exits 1."""


class SettingsError(StillwatchError):
    """A setting is missing or can't be used."""


class LandingError(StillwatchError):
    """The landing zone lacks what a night needs."""


class LakeError(StillwatchError):
    """The lake can't be read or written."""


class NightStopped(StillwatchError):
    """A check stopped the night; what it publishes stays as the night before left it."""
