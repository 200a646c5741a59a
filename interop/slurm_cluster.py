"""A Slurm of one node that a test starts and ends, with a munge of its own; nothing is installed as a service. References: slurm.conf(5), munged(8)."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

CONFIG = """
ClusterName=interop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={tasks} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_port():
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Slurm:
    """Takes so many tasks at a time, whatever the machine has."""

    def __init__(self, tasks):
        # The socket of munge is refused below a folder that others cannot enter.
        self.folder = Path(tempfile.mkdtemp(prefix="pupila-slurm-"))
        os.chmod(self.folder, 0o755)
        for name in ["state", "spool"]:
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        os.chmod(key, 0o600)
        user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        config = CONFIG.format(
            host=socket.gethostname().split(".")[0], folder=self.folder, user=user, tasks=tasks, controller_port=free_port(), node_port=free_port()
        )
        (self.folder / "slurm.conf").write_text(config)
        self.environment = os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self.processes = []
        try:
            munge = ["--socket", "munge.socket", "--pid-file", "munge.pid", "--log-file", "munge.log", "--seed-file", "munge.seed", "--key-file", "munge.key"]
            munge = [self.folder / word if word.startswith("munge") else word for word in munge]
            self.start("/usr/sbin/munged", "--foreground", *munge)
            self.wait(lambda: (self.folder / "munge.socket").exists(), "munge.log")
            self.start("/usr/sbin/slurmctld", "-D", "-c")
            self.start("/usr/sbin/slurmd", "-D", "-N", socket.gethostname().split(".")[0])
            self.wait(lambda: "idle" in self.do("sinfo", "--noheader", "--format=%T", check=False), "slurmctld.log", "slurmd.log")
        except BaseException:
            self.stop()
            raise

    def start(self, *command):
        log = open(self.folder / "processes.log", "a")
        self.processes.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.folder))

    def wait(self, is_so, *logs):
        end = time.time() + 60
        while not is_so():
            if time.time() > end or any(process.poll() is not None for process in self.processes):
                told = [path.read_text()[-3000:] for path in map(self.folder.joinpath, [*logs, "processes.log"]) if path.exists()]
                raise AssertionError("\n".join(told))
            time.sleep(0.1)

    def do(self, *command, check=True, **environment):
        done = subprocess.run([*map(str, command)], env=self.environment | environment, capture_output=True, text=True, cwd=self.folder)
        assert done.returncode == 0 or not check, done.stdout + done.stderr + self.logs()
        return done.stdout

    def logs(self):
        """What the jobs have printed."""
        return "".join(f"\n== {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*_*.log")))

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
