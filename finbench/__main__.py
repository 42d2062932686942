"""`python -m finbench`."""

import sys

from finbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
