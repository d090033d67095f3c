"""See small_world: the fixtures of these tests."""

from small_world import copy, night, world

__all__ = ["copy", "night", "world"]
