"""Put the rooms of this checkout on the environment's path, and `muvr` into its bin folder.

The rooms are an application, not a library: they are imported as they stand in the checkout.
"""

import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
COMMAND = """
import os

# One BLAS thread: small solves are faster with it, and their bytes are the same in every run.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from muvr.cli import main  # after the environment: numpy reads it once

if __name__ == "__main__":  # a process that the command starts reads this file as well
    main()
"""


def command_text(python: str) -> str:
    """The file of the command, which the shell starts and Python reads.

    The path of an interpreter in a first line ends at a space, and in some kernels after 127
    bytes. So a shell is named there, as pip does: to Python its line is a string.

    >>> print(command_text("/home/ada/my muvr/.venv/bin/python")[:71])
    #!/bin/sh
    '''exec' "/home/ada/my muvr/.venv/bin/python" "$0" "$@"
    ' '''
    """
    return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n{COMMAND.lstrip()}"


if __name__ == "__main__":
    Path(sysconfig.get_paths()["purelib"], "muvr-checkout.pth").write_text(f"{CHECKOUT}\n")
    command = Path(sys.executable).parent / "muvr"
    command.write_text(command_text(sys.executable))
    command.chmod(0o755)
