"""Serving a page on the loopback until Ctrl-C, and what to type at home to see it."""

import getpass
import socket
from collections.abc import Callable

from flask import Flask
from waitress.server import create_server  # type: ignore[import-untyped]

LOOPBACK = "127.0.0.1"
THREADS = 8


def serve(app: Flask, token: str, port: int, say: Callable[[str], None]) -> None:
    """Serve an application on the loopback until it is interrupted.

    Args:
        app: The application.
        token: That its address needs.
        port: Or 0 for a free one.
        say: Takes the lines that tell where it is.

    Raises:
        ValueError: If the port is taken.
    """
    try:
        server = create_server(app, host=LOOPBACK, port=port, threads=THREADS, ident="fundiff")
    except OSError as error:
        raise ValueError(
            f"port {port} cannot be served ({error.strerror}); give another --port, or none"
        ) from error
    for line in addresses(token, int(server.effective_port)):
        say(line)
    try:
        server.run()  # ends at Ctrl-C
    finally:
        server.close()


def addresses(token: str, port: int) -> list[str]:
    """Return the page's address, and how one reaches it from another machine."""
    return [
        f"open:      http://{LOOPBACK}:{port}/?token={token}",
        f"from home: ssh -N -L {port}:{LOOPBACK}:{port} {login_name()}@{socket.gethostname()}",
        "           and then the same address there; Ctrl-C here ends",
    ]


def login_name() -> str:
    """Return the name of who is logged in.

    Raises:
        ValueError: If this machine knows none.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ValueError("this machine knows no name for you; give --who NAME") from error
