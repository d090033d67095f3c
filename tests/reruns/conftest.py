"""The fixtures of small_world."""

from small_world import copy, world

__all__ = ["copy", "world"]
