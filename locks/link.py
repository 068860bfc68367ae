"""Put the rooms of this checkout on the environment's path, and `muvr` into its bin folder.

The rooms are an application, not a library: they are imported as they stand in the checkout.
"""

import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
COMMAND = f"""#!{sys.executable}
import os

# One BLAS thread: small solves are faster with it, and their bytes are the same in every run.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from muvr.cli import main  # after the environment: numpy reads it once

if __name__ == "__main__":  # a process that the command starts reads this file as well
    main()
"""

if __name__ == "__main__":
    Path(sysconfig.get_paths()["purelib"], "muvr-checkout.pth").write_text(f"{CHECKOUT}\n")
    command = Path(sys.executable).parent / "muvr"
    command.write_text(COMMAND)
    command.chmod(0o755)
