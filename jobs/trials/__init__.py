"""What would other policies have done? Replays of stored nights, and what the shadow decided."""
