"""``make benchmark``: every benchmark in a process of its own, one after the other."""

import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Run each module beside this one; the first that fails ends the run."""
    for module in sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")):
        print(f"== {module}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], check=True)  # noqa: S603 - our own modules


main()
