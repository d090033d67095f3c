"""The engine waits for steps that work for long without asking it anything."""

from __future__ import annotations

import os
import subprocess
import sys

TIMEOUT = "SAIL_SPARK__SESSION_TIMEOUT_SECS"
#: Says what the engine was told, asks nothing for some seconds, and then asks.
IDLE = f"""
import os, sys, time
from jobs.platform.session import engine_session
from jobs.platform.settings import Settings
with engine_session(Settings(lake=sys.argv[1])) as session:
    session.range(3).count()
    print(os.environ["{TIMEOUT}"], flush=True)
    time.sleep(3)
    print(session.range(3).count())
"""


def idle(tmp_path, **told: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != TIMEOUT} | told
    return subprocess.run(
        [sys.executable, "-c", IDLE, str(tmp_path)], env=environment, capture_output=True, text=True
    )


def test_it_is_told_to_wait_longer_than_a_step_takes(tmp_path):
    # That it is this variable which it goes by, and what comes of too little:
    forgotten = idle(tmp_path, **{TIMEOUT: "1"})
    assert forgotten.stdout.split() == ["1"]
    assert "is not running" in forgotten.stderr
    seconds, rows = idle(tmp_path).stdout.split()
    assert int(seconds) > 86_400
    assert rows == "3"
