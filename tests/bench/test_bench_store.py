"""Requests to an object store, counted in its server's own words."""

from __future__ import annotations

from tests.bench.store_requests import asked

LOG = """\
127.0.0.1 - - [01/May/2026 02:49:22] "GET /stillwatch?list-type=2&prefix=lake/ HTTP/1.1" 200 -
127.0.0.1 - - [01/May/2026 02:49:22] "GET /stillwatch/lake/run_log/part-1.parquet HTTP/1.1" 206 -
127.0.0.1 - - [01/May/2026 02:49:23] "PUT /stillwatch/lake/run_log/_delta_log/0.json HTTP/1.1" 200 -
127.0.0.1 - - [01/May/2026 02:49:23] "POST /stillwatch/lake/x.parquet?uploads= HTTP/1.1" 200 -
127.0.0.1 - - [01/May/2026 02:49:24] "HEAD /stillwatch/lake/x.parquet HTTP/1.1" 404 -
 * Running on http://127.0.0.1:5000
"""


def test_a_list_is_told_from_a_read() -> None:
    assert asked(LOG) == {"LIST": 1, "GET": 1, "PUT": 1, "POST": 1, "HEAD": 1}
