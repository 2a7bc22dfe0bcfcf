"""A real SLURM of two nodes with four fake GPUs each, for one test session, on one machine.

Needs root and what `install.sh` installs; neither systemd nor cgroups. All state lies under one
temporary folder, every daemon has a port or a socket of its own, and SLURM_CONF selects it.
"""

import atexit
import os
import random
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

T = TypeVar("T")

NODES = ("n1", "n2")
GPUS_PER_NODE = 4
MAX_ARRAY_SIZE = 5

SLURM_CONF = """\
ClusterName=fundiff
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
PropagateResourceLimits=NONE
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
GresTypes=gpu
# The nodes claim more CPUs and memory than the machine has.
SlurmdParameters=config_overrides
ReturnToService=2
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting_port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
# Small, so that faults show quickly.
KillWait=2
MinJobAge=20
SlurmdTimeout=10
# Small, so that runs are split over several arrays; the largest index is one less.
MaxArraySize={max_array_size}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# Without it a preempted job never sees the signal it asked for with --signal.
SlurmctldParameters=preempt_send_user_signal
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=1
{nodes}
PartitionName=gpu Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=10 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=10 State=UP
"""

NODE_LINE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=16 RealMemory=64000"
    " Gres=gpu:{gpus} State=UNKNOWN"
)

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounting_port}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
# Not localhost, which would mean the socket of the system's own database.
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
"""

DATABASE_SQL = """\
CREATE DATABASE slurm_acct_db;
CREATE USER 'slurm'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1';
"""


class ClusterError(RuntimeError):
    """SLURM could not be started, or one of its commands failed."""


class Cluster:
    """A running SLURM, from `start` to `stop`; also a context manager.

    Partitions `gpu` (the default; its jobs are requeued when preempted, after ten seconds of
    grace) and `urgent` (preempts `gpu`). Nodes `n1` and `n2`. Arrays have five tasks at most.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self._database: subprocess.Popen[bytes] | None = None
        self._owner: int | None = None
        self._held: dict[str, float] = {}

    @property
    def conf(self) -> Path:
        """The path for SLURM_CONF."""
        return self.folder / "slurm.conf"

    @property
    def env(self) -> dict[str, str]:
        """The environment with which a command talks to this cluster, from outside any job."""
        theirs = ("SLURM_", "SBATCH_", "SRUN_", "SQUEUE_", "SACCT_", "SINFO_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
        sbin = os.pathsep.join(["/usr/sbin", "/sbin"])
        return env | {
            "SLURM_CONF": str(self.conf),
            "PATH": os.environ.get("PATH", os.defpath) + os.pathsep + sbin,
        }

    # Life

    def start(self) -> Self:
        """Start every daemon and return when both nodes are idle.

        Raises:
            ClusterError: this is not root, a program is missing, or a daemon does not start.
        """
        self._check_can_start()
        # Not $TMPDIR: a socket's path has 107 characters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="fundiff-slurm-", dir="/tmp"))
        self._owner = os.getpid()
        atexit.register(self.stop)
        try:
            self._write_configuration()
            self._start_munge()
            self._start_accounting()
            self.start_controller()
            for name in NODES:
                self.start_node(name)
            self.wait_for(self.all_idle, 30, "both nodes to be idle")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Cancel all jobs, stop every daemon by its pid file, and remove the folder."""
        if self._owner != os.getpid():
            return  # stopped already, or this is a fork that ends
        self._owner = None
        atexit.unregister(self.stop)
        try:
            self._cancel_all()
        finally:
            for name in ("slurmctld", *(f"slurmd-{node}" for node in NODES), "slurmdbd"):
                self._end(name)
            for pid in self._job_processes():
                _kill(pid, signal.SIGKILL)
            self._stop_database()
            self._end("munged")
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What a user types

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints when it talks to this cluster.

        Raises:
            ClusterError: with `check`, the command's exit status was not 0.
        """
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        if check and done.returncode:
            raise ClusterError(
                f"{' '.join(command)} exited with {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout

    def sbatch(self, script: str, *options: str) -> str:
        """Submit a shell script and return its job id."""
        path = self.folder / f"script-{secrets.token_hex(4)}.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        output = f"--output={self.folder}/job-%j.out"
        return self.run("sbatch", "--parsable", output, *options, str(path)).strip().split(";")[0]

    def squeue(self, *options: str) -> list[dict[str, str]]:
        """The jobs in the queue, one row per array task: id, state, partition, nodes, name."""
        lines = self.run(
            "squeue", "--all", "--array", "--noheader", "--format=%i|%T|%P|%N|%r|%j", *options
        ).splitlines()
        keys = ("id", "state", "partition", "nodes", "reason", "name")
        return [dict(zip(keys, line.split("|", len(keys) - 1), strict=True)) for line in lines]

    def state(self, job: str) -> str:
        """The state of one job or array task in the queue, '' when it has left it."""
        return next((row["state"] for row in self.squeue() if row["id"] == job), "")

    def sacct(self, *options: str) -> list[dict[str, str]]:
        """The allocations that accounting holds: JobID, JobName, Partition, State and so on.

        `--jobs=ID` narrows it, `--duplicates` shows the earlier rounds of requeued jobs too.
        """
        header, *lines = self.run(
            "sacct",
            "--allusers",
            "--allocations",
            "--parsable2",
            "--format=JobID,JobName,Partition,State,ExitCode,NodeList,AllocTRES",
            *options,
        ).splitlines()
        keys = header.split("|")
        return [dict(zip(keys, line.split("|"), strict=True)) for line in lines]

    def sinfo(self) -> dict[str, dict[str, str]]:
        """The state and the GPUs (`gres`, as in gpu:4) of each node by its name."""
        nodes = {}
        for line in self.run("sinfo", "--Node", "--noheader", "--format=%N|%T|%G").splitlines():
            name, state, gres = line.split("|")
            nodes[name] = {"state": state, "gres": gres}
        return nodes

    def scancel(self, *arguments: str) -> None:
        """Cancel or signal jobs, as `scancel` takes its arguments."""
        self.run("scancel", *arguments)

    def requeue(self, job: str) -> None:
        """Send a running job back to the queue; `start_requeued` lets it start."""
        self.run("scontrol", "requeue", job)

    def start_requeued(self) -> None:
        """Let jobs start that wait only because they were requeued, for whatever reason.

        SLURM holds such a job back for two minutes, which cannot be configured. Call this again
        and again: it lets a job go that it has seen waiting for two seconds, because a node fails
        a job that comes back in the very second in which it was revoked there.
        """
        now = time.monotonic()
        waiting = [r["id"] for r in self.squeue("--states=pending") if r["reason"] == "BeginTime"]
        self._held = {job: self._held.get(job, now) for job in waiting}
        for job, since in self._held.items():
            if now - since >= 2:
                # It may have started or gone meanwhile.
                self.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)

    # Faults

    def kill_node(self, name: str, *, spare_jobs: bool = False) -> None:
        """Kill a node's daemon and all it runs, as a power cut does.

        With `spare_jobs` the job's own processes go on, as when a node only loses its network.
        """
        daemon = self._pid(f"slurmd-{name}")
        # The daemon goes first, or it would still report the death of the others.
        for pid in ([daemon] if daemon else []) + list(self._step_daemons(name)):
            _kill(pid, signal.SIGKILL)
        if not spare_jobs:
            for pid in self._job_processes(name):
                _kill(pid, signal.SIGKILL)

    def start_node(self, name: str) -> None:
        """Start a node's daemon, which returns before the controller sees it."""
        self._daemon("slurmd", "-N", name)

    def start_controller(self) -> None:
        """Start slurmctld and return when it answers."""
        self._daemon("slurmctld")
        self._wait_until_up("slurmctld", lambda: "is UP" in self.run("scontrol", "ping"))

    def stop_controller(self) -> None:
        """Stop slurmctld, as for an upgrade: jobs go on, commands fail."""
        self._end("slurmctld")

    # Waiting

    def wait_for(self, predicate: Callable[[], T], timeout_s: float, what: str) -> T:
        """What the predicate returns as soon as that is true.

        Raises:
            TimeoutError: it was not within `timeout_s`; with the queue and the logs' last lines.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            value = predicate()
            if value:
                return value
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s} s for {what}\n{self.report()}")
            time.sleep(0.1)

    def report(self, lines: int = 12) -> str:
        """The queue and the last lines of every log."""
        parts = []
        if (self.folder / "slurmctld.pid").exists():
            parts += [
                "--- squeue",
                self.run("squeue", "--all", check=False),
                "--- sinfo",
                self.run("sinfo", "--Node", "--long", check=False),
                "--- sacct",
                self.run("sacct", "--allusers", "--duplicates", check=False),
            ]
        for log in sorted([*self.folder.glob("slurm*.log"), *self.folder.glob("database.log")]):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            parts += [f"--- {log.name}", *tail] if tail else []
        return "\n".join(parts)

    # The parts of starting

    def _check_can_start(self) -> None:
        if os.geteuid() != 0:
            raise ClusterError("starting SLURM needs root")
        programs = (
            *("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd"),
            *("sacctmgr", "sbatch", "squeue", "sacct", "sinfo", "scancel", "scontrol"),
        )
        path = self.env["PATH"]
        missing = [program for program in programs if not shutil.which(program, path=path)]
        if missing:
            raise ClusterError(f"{', '.join(missing)} not found; run sh tests/slurm/install.sh")

    def _write_configuration(self) -> None:
        # Daemons drop no rights here, but munged insists on a folder that all may enter.
        self.folder.chmod(0o755)
        host = socket.gethostname().split(".")[0]
        controller_port, accounting_port, self._database_port, *node_ports = _free_ports(
            3 + len(NODES)
        )
        self._accounting_port = accounting_port
        self._password = secrets.token_hex(16)
        nodes = "\n".join(
            NODE_LINE.format(name=name, host=host, port=port, gpus=GPUS_PER_NODE)
            for name, port in zip(NODES, node_ports, strict=True)
        )
        self.conf.write_text(
            SLURM_CONF.format(
                host=host,
                folder=self.folder,
                controller_port=controller_port,
                accounting_port=accounting_port,
                max_array_size=MAX_ARRAY_SIZE,
                nodes=nodes,
            )
        )
        # Only devices are shown to jobs as GPUs. These are never opened, so they may be /dev/null.
        for index in range(GPUS_PER_NODE):
            os.mknod(self.folder / f"gpu{index}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        gpus = f"{self.folder}/gpu[0-{GPUS_PER_NODE - 1}]"
        (self.folder / "gres.conf").write_text(
            "".join(f"NodeName={name} Name=gpu File={gpus}\n" for name in NODES)
        )
        _write_secret(
            self.folder / "slurmdbd.conf",
            SLURMDBD_CONF.format(
                folder=self.folder,
                accounting_port=accounting_port,
                database_port=self._database_port,
                password=self._password,
            ),
        )
        _write_secret(self.folder / "database.sql", DATABASE_SQL.format(password=self._password))
        _write_secret(self.folder / "munge.key", secrets.token_hex(64))
        (self.folder / "state").mkdir()
        for name in NODES:
            (self.folder / f"spool-{name}").mkdir()

    def _start_munge(self) -> None:
        """Start a munged of our own, which one of the system's does not disturb."""
        self._daemon(
            "munged",
            f"--key-file={self.folder}/munge.key",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munge.seed",
        )

    def _start_accounting(self) -> None:
        """Start the database and slurmdbd, and tell them of the cluster."""
        # In a shared one, a database that starts removes the temporary tables of the others.
        temporary = self.folder / "database-tmp"
        temporary.mkdir()
        self._daemon(
            "mariadb-install-db",
            "--no-defaults",
            "--user=root",
            f"--datadir={self.folder}/database",
            f"--tmpdir={temporary}",
            "--skip-test-db",
            "--auth-root-authentication-method=socket",
            log="database.log",
        )
        with (self.folder / "database.log").open("ab") as log:
            self._database = subprocess.Popen(
                [
                    *("mariadbd", "--no-defaults", "--user=root", "--bind-address=127.0.0.1"),
                    f"--datadir={self.folder}/database",
                    f"--tmpdir={temporary}",
                    f"--port={self._database_port}",
                    f"--socket={self.folder}/database.socket",
                    f"--pid-file={self.folder}/mariadbd.pid",
                    f"--init-file={self.folder}/database.sql",
                    *("--innodb-flush-log-at-trx-commit=0", "--innodb-lock-wait-timeout=900"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait_until_up("mariadbd", lambda: _listens(self._database_port))
        self._daemon("slurmdbd")
        self._wait_until_up("slurmdbd", lambda: _listens(self._accounting_port))
        self.run("sacctmgr", "--immediate", "add", "cluster", "fundiff")

    def _wait_until_up(self, name: str, predicate: Callable[[], bool]) -> None:
        def up() -> bool:
            try:
                return predicate()
            except ClusterError:
                return False

        self.wait_for(up, 30, f"{name} to answer")

    def all_idle(self) -> bool:
        """Whether both nodes are up and no job is on them."""
        states = [node["state"] for node in self.sinfo().values()]
        return states == ["idle"] * len(NODES)

    def _daemon(self, *command: str, log: str | None = None) -> None:
        """Run a program that goes to the background by itself."""
        # To a file: the daemon would keep a pipe open for ever.
        path = self.folder / (log or f"{command[0]}-start.log")
        with path.open("ab") as file:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self.env,
                cwd=self.folder,
                start_new_session=True,
                timeout=60,
                check=False,
            )
        if done.returncode:
            head = "\n".join(path.read_text(errors="replace").splitlines()[:20])
            raise ClusterError(f"{command[0]} exited with {done.returncode}:\n{head}")

    # The parts of stopping

    def _cancel_all(self) -> None:
        try:
            for job in {row["id"].split("_")[0] for row in self.squeue()}:
                self.run("scancel", "--full", job, check=False)
            deadline = time.monotonic() + 6
            while self.squeue("--states=running,completing") and time.monotonic() < deadline:
                time.sleep(0.1)
        except (ClusterError, OSError, subprocess.TimeoutExpired):
            return  # without a controller; the processes are killed below

    def _end(self, name: str) -> None:
        """Stop the daemon of a pid file: politely, then by force."""
        pid = self._pid(name)
        if pid is None:
            return
        for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            _kill(pid, number)
            deadline = time.monotonic() + seconds
            while _alive(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
            if not _alive(pid):
                return

    def _stop_database(self) -> None:
        if self._database is None:
            return
        self._database.terminate()
        try:
            self._database.wait(10)
        except subprocess.TimeoutExpired:
            self._database.kill()
            self._database.wait()
        self._database = None

    # Processes

    def _pid(self, name: str) -> int | None:
        """The process of a pid file, None if that is gone or now some other program's."""
        try:
            pid = int((self.folder / f"{name}.pid").read_text())
            command = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError):
            return None
        return pid if command == name.split("-")[0] else None

    def _step_daemons(self, node: str) -> Iterator[int]:
        """The slurmstepd processes of a node, known by the log that they hold open."""
        log = self.folder / f"slurmd-{node}.log"
        for pid in _pids():
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() != "slurmstepd":
                    continue
                files = [fd.readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()]
            except OSError:
                continue  # it has ended meanwhile
            if log in files:
                yield pid

    def _job_processes(self, node: str | None = None) -> Iterator[int]:
        """The processes that jobs of this cluster run, on one node or all."""
        conf = f"SLURM_CONF={self.conf}".encode()
        for pid in _pids():
            try:
                env = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            nodes = [line for line in env if line.startswith(b"SLURMD_NODENAME=")]
            if conf in env and nodes and node in (None, nodes[0].decode().partition("=")[2]):
                yield pid


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(count: int) -> list[int]:
    """Distinct ports that nobody uses, below those that outgoing connections are given."""
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        ports.add(port)
    return list(ports)
