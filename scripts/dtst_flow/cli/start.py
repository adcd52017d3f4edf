"""Where ``dtst`` starts: before anything is loaded that takes a moment."""

import sys


def start() -> None:
    """Run the program; Ctrl-C while it loads ends it with a word, too."""
    try:
        from dtst_flow.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("\nerror: interrupted; nothing was begun\n")
        sys.exit(130)
