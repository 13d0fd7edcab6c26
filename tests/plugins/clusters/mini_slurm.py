"""A Slurm cluster of several nodes on this machine, without systemd, control groups and accounting; needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

PATIENCE = 30.0

_CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MessageTimeout=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdTimeout=5
SlurmctldTimeout=5
InactiveLimit=0
KillWait=5
MinJobAge=300
ReturnToService=2
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
"""


def is_installed() -> bool:
    """Whether Slurm is here, and may be started."""
    return os.geteuid() == 0 and all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch")))


class MiniSlurm:
    """A cluster whose nodes can be switched off.

    Parameters
    ----------
    folder : Path
        Folder of its files.
    nodes, cores : int
        Number of nodes, and cores of each.
    """

    def __init__(self, folder: Path, *, nodes: int, cores: int) -> None:
        self.folder = folder
        self.names = [f"n{number}" for number in range(1, nodes + 1)]
        self.configuration = folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.configuration)}
        folder.mkdir()
        (folder / "state").mkdir()
        host, ports = socket.gethostname().partition(".")[0], _free_ports(nodes + 1)
        lines = [_CONFIGURATION.format(host=host, port=ports[0], folder=folder)]
        for name, port in zip(self.names, ports[1:], strict=True):
            lines.append(
                f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cores} RealMemory=4000\n"
            )
        lines.append(f"PartitionName=main Nodes={','.join(self.names)} Default=YES MaxTime=60 State=UP\n")
        self.configuration.write_text("".join(lines))

    def start(self) -> None:
        """Start all nodes."""
        _start_munge()
        self.command("slurmctld", "-c")
        for name in self.names:
            self.start_node(name)
        _await(lambda: self.command("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == str(len(self.names)))

    def start_node(self, name: str) -> None:
        """Start a node."""
        (self.folder / f"spool.{name}").mkdir(exist_ok=True)
        self.command("slurmd", "-N", name)

    def cut_power(self, name: str) -> None:
        """End a node and all processes on it at once."""
        victims = {int((self.folder / f"{name}.pid").read_text())}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                found = process.environ()
                if found.get("SLURMD_NODENAME") == name and found.get("SLURM_CONF") == str(self.configuration):
                    victims.add(process.pid)
                    parent = process.parent()
                    if parent is not None and "slurmstepd" in parent.name():
                        victims.add(parent.pid)
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        self.command("scontrol", "update", f"nodename={name}", "state=down", "reason=power")

    def kill_daemon(self, name: str) -> None:
        """End the daemon of a node, and leave what runs there: Slurm loses the node, and starts its tasks elsewhere."""
        os.kill(int((self.folder / f"{name}.pid").read_text()), signal.SIGKILL)

    def is_down(self, name: str) -> bool:
        """Whether Slurm has noticed that a node is lost."""
        return "down" in self.command("sinfo", "-h", "-n", name, "-o", "%T")

    def command(self, *words: str) -> str:
        """Run one of Slurm's commands, and return its output."""
        done = subprocess.run(
            words, env={**os.environ, **self.environment}, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def tasks(self) -> dict[str, str]:
        """Return the state of each task in the queue, such as ``{"3_1": "RUNNING"}``."""
        lines = self.command("squeue", "-h", "-r", "-o", "%F_%K %T").splitlines()
        return dict(line.split() for line in lines)

    def await_empty_queue(self, patience: float) -> None:
        """Wait until nothing is queued or running."""
        _await(lambda: not self.tasks(), patience)

    def stop(self) -> None:
        """End everything."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.command("scancel", "--user=root", "--signal=KILL", "--full")
            self.command("scancel", "--user=root")
            _await(lambda: not self.tasks())
        for path in self.folder.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)


@contextlib.contextmanager
def running(folder: Path, *, nodes: int, cores: int) -> Iterator[MiniSlurm]:
    """Yield a cluster that runs."""
    cluster = MiniSlurm(folder, nodes=nodes, cores=cores)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _start_munge() -> None:
    """Start the service that signs Slurm's messages, unless it runs."""
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
        return
    key = Path("/etc/munge/munge.key")
    if not key.exists() or not key.stat().st_size:
        subprocess.run(["mungekey", "--create"], check=True)
    place = Path("/run/munge")
    place.mkdir(exist_ok=True)
    for path in (place, key):
        shutil.chown(path, "munge", "munge")
    place.chmod(0o755)
    subprocess.run(["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "munged"], check=True)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        found = []
        for _ in range(number):
            listening = opened.enter_context(socket.socket())
            listening.bind(("127.0.0.1", 0))
            found.append(int(listening.getsockname()[1]))
    return found


def _await(condition: object, patience: float = PATIENCE) -> None:
    assert callable(condition)
    until = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until, f"waited {patience:g} s in vain"
        time.sleep(0.2)
