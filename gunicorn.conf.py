"""Gunicorn's settings; the command line and the environment (GUNICORN_CMD_ARGS) go before them."""

import gc
import os
from typing import Any

from supervise.attribution.weighing import compile_questions

wsgi_app = "wsgi:app"
bind = "127.0.0.1:8000"
# Threads wait for the database together; a second process uses a second core.
worker_class = "gthread"
workers = int(os.environ.get("SUPERVISE_PROCESSES", "2"))
threads = int(os.environ.get("SUPERVISE_THREADS", "8"))
# An upload is parsed in a child process of its own (30 s at most); nothing else takes as long.
timeout = 90
graceful_timeout = 30
# A process that has served so many requests makes room for a fresh one; the jitter keeps them from going together.
max_requests = 20_000
max_requests_jitter = 2_000
# The application writes one line for each request itself (supervise/views/requests.py).
accesslog = None
errorlog = "-"
loglevel = "warning"
# A heartbeat file on a slow disk would let the master kill a healthy worker.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn makes the file itself
# Nobody talks to the master while it runs but the process that started it.
control_socket_disable = True


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - gunicorn's hook
    """Compile the questions about calls, so that nobody's first page waits for the compiler.

    What is loaded by then stays for the life of the process: the collector of cycles need not look through it.
    """
    compile_questions()
    gc.collect()
    gc.freeze()
