"""A Slurm cluster on one machine, for scripts/test-slurm, which has put this process into namespaces and a copy of the system.

The control daemon runs here. A node is a set of namespaces more: processes, mounts, host name, network; its cable is a pair of
network devices of which one is on this side's bridge. To take a node's power away, its first process is killed and the cable is
pulled, and nothing of the node has a chance to say anything.
"""

import os
import pathlib
import pwd
import re
import subprocess
import time

OWN = pathlib.Path("/srv/sandproof")
USER = "sandproof"
HOME = pathlib.Path("/home") / USER
LOGS = pathlib.Path("/var/log/slurm")
#: Nodes and their partition. Tests that take power away do it in `frail`, where the first node is preferred.
NODES = {"n1": "steady", "n2": "steady", "n3": "frail", "n4": "frail"}
#: States of a job after which nothing happens any more.
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "PREEMPTED"}

CONFIGURATION = """
ClusterName=copy
SlurmctldHost=control(10.77.0.1)
AuthType=auth/munge
# A requeued task waits until the credential of its last start has expired: 120 s unless told otherwise.
AuthInfo=cred_expire=5
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/control
SlurmctldPidFile=/run/slurm/control.pid
SlurmctldLogFile=/var/log/slurm/control.log
SlurmdSpoolDir=/var/lib/slurm/%n
SlurmdPidFile=/run/slurm/%n.pid
SlurmdLogFile=/var/log/slurm/%n.log
# A node that says nothing for so long is taken to be down.
SlurmdTimeout=10
MessageTimeout=4
TCPTimeout=1
KillWait=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
# Processors are as many as is said here, not as many as there are.
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
MailProg=/bin/true
ReturnToService=2
JobRequeue=1
"""


class Failure(Exception):
    """Something that is not as it has to be; the text says what was looked at, and what was seen."""


def command(*words, **options):
    """Runs it as root; what it says."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise Failure(f"`{' '.join(map(str, words))}` ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def until(what, seconds, probe):
    """What `probe` gives once that is something; it is asked again and again for so long."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.1)


