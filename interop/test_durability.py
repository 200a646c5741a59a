"""What the system is asked for, seen by strace: contents are brought to the disk before they are renamed, names before what they replace is
removed, and a run's files before its checkpoints go. Tests with a made-up disk see the order too (`crates/run/tests/checkpoints.rs`); only here
is it the real calls."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import PUPILA, SKIN

CALLS = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,write,pwrite64,ftruncate,copy_file_range"


@dataclass
class Call:
    """A call that ended well: when it began and when it ended, counted in lines of the record."""

    name: str
    paths: list
    began: int
    ended: int


@dataclass
class Calls:
    calls: list = field(default_factory=list)

    def of(self, *names, path=None, target=None):
        """The calls of these names, on this path or to this target."""
        return [
            c for c in self.calls
            if c.name in names and (path is None or c.paths[0] == path) and (target is None or c.paths[-1] == target)
        ]

    def written(self, path, before=1 << 60):
        """When the last write to a file ended, of those before a moment; of one that was renamed, under its name before."""
        ends = (c.ended for c in self.of("write", "pwrite64", "ftruncate", path=path) if c.ended < before)
        return max(ends, default=None)

    def is_synced(self, path, behind, before):
        """Whether it was brought to the disk by a call that began behind one moment and ended before another."""
        return any(behind < c.began and c.ended < before for c in self.of("fsync", "fdatasync", path=path))


def record(folder, *arguments):
    """Runs the program, and reads what strace saw. Paths are absolute."""
    log = folder / "calls"
    environment = os.environ | {"PUPILA_CACHE_DIR": str(folder / "cache"), "PUPILA_STATE_DIR": str(folder / "state")}
    command = ["strace", "-f", "-y", "-s", "4096", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", log, PUPILA, *arguments]
    done = subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    if "PTRACE" in done.stderr and not log.exists():
        pytest.skip(f"strace may not look here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    begun, calls = {}, Calls()
    for at, line in enumerate(log.read_text(errors="replace").splitlines()):
        pid, rest = line.split(maxsplit=1)
        if rest.endswith("<unfinished ...>"):
            begun[pid] = (at, rest.removesuffix("<unfinished ...>"))
            continue
        began = at
        if resumed := re.match(r"<\.\.\. \w+ resumed>", rest):
            began, first = begun.pop(pid)
            rest = first + rest[resumed.end() :]
        if not (call := re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", rest)) or int(call[3]) < 0:
            continue
        name, said = call[1], call[2]
        if name.startswith(("rename", "unlink")):
            paths = re.findall(r'"((?:[^"\\]|\\.)*)"', said)
        else:
            paths = re.findall(r"^\d+<([^>]*)>", said)
        paths = [str(folder / path) for path in paths]
        calls.calls.append(Call("rename" if name.startswith("rename") else name.replace("unlinkat", "unlink"), paths, began, at))
    return calls


@pytest.fixture
def folder(tmp_path):
    assert shutil.which("strace"), "interop/run installs strace"
    return tmp_path.resolve()


def test_checkpoints_and_a_run_s_end(folder):
    calls = record(folder, "train", SKIN, "--name", "a", "--epochs", 3, "--size", 16, "--set", "model.hidden=[4]", "--set", "checkpoint.steps=4")
    run = folder / "runs/a"
    renamings = [c for c in calls.of("rename") if c.paths[1].endswith(".checkpoint")]
    assert len(renamings) >= 4
    removals = [c for c in calls.of("unlink") if c.paths[0].endswith(".checkpoint")]
    board = next(c.paths[0] for c in calls.of("fsync") if "tfevents" in c.paths[0])
    before = 0
    for renaming in renamings:
        partial, place = renaming.paths
        assert calls.is_synced(partial, calls.written(partial, renaming.began), renaming.began), place
        # What it counts on, since the one before it.
        for record_file in (str(run / "metrics.jsonl"), board):
            assert calls.is_synced(record_file, before, renaming.began), (record_file, place)
        # Its name, and that of its folder, before an older one goes or the next one comes.
        later = min((c.began for c in removals + renamings if c.began > renaming.ended), default=1 << 60)
        for names in (run / "checkpoints", run):
            assert calls.is_synced(str(names), renaming.ended, later), (names, place)
        before = renaming.ended
    # All that the run leaves is on the disk before the last checkpoint goes.
    end = max(c.began for c in removals)
    left = [path for path in run.rglob("*") if path.is_file() and path.name != "run.lock"]
    assert len(left) >= 10
    for path in left:
        written = [calls.written(str(path)), calls.written(f"{path}.partial")]
        assert calls.is_synced(str(path), max(w for w in written if w is not None), end), path
    named = max(c.ended for c in calls.of("rename") if c.ended < end and Path(c.paths[1]).parent == run)
    assert calls.is_synced(str(run), named, end)
    assert calls.is_synced(str(run.parent), 0, end)


def test_a_look_at_a_test_set_is_on_the_disk(folder):
    data = folder / "data"
    for split, source, wanted in (("train", "train", "*"), ("val", "val", "*[0-4].jpg"), ("test", "val", "*[5-9].jpg")):
        for path in (SKIN / source).glob(f"*/{wanted}"):
            place = data / split / path.parent.name / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    small = ["--epochs", 1, "--size", 16, "--set", "model.hidden=[4]"]
    record(folder, "train", data, "--name", "a", *small)
    calls = record(folder, "eval", "runs/a", "--split", "test")
    looks = {c.paths[0] for c in calls.of("write") if "looks" in c.paths[0]}
    assert looks, [c.paths for c in calls.of("write")]
    for path in looks:
        assert calls.is_synced(path, calls.written(path), 1 << 60), path


def test_every_record_of_a_search_is_on_the_disk_before_the_lock_goes(folder):
    (folder / "space.toml").write_text('[space]\n"optimizer.lr" = { float = [1e-4, 1e-2], log = true }\n')
    calls = record(
        folder, "search", SKIN, "--space", "space.toml", "--trials", 2, "--name", "s", "--epochs", 1, "--size", 16, "--set", "model.hidden=[4]"
    )
    journals = {c.paths[0] for c in calls.of("write") if c.paths[0].endswith("trials.journal")}
    assert len(journals) == 1, journals
    journal = journals.pop()
    writes = sorted(calls.of("write", path=journal), key=lambda c: c.began)
    assert len(writes) >= 4
    for write, later in zip(writes, [*(c.began for c in writes[1:]), 1 << 60]):
        assert calls.is_synced(journal, write.ended, later)
    # The study by which the best are tried again: who has which run, and what it is a study of.
    claims = {c.paths[0] for c in calls.of("write") if c.paths[0].endswith(".claim")}
    assert len(claims) == 10, claims
    for claim in claims:
        first = min(c.ended for c in calls.of("write", path=claim))
        assert calls.is_synced(claim, first, min(c.began for c in calls.of("unlink", path=claim))), claim
    studies = [c for c in calls.of("rename") if Path(c.paths[1]).name == "study.json"]
    assert studies, [c.paths for c in calls.of("rename")]
    for study in studies:
        assert calls.is_synced(study.paths[0], calls.written(study.paths[0], study.began), study.began)
        assert calls.is_synced(str(Path(study.paths[1]).parent), study.ended, 1 << 60)
