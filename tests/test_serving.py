"""The web server and the worker live and die together, and a taken port is told before anything starts."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from supervise.serving import Address, ServingError, _Processes, parse_address, refuse_taken

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def nowhere() -> Iterator[IO[bytes]]:
    with Path(os.devnull).open("wb") as output:
        yield output


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Give pytest its own signals back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_an_address_is_host_and_port() -> None:
    assert parse_address("10.1.2.3:9000") == Address("10.1.2.3", 9000)


@pytest.mark.parametrize("text", ["8000", "localhost", "localhost:", "localhost:x", "localhost:70000", ":8000"])
def test_anything_else_is_refused_as_an_address(text: str) -> None:
    with pytest.raises(ServingError, match="host:port"):
        parse_address(text)


def test_a_taken_port_is_refused_with_another_one_to_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ServingError, match=f"PORT={port + 1}"):
            refuse_taken(Address("127.0.0.1", port))


def test_a_free_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    refuse_taken(Address("127.0.0.1", port))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_both(number: signal.Signals, nowhere: IO[bytes]) -> None:
    with _Processes({"a": SLEEPER, "b": SLEEPER}, os.environ, nowhere, "") as both:
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()

        both.wait()

    assert all(process.poll() is not None for process in both._running.values())


def test_when_one_ends_the_other_is_stopped_and_the_end_is_told(nowhere: IO[bytes]) -> None:
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    both = _Processes({"a": SLEEPER, "b": failing}, os.environ, nowhere, "see x")

    with pytest.raises(ServingError, match=r"the b ended by itself \(code 3\); see x"), both:
        both.wait()

    assert both._running["a"].poll() == -signal.SIGTERM


def test_an_application_that_never_answers_is_given_up(nowhere: IO[bytes]) -> None:
    processes = _Processes({"a": SLEEPER}, os.environ, nowhere, "")

    with pytest.raises(ServingError, match="did not answer within 0 seconds"), processes:
        processes.wait_until(lambda: False, 0.4)

    assert processes._running["a"].poll() == -signal.SIGTERM
