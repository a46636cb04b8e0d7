"""What jobs need of the configuration, and nothing else of it."""

from pathlib import Path
from typing import NamedTuple

from supervise.cipher import Keyring


class Surroundings(NamedTuple):
    """The folder of uploads and queue, the keys, and where seals are anchored."""

    instance: Path
    keyring: Keyring
    anchor_file: Path
