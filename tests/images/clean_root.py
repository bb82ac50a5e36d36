"""Builds the stages of the Containerfile without a container engine, in a clean root that debootstrap makes, and starts
what was built as an engine would: ``unshare --mount python -m tests.images.clean_root FOLDER HOME``.

Each stage is a layer of files over those of its parent (overlayfs). ``RUN`` steps run inside with chroot, ``COPY``
steps copy. Then the serving image is started with a read-only root, without any privilege, as its own user, over a copy
of ``HOME``. One line of JSON says what happened, and how long each step took.

The clean root stands in for ``python:3.11-slim-bookworm``: the same Debian with the Python 3.11 that Debian packs,
under the name that the image gives it. The packages come from wheels that this machine's pip downloads by their hashes;
the steps see them in place of an index.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docs.pins import pins, resolved
from tests.conftest import ROOT, free_port
from tests.images.containerfile import PATH, Stage, Step, stages_of

SUITE = "bookworm"
PYTHON = "python3.11"
WHEELS = "/mnt"
"""Where the steps find the wheels. Debian keeps this folder empty."""
SECONDS_TO_START = 240


def debian_mirror() -> str:
    """The address from which this machine's apt takes the suite."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {SUITE}"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    if not found:
        raise LookupError(f"apt knows no source of {SUITE}")
    return found[0]


@dataclass
class Builder:
    """Builds in ``folder``. ``times`` holds seconds, and seconds of processor time, of each step."""

    folder: Path
    stages: dict[str, Stage]
    times: list[dict[str, Any]] = field(default_factory=list)
    layers: dict[str, list[Path]] = field(default_factory=dict)

    def timed(self, what: str, work: Callable[[], object]) -> None:
        began, before = time.monotonic(), _processor_seconds()
        work()
        seconds, spent = time.monotonic() - began, _processor_seconds() - before
        self.times.append({"step": what, "seconds": round(seconds, 1), "processor_seconds": round(spent, 1)})
        sys.stderr.write(f"{seconds:7.1f} s  {what}\n")

    def clean_root(self) -> None:
        """Debian with Python and nothing else, in place of the image that the file begins with."""
        root = self.folder / "image"
        words = ["debootstrap", "--variant=minbase", SUITE, str(root), debian_mirror()]
        self.timed("debootstrap", lambda: _run(words))
        packages = f"ca-certificates {PYTHON} {PYTHON}-venv"  # by apt, because debootstrap knows no virtual packages
        install = f"apt-get update && apt-get install --yes --no-install-recommends {packages}"
        given = {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive"}
        with bound(Path("/dev"), root / "dev"), mounted(root / "proc", "proc"):
            self.timed("Debian's Python", lambda: _run(_inside(root, given, ["/bin/sh", "-c", install])))
        (root / "usr/local/bin/python").symlink_to(f"/usr/bin/{PYTHON}")
        self.layers[next(iter(self.stages.values())).parent] = [root]

    def context(self) -> None:
        """What an engine would be sent: the wheel of this checkout and the pins, as far as ``.dockerignore`` lets
        them through; and the packages themselves, by their hashes."""
        source, wheels = self.folder / "source", self.folder / "wheels"
        source.mkdir()
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split("\0")  # fmt: skip
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, source / name)
        self.timed("wheel", lambda: _pip("wheel", "--no-deps", "--wheel-dir", source / "dist", source))
        for name, extras in (("requirements.txt", []), ("requirements-training.txt", ["training"])):
            made = source / name
            self.timed(f"pins: {name}", lambda made=made, extras=extras: made.write_text(pins(resolved(extras))))
            fetch = (
                "download",
                "--require-hashes",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--dest",
                wheels,
                "-r",
                made,
            )
            self.timed(f"wheels: {name}", lambda fetch=fetch: _pip(*fetch))
        context = self.folder / "context"
        for pattern in (ROOT / ".dockerignore").read_text(encoding="utf-8").split():
            for file in source.glob(pattern[1:]) if pattern.startswith("!") else ():
                (context / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, context / file.relative_to(source))

    def build(self, name: str) -> None:
        """A stage and those that it stands on or copies from."""
        if name in self.layers:
            return
        stage = self.stages[name]
        self.build(stage.parent)
        for step in stage.steps:
            if other := _source_of(step):
                self.build(other)
        upper, work = self.folder / name / "layer", self.folder / name / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        with self.opened(self.layers[stage.parent], upper, work) as root:
            for step in stage.steps:
                does = self.copy if step.kind == "COPY" else self.run
                self.timed(f"{name}: {step.kind} {step.words[:60]}", lambda step=step, does=does: does(root, step))
        self.layers[name] = [upper, *self.layers[stage.parent]]

    def run(self, root: Path, step: Step) -> None:
        given = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS, "HOME": "/root"} | step.environment
        (root / step.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        with bound(self.folder / "wheels", root / WHEELS.lstrip("/")):
            _run(_inside(root, given, ["/bin/sh", "-c", f"cd {shlex.quote(step.folder)} && {step.words}"]))

    def copy(self, root: Path, step: Step) -> None:
        *sources, target = [word for word in step.words.split() if not word.startswith("--")]
        into = root / str(Path(step.folder) / target).lstrip("/")
        other = _source_of(step)
        if other is None:
            self._copy(self.folder / "context", sources, into, target.endswith("/"))
            return
        with self.opened(self.layers[other]) as found:
            self._copy(found, [source.lstrip("/") for source in sources], into, target.endswith("/"))

    def _copy(self, top: Path, sources: list[str], into: Path, is_folder: bool) -> None:
        files = [file for source in sources for file in sorted(top.glob(source))]
        assert files, f"nothing to copy: {sources}"
        for file in files:
            place = into / file.name if is_folder else into
            (place if file.is_dir() else place.parent).mkdir(parents=True, exist_ok=True)
            _run(["cp", "-a", f"{file}/." if file.is_dir() else str(file), str(place)])

    @contextmanager
    def opened(self, layers: list[Path], upper: Path | None = None, work: Path | None = None) -> Iterator[Path]:
        """A root of these layers, the first on top; without ``upper`` it cannot be written."""
        root = self.folder / "roots" / f"{len(list((self.folder / 'roots').glob('*')))}"
        root.mkdir(parents=True)
        options = "lowerdir=" + ":".join(map(str, layers if upper or len(layers) > 1 else [*layers, root]))
        if upper:
            options += f",upperdir={upper},workdir={work}"
        _run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)])
        try:
            with bound(Path("/dev"), root / "dev"), mounted(root / "proc", "proc"):
                yield root
        finally:
            _run(["umount", str(root)])


