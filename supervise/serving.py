"""Run the web server and the job worker together, until either ends or a signal asks them to."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from supervise.config import PROJECT

_LOOK_SECONDS = 0.3
_STOP_SECONDS = 20
_START_SECONDS = 60


class ServingError(Exception):
    """The program cannot be served; the message says what to do."""


@dataclass(frozen=True)
class Address:
    """Where the web server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as a browser takes it."""
        return f"http://{self}"


def parse_address(text: str) -> Address:
    """Return the address written as ``host:port``.

    Raises:
        ServingError: if it is not written so.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the ports there are
        raise ServingError(f"an address is written host:port, such as 127.0.0.1:8000, not {text!r}")
    return Address(host, int(port))


def refuse_taken(address: Address) -> None:
    """Refuse an address on which another program listens.

    Raises:
        ServingError: with a sentence that says what to do.
    """
    with socket.socket() as probe:
        # As the server itself does: connections that are merely fading away are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise ServingError(
                f"{address} cannot be used ({error.strerror}): stop the program that listens there, "
                f"or choose another port, such as PORT={address.port + 1}"
            ) from error


def serve(
    address: Address, *, environ: Mapping[str, str] = os.environ, log: Path | None = None, tell: Callable[[], None]
) -> None:
    """Run gunicorn on *address* and a job worker beside it; call *tell* when the application answers.

    Returns when SIGINT or SIGTERM asks for it. *log* takes what both print; without it they print here.

    Raises:
        ServingError: if the address is taken or one of the two ends by itself.
    """
    refuse_taken(address)
    commands = {
        "web server": [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", str(address)],
        "job worker": [sys.executable, "-m", "supervise", "worker"],
    }
    reason = f"{log} says why" if log else "what it printed says why"
    with _output(log) as output, _Processes(commands, environ, output, reason) as processes:
        processes.wait_until(lambda: _answers(address), _START_SECONDS)
        if not processes.asked_to_stop:
            tell()
        processes.wait()


def _output(log: Path | None) -> IO[bytes]:
    # A duplicate of our own stderr, so that closing it at the end closes nothing else.
    return log.open("ab") if log else os.fdopen(os.dup(sys.stderr.fileno()), "wb")


def _answers(address: Address) -> bool:
    host = "127.0.0.1" if address.host in {"0.0.0.0", "::"} else address.host  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{address.port}/healthz", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class _Processes:
    """Commands that live and die together."""

    def __init__(
        self, commands: Mapping[str, Sequence[str]], environ: Mapping[str, str], output: IO[bytes], reason: str
    ) -> None:
        self._commands, self._environ, self._output, self._reason = commands, dict(environ), output, reason
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stop.set())
        for name, command in self._commands.items():
            # Each in a process group of its own: Ctrl-C must reach us alone. A gunicorn worker that gets the terminal's
            # SIGINT and its master's SIGQUIT together can lock up for ever, holding the port.
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own two commands
                command,
                cwd=PROJECT,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                process_group=0,
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @property
    def asked_to_stop(self) -> bool:
        """Whether a signal has come."""
        return self._stop.is_set()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return when *ready* says so or a signal comes.

        Raises:
            ServingError: after *seconds*, or when a process ends.
        """
        deadline = time.monotonic() + seconds
        while not self.asked_to_stop and not ready():
            self._refuse_ended()
            if time.monotonic() > deadline:
                raise ServingError(f"the application did not answer within {seconds:.0f} seconds")
            self._stop.wait(_LOOK_SECONDS)

    def wait(self) -> None:
        """Return when a signal comes.

        Raises:
            ServingError: when a process ends.
        """
        while not self._stop.wait(_LOOK_SECONDS):
            self._refuse_ended()

    def _refuse_ended(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ServingError(f"the {name} ended by itself (code {process.returncode}); {self._reason}")
