"""``python -m supervise``: the commands of whoever runs the program."""

import os

from supervise.operations import operations

# Databases, queues and logs that a command makes are their owner's alone, as the keys are.
os.umask(0o077)
operations(prog_name="python -m supervise")
