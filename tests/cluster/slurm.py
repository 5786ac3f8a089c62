"""A Slurm of Debian's packages on hosts of `hosts`: a controller, and nodes with eight slots each.

Nothing is installed on this machine: each host sees the packages' files over its own /usr.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.cluster.hosts import Host, Network
from tests.conftest import World
from tests.protocol import small

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"]

SLOTS = 8

_CONF = """\
ClusterName=trial
SlurmctldHost=ctl(10.77.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool-%n
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd-%n.log
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
SlurmdTimeout=10
ReturnToService=2
KillWait=2
MaxArraySize=2001
MaxJobCount=5000
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=60 State=UP
"""


class Slurm:
    """A controller `ctl` and nodes `n1` and so on, whose users' environments and caches are those of `world`."""

    def __init__(self, world: World, tree: Path, nodes: int) -> None:
        self.world = world
        self.directory = world.root / "slurm"
        (self.directory / "out").mkdir(parents=True)
        self._conf = self.directory / "slurm.conf"
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        lines = [f"NodeName=n{one} NodeAddr=10.77.0.{one + 1} CPUs={SLOTS}" for one in range(1, nodes + 1)]
        self._conf.write_text(_CONF.format(directory=self.directory, nodes="\n".join(lines)))
        (self.directory / "state").mkdir()
        for program in ("slurmctld", "slurmd", "slurmstepd"):
            link = tree / "usr/sbin" / program
            if not link.exists():
                link.symlink_to(f"{program}-wlm")  # what Debian's alternatives do
        self.network = Network()
        with_conf = world.with_(SLURM_CONF=str(self._conf), PATH=world.environ["PATH"] + ":/usr/sbin")
        names = ["ctl", *(f"n{one}" for one in range(1, nodes + 1))]
        self.hosts = [Host(name, with_conf, self.network, tree) for name in names]
        self.ctl, *self.nodes = self.hosts
        for host in self.hosts:
            self._begin(host)
        small.wait_for(lambda: self.ctl.run("sinfo", "-h", "-t", "idle", "-o", "%D").stdout.strip() == str(nodes), 60)

    def _begin(self, host: Host) -> None:
        host.must("mkdir", "-m", "755", "/run/munge")
        own = self.directory / f"munge-{host.name}"
        own.mkdir(mode=0o755, exist_ok=True)
        files = [f"--{kind}-file={own / kind}" for kind in ("log", "seed")]
        host.must("munged", f"--key-file={self.directory / 'munge.key'}", *files, "--pid-file=/run/munge/pid")
        host.must("slurmctld" if host is self.ctl else "slurmd")

    def submit(self, script: Path, *options: str, name: str) -> str:
        """The number of a job whose tasks write what they say to `out/NAME-TASK`."""
        out = self.directory / "out" / f"{name}-%a"
        words = ["sbatch", "--parsable", f"--job-name={name}", f"--output={out}", f"--chdir={self.world.work}"]
        return self.ctl.must(*words, *options, script).strip()

    def start_at_once(self, job: str) -> None:
        """Tasks of a node that died, which Slurm else starts again two minutes later."""
        pending = ["squeue", "-h", "-r", "-t", "pending", "-o", "%A %r", "-j", job]
        small.wait_for(lambda: "BeginTime" in self.ctl.must(*pending), 60)
        for line in self.ctl.must(*pending).splitlines():
            self.ctl.run("scontrol", "update", f"JobId={line.split()[0]}", "StartTime=now")

    def wait(self, job: str, seconds: float = 900) -> float:
        """Wait until no task of it is left, at most so long; how long it took."""
        started = time.monotonic()
        while self.ctl.must("squeue", "-h", "-j", job).strip():
            assert time.monotonic() - started < seconds, self.ctl.must("squeue")
            time.sleep(0.5)
        return time.monotonic() - started

    def said(self, name: str) -> list[str]:
        """What each task of this name said."""
        return [path.read_text() for path in sorted((self.directory / "out").glob(f"{name}-*"))]

    def boot(self, node: Host) -> None:
        node.boot()
        self._begin(node)

    def end(self) -> None:
        for host in self.hosts:
            host.die()
        self.network.end()
