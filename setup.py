"""Puts mlflow.yaml, which stays at the top of the repository, into the wheel. Everything else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TOP = Path(__file__).resolve().parent


class BuildWithSettings(build_py):
    """Copies mlflow.yaml beside ``features/settings.py``, which reads it there in an installation."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_file(str(TOP / "mlflow.yaml"), str(Path(self.build_lib) / "features" / "mlflow.yaml"))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib) / "features" / "mlflow.yaml")]


setup(cmdclass={"build_py": BuildWithSettings})