class Cluster:
    """Everything that runs, and the jobs of one ordinary user on it."""

    def __init__(self):
        self.nodes = {}

    # --- coming up ------------------------------------------------------------------------------------------------------

    def install(self):
        """Puts the packages into the copy; nothing of them is started by it."""
        policy = pathlib.Path("/usr/sbin/policy-rc.d")
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        command("dpkg", "--force-unsafe-io", "--no-triggers", "-i", *sorted((OWN / "archives").glob("*.deb")), env=environment)
        command("useradd", "--create-home", "--home-dir", HOME, "--shell", "/bin/bash", USER)

    def configure(self):
        names = ["10.77.0.1 control"]
        lines = [CONFIGURATION]
        for number, node in enumerate(NODES, 1):
            names.append(f"10.77.0.{number + 1} {node}")
            # The lightest is taken first.
            weight = 2 if node == "n4" else 1
            lines.append(f"NodeName={node} NodeAddr=10.77.0.{number + 1} CPUs=8 Weight={weight} State=UNKNOWN")
        # On one partition tasks are spread, on the other they are where the test wants them.
        for partition, policy in {"steady": "Default=YES LLN=YES", "frail": "Default=NO"}.items():
            members = ",".join(node for node, of in NODES.items() if of == partition)
            lines.append(f"PartitionName={partition} Nodes={members} {policy} MaxTime=INFINITE State=UP OverSubscribe=NO")
        folder = pathlib.Path("/etc/slurm")
        folder.mkdir(exist_ok=True)
        (folder / "slurm.conf").write_text("\n".join(lines) + "\n")
        # Said outright, since there are no control groups here to be recognised; nothing of it is used.
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        pathlib.Path("/etc/hosts").write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
        for owner, paths in {
            "munge": ["/run/munge", "/var/log/munge", "/var/lib/munge", "/etc/munge"],
            "slurm": ["/run/slurm", "/var/log/slurm", "/var/lib/slurm", "/var/lib/slurm/control", *(f"/var/lib/slurm/{node}" for node in NODES)],
        }.items():
            account = pwd.getpwnam(owner)
            for path in paths:
                os.makedirs(path, exist_ok=True)
                os.chown(path, account.pw_uid, account.pw_gid)
        os.chmod("/run/munge", 0o755)
        key = pathlib.Path("/etc/munge/munge.key")
        key.unlink(missing_ok=True)
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        account = pwd.getpwnam("munge")
        os.chown(key, account.pw_uid, account.pw_gid)
        key.chmod(0o400)

    def start(self):
        command("ip", "link", "set", "lo", "up")
        command("ip", "link", "add", "wire", "type", "bridge")
        command("ip", "addr", "add", "10.77.0.1/24", "dev", "wire")
        command("ip", "link", "set", "wire", "up")
        command("runuser", "-u", "munge", "--", "/usr/sbin/munged")
        until("munge answers", 10, lambda: subprocess.run("munge -n | unmunge", shell=True, capture_output=True, check=False).returncode == 0)
        command("slurmctld", "-c")
        for node in NODES:
            self.plug(node)
            self.power_on(node)
        until("all nodes are idle", 30, lambda: set(self.node_states().values()) == {"idle"})

    def plug(self, node):
        """Gives a node its network."""
        number = list(NODES).index(node) + 2
        command("ip", "netns", "add", node)
        command("ip", "link", "add", f"{node}-cable", "type", "veth", "peer", "name", "eth0", "netns", node)
        command("ip", "link", "set", f"{node}-cable", "master", "wire", "up")
        for words in (["link", "set", "lo", "up"], ["addr", "add", f"10.77.0.{number}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            command("ip", "-n", node, *words)

    def power_on(self, node):
        command("ip", "link", "set", f"{node}-cable", "up")
        # Its first process waits for whatever is left over by others, as that of a machine does.
        script = (
            "mount -t tmpfs -o mode=1777 tmpfs /tmp && mount -t tmpfs -o mode=1777 tmpfs /dev/shm"
            f" && hostname {node} && {{ slurmd -D; exit; }}"
        )
        self.nodes[node] = subprocess.Popen(
            ["ip", "netns", "exec", node, "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(LOGS / f"{node}.err", "ab"),
        )

    def power_off(self, node):
        command("ip", "link", "set", f"{node}-cable", "down")
        process = self.nodes.pop(node)
        process.kill()
        process.wait()

    def node_states(self):
        """`idle`, `mix`, `down*`, by node."""
        return dict(line.split() for line in command("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines())

    # --- jobs -----------------------------------------------------------------------------------------------------------

    def folder(self, name):
        """A folder of the user's on what all nodes share, with plans, registries and the examples."""
        place = HOME / name
        place.mkdir()
        for source in ("plans", "registries", "ci"):
            command("cp", "-r", OWN / source, place / source)
        command("chown", "-R", f"{USER}:", place)
        return place

    def as_user(self, folder, *words, code=0):
        """Runs it as the user, in that folder; what it says. It has to end with `code`.

        The folder for temporary files, which a run declares, is the one that Slurm names in the environment of every job.
        """
        done = subprocess.run(
            ["runuser", "-u", USER, "--", "env", "-i", f"HOME={HOME}", f"PATH={OWN}/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TMPDIR=/tmp", *map(str, words)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if code is not None and done.returncode != code:
            said = "\n".join([done.stdout.strip(), done.stderr.strip()])
            raise Failure(f"`{' '.join(map(str, words))}` ended with {done.returncode}, not {code}: {said}")
        return done.stdout

    def submit(self, folder, *words):
        """Submits a job; its number."""
        return self.as_user(folder, "sbatch", "--parsable", *words).strip()

    def tasks(self, job):
        """What Slurm knows of a job: for each task, or of what has none for `None`, its fields."""
        found = {}
        for line in command("scontrol", "--oneliner", "show", "job", job).splitlines():
            fields = dict(re.findall(r"(\w+)=(\S*)", line))
            task = fields.get("ArrayTaskId")
            # Those that were not started yet are one line: `3-7%2`.
            found[int(task) if task and task.isdigit() else task] = fields
        return found

    def wait(self, job, seconds=150):
        """Waits until nothing of a job is left; its tasks then."""

        def ended():
            tasks = self.tasks(job)
            return tasks if all(fields["JobState"] in ENDED for fields in tasks.values()) else None

        return until(f"job {job} ends", seconds, ended)


def exit_of(fields):
    """The exit code of a task; a signal is `signal 9`."""
    code, signal = fields["ExitCode"].split(":")
    return f"signal {signal}" if signal != "0" else int(code)
