"""`python -m nst …` is the command line."""

import sys

from nst.cli import main

if __name__ == "__main__":
    sys.exit(main())