@contextmanager
def bound(source: Path, place: Path) -> Iterator[None]:
    _run(["mount", "--bind", str(source), str(place)])
    try:
        yield
    finally:
        _run(["umount", str(place)])


@contextmanager
def mounted(place: Path, kind: str, options: str = "rw") -> Iterator[None]:
    _run(["mount", "-t", kind, "-o", options, kind, str(place)])
    try:
        yield
    finally:
        _run(["umount", str(place)])


def start_serving(builder: Builder, home: Path) -> dict[str, Any]:
    """Starts the serving image as compose.yaml does, and looks at it from outside and inside."""
    stage, port = builder.stages["serving"], free_port()
    environment = {**stage.environment, "HOME": stage.environment["UPSTREAM_HOME"]}
    command = [port_of(word, port) for word in (*stage.entrypoint, *stage.command)]
    with builder.opened(builder.layers["serving"]) as root:
        kept = root / environment["UPSTREAM_HOME"].lstrip("/")
        with mounted(root / "tmp", "tmpfs", "size=512m,mode=1777"), bound(home, kept):
            locked = _inside(root, environment, ["/bin/sh", "-c", f"cd {stage.folder} && exec {shlex.join(command)}"])
            process = subprocess.Popen(as_nobody(locked, stage.user), stderr=subprocess.DEVNULL)
            try:
                began = time.monotonic()
                seen: dict[str, Any] = {"livez": _answers(f"http://127.0.0.1:{port}/livez", process)}
                seen["seconds_to_start"] = round(time.monotonic() - began, 1)
                seen["readyz"] = _answers(f"http://127.0.0.1:{port}/readyz", process)
                yielded = look_inside(root, process.pid, stage, environment, port)
                kernels = {str(file) for file in (root / "tmp/kernels").rglob("*.nbi")}
                seen |= yielded | {"kernels": len(kernels)}
                seen["list"] = _listed(port, (home / "token").read_text())
                seen["kernels_compiled_at_run"] = sum(
                    str(file) not in kernels for file in (root / "tmp/kernels").rglob("*.nbi")
                )
                process.terminate()
                seen["exit_code"] = process.wait(timeout=120)
            finally:
                process.kill()
                process.wait()
    return seen


