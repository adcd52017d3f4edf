"""Where ``dtst`` starts: before anything is loaded that takes a moment."""

import gc
import sys

from dtst_flow.cli import signals

YOUNG = 50_000
"""New objects after which Python looks for garbage; what is loaded is none, and to look at
it after every 700, as it does, is a tenth of what a start costs."""


def start() -> None:
    """Run the program; Ctrl-C or a kill while it loads ends it with a word, too."""
    gc.set_threshold(YOUNG)
    try:
        signals.catch()
        from dtst_flow.cli.main import main

        signals.check()
        main()
    except KeyboardInterrupt as error:
        sys.stderr.write(f"\nerror: interrupted; {signals.AGAIN}\n")
        sys.exit(signals.exit_code(error))
    except BrokenPipeError:  # as `| head` does, which has read what it wants
        signals.leave_pipe()
        sys.exit(1)
    finally:
        signals.ignore()  # the exit code is that of the first
