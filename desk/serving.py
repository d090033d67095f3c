"""Serves the application on a socket until it is told to stop."""

from __future__ import annotations

import socket

import uvicorn
from starlette.applications import Starlette

#: Requests at once; more are told to come back.
_MOST_AT_ONCE = 200


def serve(app: Starlette, listening: socket.socket, behind_proxy: bool) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        app: the desk.
        listening: a bound socket.
        behind_proxy: take a person's address from X-Forwarded-For of a proxy on this machine (or
            those that FORWARDED_ALLOW_IPS names); sign-ins are counted by it.
    """
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off",
        proxy_headers=behind_proxy, limit_concurrency=_MOST_AT_ONCE, timeout_graceful_shutdown=5,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])