def look_inside(root: Path, pid: int, stage: Stage, environment: dict[str, str], port: int) -> dict[str, Any]:
    """Who the process is and what it may, by the kernel's word; the image's own health check; a try to write."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    health = _inside(root, environment, [port_of(word, port) for word in stage.health])
    write = _inside(root, environment, ["/bin/sh", "-c", "for f in / /opt/upstream /usr/bin /etc; do touch $f/x; done"])
    tried = subprocess.run(write, stderr=subprocess.PIPE, text=True, check=False)
    return {
        "user": status["Uid"].split(),
        "group": status["Gid"].split(),
        "capabilities": {status[name].strip() for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16},
        "no_new_privileges": status["NoNewPrivs"].strip() == "1",
        "health": subprocess.run(as_nobody(health, stage.user), check=False).returncode,
        "refused_writes": tried.stderr.count("Read-only file system"),
    }


def start_training(builder: Builder) -> dict[str, Any]:
    """The training image on a read-only root: its verbs, and the MLflow server with compose.yaml's own command."""
    stage = builder.stages["training"]
    with builder.opened(builder.layers["training"]) as root, mounted(root / "tmp", "tmpfs", "size=512m,mode=1777"):
        environment = {**stage.environment, "HOME": "/tmp"}
        verbs = subprocess.run(
            as_nobody(_inside(root, environment, [*stage.entrypoint, "train", "--help"]), stage.user),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        mlflow = subprocess.run(
            as_nobody(_inside(root, environment, ["mlflow", "--version"]), stage.user),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    return {"train": verbs.returncode, "mlflow": mlflow.stdout.strip()}


def as_nobody(command: list[str], user: str) -> list[str]:
    """A chroot command without any privilege once inside: what ``cap_drop: [ALL]`` and ``no-new-privileges`` ask."""
    chroot, root, *rest = command
    number, _, group = user.partition(":")
    drop = ["/usr/bin/setpriv", f"--reuid={number}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    return [chroot, root, *drop, "--bounding-set=-all", "--inh-caps=-all", *rest]


def port_of(word: str, port: int) -> str:
    """The word of a command with the port, and the addresses, of this machine in place of the image's."""
    return word.replace("0.0.0.0", "127.0.0.1").replace("8000", str(port))


def _inside(root: Path, environment: dict[str, str], words: list[str]) -> list[str]:
    given = [f"{name}={value}" for name, value in environment.items()]
    return ["/usr/sbin/chroot", str(root), "/usr/bin/env", "-i", *given, *words]


def _source_of(step: Step) -> str | None:
    found = next((word for word in step.words.split() if word.startswith("--from=")), None)
    return found.removeprefix("--from=") if found and step.kind == "COPY" else None


def _answers(address: str, process: subprocess.Popen[bytes]) -> int:
    ends = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            assert process.poll() is None, "the service ended"
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


def _listed(port: int, token: str) -> int:
    """How many people the list of the north team has."""
    headers = {"Authorization": f"Bearer {token}"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/teams/north/worklist", headers=headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return len(json.load(answer)["items"])


def _pip(*words: object) -> None:
    # Outside the checkout, whose own metadata pip would take for the installed wheel.
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "pip", *map(str, words), "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run(command, cwd="/", env=alone, check=True, stdout=sys.stderr)


def _run(words: list[str]) -> None:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)[:500]}\n{done.stdout[-4000:]}"


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("folder", type=Path, help="an empty folder with room for 6 GB")
    words.add_argument("home", type=Path, help="the home of a published list; its file token opens the north team")
    given = words.parse_args()
    builder = Builder(given.folder, stages_of((ROOT / "Containerfile").read_text(encoding="utf-8")))
    builder.clean_root()
    builder.context()
    builder.build("serving")
    home = Path(shutil.copytree(given.home, given.folder / "home"))
    number, _, group = builder.stages["serving"].user.partition(":")
    _run(["chown", "-R", f"{number}:{group}", str(home)])
    found = {"serving": start_serving(builder, home), "training": start_training(builder), "times": builder.times}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
