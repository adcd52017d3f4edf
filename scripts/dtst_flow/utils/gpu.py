"""GPUs: how many there are, and holding a job to what it was given of them."""

import ctypes
import os


def count() -> int:
    """How many CUDA devices this process sees, by the driver; 0 without one.

    Those that the environment variable CUDA_VISIBLE_DEVICES hides are not among them.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    found = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found)):
        return 0
    return found.value


def hold(given: int) -> None:
    """Keep this process and those that it starts to what a job was given.

    given  its resource `gpu`. Without one it sees none, though the machine may have
           some: they are others'. Else models run on the first that the scheduler left
           in CUDA_VISIBLE_DEVICES.

    Raises SystemExit where one was given and none is there. To be called before a library
    that runs models is loaded, as that looks once.
    """
    if not given:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif not count():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise SystemExit(
            "This job was to have a GPU (gpu: true), but sees none on "
            f"{os.uname().nodename}; CUDA_VISIBLE_DEVICES is {visible!r}. Send it where "
            "one is (slurm_partition in the profile), mend the driver (nvidia-smi shows "
            "it), or say gpu: false."
        )
