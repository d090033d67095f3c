"""The nightly jobs: one module a step, declarations in `catalog`, the outside world in `platform`."""
