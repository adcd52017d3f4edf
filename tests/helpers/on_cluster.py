"""The cluster that the tests start, and datasets that run on it."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers.dataset import ROOT, Dataset

WAIT = 6
"""Seconds between two looks at the jobs; Snakemake adds ten where nothing has changed."""

FIELDS = {"id": "%i", "state": "%T", "partition": "%P", "node": "%N"}
FIELDS |= {"memory": "%m", "limit": "%l", "cpus": "%C", "what": "%k"}


@dataclass(frozen=True)
class Job:
    """A job as squeue tells of it; `what` names the rule and its wildcards."""

    id: str
    state: str
    partition: str
    node: str
    memory: str
    limit: str
    cpus: str
    what: str


class Cluster:
    """Nodes n1 and n2 in partition cpu, n3 with a GPU in partition gpu.

    The GPU is one by name only: no driver finds it.
    """

    def __init__(self, tool: Path, folder: Path):
        self.tool = tool
        self.settings = {"SLURM_LOCAL_DIR": str(folder), "SLURM_LOCAL_MEM": "64000"}

    def call(self, *words: str) -> None:
        """Start, stop or kill something of the cluster."""
        done = subprocess.run(
            ["bash", self.tool, *words],
            env=os.environ | self.settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def jobs(self, rule: str = "", since: int = 0) -> list[Job]:
        """Jobs of a rule, those with a number larger than `since`, by number."""
        told = subprocess.run(
            ["squeue", "--noheader", "--states=all", "-o", "|".join(FIELDS.values())],
            check=True,
            capture_output=True,
            text=True,
        )
        jobs = [Job(*line.split("|")) for line in told.stdout.splitlines()]
        jobs = [job for job in jobs if re.match(f"(rule|group)_{rule}", job.what)]
        return sorted(
            (job for job in jobs if int(job.id) > since), key=lambda job: int(job.id)
        )

    def last(self) -> int:
        """The number of the latest job, 0 without any."""
        return max((int(job.id) for job in self.jobs()), default=0)

    def running(self, rule: str, since: int) -> Job:
        """Wait for a job of a rule to run."""

        def found() -> list[Job]:
            return [job for job in self.jobs(rule, since) if job.state == "RUNNING"]

        wait_for(found)
        return found()[0]


def wait_for(happened: Callable[[], object], seconds: int = 180) -> None:
    """Wait until something has happened; a failure if it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited for {seconds} s in vain"
        time.sleep(0.2)


class OnCluster(Dataset):
    """A dataset whose jobs go to SLURM by the profile that is shipped."""

    def words(self) -> list[str]:
        """What such a run says to Snakemake; the folder as a user names it."""
        profile = os.path.relpath(ROOT / "profiles/slurm", self.folder.parent)
        wait = ["--seconds-between-status-checks", str(WAIT)]
        wait += ["--slurm-init-seconds-before-status-checks", str(WAIT)]
        return ["--profile", profile, *wait]

    def run(self, *words: str, **kwargs) -> str:
        return super().run(*self.words(), *words, **kwargs)
