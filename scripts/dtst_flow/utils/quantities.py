"""Times and sizes in words, to two significant digits."""


def duration(seconds: float) -> str:
    """Write a time in words: 43 s, 1 min 10 s, 12 min, 2 h 20 min.

    Args:
        seconds: The time.
    """
    seconds = _rounded(seconds)
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{max(1, seconds):g} s"
    if minutes < 10:
        return _joined(*divmod(round(seconds), 60), "min", "s")
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 600:
        return _joined(*divmod(minutes, 60), "h", "min")
    return f"{round(minutes / 60)} h"


def _joined(large: int, small: int, *units: str) -> str:
    return f"{large} {units[0]}" + (f" {small} {units[1]}" if small else "")


def volume(size: float) -> str:
    """Write a size in words: 850 kB, 4.5 MB.

    Args:
        size: Bytes.
    """
    size = _rounded(size)
    for unit, power in (("TB", 12), ("GB", 9), ("MB", 6)):
        if size >= 10**power:
            return f"{size / 10**power:g} {unit}"
    return f"{max(1, size / 1000):g} kB"


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")
