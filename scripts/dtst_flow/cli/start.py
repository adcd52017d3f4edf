"""Where ``dtst`` starts: before anything is loaded that takes a moment."""

import sys

from dtst_flow.cli import signals


def start() -> None:
    """Run the program; Ctrl-C or a kill while it loads ends it with a word, too."""
    try:
        signals.catch()
        from dtst_flow.cli.main import main

        main()
    except KeyboardInterrupt as error:
        sys.stderr.write(f"\nerror: interrupted; {signals.AGAIN}\n")
        sys.exit(signals.exit_code(error))
    except BrokenPipeError:  # as `| head` does, which has read what it wants
        signals.leave_pipe()
        sys.exit(1)
    finally:
        signals.ignore()  # the exit code is that of the first
