"""`python -m convgrad` is `convgrad`."""

import sys

from convgrad.cli import main

sys.exit(main())
