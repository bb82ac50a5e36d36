"""The Containerfile carried out step by step in a clean root, where no container engine runs (clean_root.py)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from serving.security.tokens import issue_token
from tests.conftest import ROOT
from tests.images.clean_root import PYTHON, SUITE
from tests.images.containerfile import stages_of

ASKED = "UPSTREAM_CLEAN_ROOT"
"""Environment variable by which ``make cleanroot`` asks for it."""
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
EXAMPLE = """# a comment
FROM debian AS one
ENV A=1 PATH=/opt/bin:$PATH
WORKDIR /work
RUN first \\
    && second
# between
USER 5:6

FROM one AS two
COPY --from=one /a /b
ENTRYPOINT ["start"]
CMD ["serve", "--port", "1"]
HEALTHCHECK --interval=3s \\
    CMD ["check", "it"]
"""


def test_a_stage_begins_with_what_its_parent_ended_with():
    one, two = stages_of(EXAMPLE).values()
    assert [(step.kind, step.words, step.folder, step.user) for step in one.steps] == [
        ("RUN", "first && second", "/work", "0:0")
    ]
    assert one.environment["PATH"].startswith("/opt/bin:/usr/local/bin:") and one.environment["A"] == "1"
    assert (two.parent, two.user, two.folder, two.environment) == ("one", "5:6", "/work", one.environment)
    assert [(step.kind, step.user) for step in two.steps] == [("COPY", "5:6")]
    assert (two.entrypoint, two.command, two.health) == (("start",), ("serve", "--port", "1"), ("check", "it"))


def test_an_instruction_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="VOLUME is not known here"):
        stages_of(EXAMPLE + "VOLUME /data\n")


def test_every_instruction_of_the_containerfile_is_known():
    stages = stages_of(TEXT)
    assert list(stages) == ["build", "build-training", "base", "training", "serving"]
    assert {stages[name].parent for name in ("build", "base")} == {f"python:3.11-slim-{SUITE}"}
    for name in ("training", "serving"):
        assert stages[name].user == "10001:10001" and stages[name].entrypoint == ("start",)
    assert stages["serving"].command[0] == "serve" and "/livez" in stages["serving"].health[-1]


def why_not() -> str:
    """Why a clean root is not made; empty where it is."""
    if ASKED not in os.environ:
        return "takes many minutes and 6 GB: run make cleanroot"
    if os.geteuid():
        return "needs root, for chroot and mounts"
    if f"python{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        return f"needs {PYTHON}, for which the image's packages are"
    for program in ("debootstrap", "unshare", "apt-get"):
        if shutil.which(program) is None:
            return f"needs {program}"
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return "may not mount here" if subprocess.run(tried, capture_output=True, check=False).returncode else ""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_images_are_built_and_start_in_a_clean_root(home):
    if reason := why_not():
        pytest.skip(reason)
    (home / "token").write_text(issue_token(home, "pharmacist", ["north"]))
    with tempfile.TemporaryDirectory(prefix="upstream-root-") as folder:
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, "-P", "-m"]
        done = subprocess.run(
            [*words, "tests.images.clean_root", str(Path(folder) / "build"), str(home)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    found = json.loads(done.stdout)
    serving, training = found["serving"], found["training"]
    assert (serving["livez"], serving["readyz"], serving["health"], serving["exit_code"]) == (200, 200, 0, 0)
    assert serving["user"] == serving["group"] == ["10001"] * 4
    assert serving["capabilities"] and serving["no_new_privileges"]
    assert serving["refused_writes"] == 4, "the root can be written"
    assert serving["list"] > 0
    assert serving["kernels"] > 0 and serving["kernels_compiled_at_run"] == 0
    assert training["train"] == 0 and training["mlflow"].startswith("mlflow, version")
