"""The outside world, each part in the only place that touches it."""
