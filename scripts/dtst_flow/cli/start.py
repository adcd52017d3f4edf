"""Where ``dtst`` starts: before anything is loaded that takes a moment."""

import gc
import os
import sys
import threading
from contextlib import suppress

from dtst_flow.cli import signals

YOUNG = 50_000
"""New objects after which Python looks for garbage; what is loaded is none, and to look at
it after every 700, as it does, is a tenth of what a start costs."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What NumPy reads as it is loaded: jobs, which are forks, are not to find threads of it."""


def start() -> None:
    """Run the program; Ctrl-C or a kill while it loads ends it with a word, too."""
    try:
        _run()
    except SystemExit as ended:
        # A thread that is in C++ code would abort the interpreter at its end.
        if any(thread.daemon for thread in threading.enumerate()):
            with suppress(OSError):
                sys.stdout.flush()
            os._exit(ended.code if isinstance(ended.code, int) else bool(ended.code))
        raise


def _run() -> None:
    gc.set_threshold(YOUNG)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
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
