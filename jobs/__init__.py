"""The nightly jobs: one module a step, declarations in `catalog`, the world in `platform`."""
