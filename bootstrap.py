"""Make ``.venv`` ready: the one step that runs before any package is there, so on the standard library alone.

A stamp of the requirements is written last, so an interrupted or outdated environment is seen and mended.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
#: Stands while packages are being installed; found at the start, it tells of an interrupted run.
UNFINISHED = VENV / "unfinished"
UV = "uv==0.13.9"
OLDEST, NEWEST = (3, 11), (3, 13)


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def main() -> None:
    """Bring ``.venv`` to what the requirements say; ``--dev`` adds the development requirements."""
    requirements = "requirements-dev.txt" if "--dev" in sys.argv[1:] else "requirements.txt"
    folder = os.open(PROJECT, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # Two makes at once take turns; the lock goes with the process.
    try:
        refuse_other_python()
        prepare(requirements)
    except SetupError as error:
        sys.exit(f"supervise: {error}")
    except KeyboardInterrupt:
        sys.exit("\nsupervise: interrupted; the next run starts the installation over")
    finally:
        os.close(folder)


def refuse_other_python() -> None:
    """Refuse a Python that the pinned requirements were never tried on.

    Raises:
        SetupError: naming the versions that will do.
    """
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SetupError(
            f"this is Python {sys.version_info[0]}.{sys.version_info[1]}; Python 3.11, 3.12 or 3.13 is needed. "
            "Install one, or name it: make PYTHON=/path/to/python3.12 run"
        )


def prepare(requirements: str) -> None:
    """Make or mend the environment, unless its stamp says that it is right.

    Raises:
        SetupError: if it cannot be made.
    """
    wanted = stamp(requirements)
    stamp_file = VENV / f"stamp-{requirements}"
    if not UNFINISHED.exists() and stamp_file.is_file() and stamp_file.read_text() == wanted and works():
        return
    if UNFINISHED.exists() or not works():
        if VENV.exists():
            print("supervise: .venv is unfinished or broken and is made anew", flush=True)
        make_venv()
    UNFINISHED.touch()
    install(requirements)
    stamp_file.write_text(wanted)
    if requirements == "requirements-dev.txt":  # It holds everything of the other.
        (VENV / "stamp-requirements.txt").write_text(stamp("requirements.txt"))
    UNFINISHED.unlink()


def stamp(requirements: str) -> str:
    """Return what must be unchanged for the environment to be right."""
    digest = hashlib.sha256(str(VENV).encode())
    for name in sorted({"requirements.txt", requirements, "constraints.txt"}):
        digest.update((PROJECT / name).read_bytes())
    return digest.hexdigest()


def works() -> bool:
    """Say whether the environment's Python starts, is a version we support, and can install."""
    check = f"import sys, pip; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    if not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0


def make_venv() -> None:
    """Make an empty environment in place of whatever is there.

    Raises:
        SetupError: if this Python cannot make one.
    """
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise SetupError(
            f"this Python cannot make a virtual environment ({(made.stdout + made.stderr).strip()[-300:]}). "
            "On Debian and Ubuntu: apt-get install python3-venv"
        )


def install(requirements: str) -> None:
    """Install the pinned packages by uv where it can be had, else by pip.

    Raises:
        SetupError: if neither can.
    """
    what = ["-r", requirements, "-c", "constraints.txt"]
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    print(f"supervise: installing {requirements} into .venv (a minute or so the first time)", flush=True)
    if run([*pip, "install", "--quiet", UV], quiet=True):
        follow_pip_to_its_mirror()
        if run([str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON), *what]):
            return
        print("supervise: uv could not install everything; trying pip", flush=True)
    if not run([*pip, "install", "--quiet", *what]):
        raise SetupError(
            "the packages could not be installed; the lines above say why. Behind a proxy or on a closed "
            "network, point pip at your mirror (pip config set global.index-url ...) and run the command again"
        )


def follow_pip_to_its_mirror() -> None:
    """Send uv, which does not read pip's settings, to the same index."""
    asked = [str(PYTHON), "-m", "pip", "config", "get", "global.index-url"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    mirror = os.environ.get("PIP_INDEX_URL") or (answer.stdout.strip() if answer.returncode == 0 else "")
    if mirror:
        os.environ.setdefault("UV_DEFAULT_INDEX", mirror)


def run(command: list[str], *, quiet: bool = False) -> bool:
    """Run *command* in the project's folder and say whether it succeeded."""
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, cwd=PROJECT, stdout=output, stderr=output, check=False).returncode == 0


if __name__ == "__main__":
    main()
