"""The lab: detection is judged on worlds with a known truth before it is believed.

`worlds` declares what is simulated, `nights` runs the real steps on it, `metrics` compares what
they wrote with the truth, and needs no Spark. docs/lab.md says how to read the result.
"""
