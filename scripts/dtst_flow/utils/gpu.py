"""GPUs: how many there are, what can use them, and that a job uses only what it was given."""

import ctypes
import os
import re
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path


def count() -> int:
    """Count the CUDA devices that this process sees.

    Devices that the environment variable CUDA_VISIBLE_DEVICES hides do not count.

    Returns:
        What the driver says; 0 without a driver.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    devices = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(devices)):
        return 0
    return devices.value


def fault(runtime: str) -> str:
    """Say why a library that runs models cannot use a GPU, and what would help.

    Asked is the library, not the driver. PyTorch, which takes seconds to import, tells it
    in a file.

    Args:
        runtime: "onnxruntime", "torch", or "open_clip", which runs on PyTorch.

    Returns:
        A sentence; empty where it can.
    """
    if runtime == "onnxruntime":
        return _onnxruntime_fault()
    if find_spec(runtime) is None:
        package = {"open_clip": "open_clip_torch"}.get(runtime, runtime)
        return f"{package} is not installed (pip install {package})"
    return _torch_fault()


def _onnxruntime_fault() -> str:
    if find_spec("onnxruntime") is None:
        return "onnxruntime is not installed"
    import onnxruntime

    remedy = "(pip install 'onnxruntime-gpu[cuda,cudnn]')"
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return f"the onnxruntime installed is built for CPUs {remedy}"
    with redirect_stdout(None):  # it prints what it does not find
        onnxruntime.preload_dlls()
    major = onnxruntime.cuda_version.partition(".")[0]
    for library in (f"libcublasLt.so.{major}", "libcudnn.so.9"):
        try:
            ctypes.CDLL(library)
        except OSError:
            return f"onnxruntime-gpu does not find {library} {remedy}"
    return ""


def _torch_fault() -> str:
    spec = find_spec("torch")
    for folder in (spec and spec.submodule_search_locations) or ():
        version = Path(folder, "version.py")
        if version.is_file() and re.search(
            r"(?m)^cuda\b.*=\s*['\"]", version.read_text()
        ):
            return ""
    return "the PyTorch installed is built for CPUs (pytorch.org has one for CUDA)"


def hold(given: int) -> None:
    """Keep this process and those that it starts to the GPUs that a job was given.

    Call it before a library that runs models is loaded, as the library looks only once.

    Args:
        given: The job's resource `gpu`. If it is 0 the process sees no GPU, even if the
            machine has some, as these are for others. Else models run on the first GPU
            that the scheduler left in CUDA_VISIBLE_DEVICES.

    Raises:
        SystemExit: The job was given a GPU, and the process sees none.
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
