"""Prosody in a container: of another version than the machine's, with the module mounted into it."""

import os
from dataclasses import dataclass
from pathlib import Path

from lab import prosody
from lab.prosody import COMMUNITY, CORE, TEST_MODULES, WRAPPER, Settings
from lab.server import Command

# What a machine grants that may not raise its own limits.
LIMITS = ["--ulimit=nofile=20000:20000", "--ulimit=nproc=4096:4096"]
ENGINE = os.environ.get("CONTAINER_ENGINE", "podman")


@dataclass(frozen=True)
class Container:
    """One container, which has the machine's network, and the folder of its server under the same name."""

    image: str
    directory: Path

    @property
    def name(self) -> str:
        return f"{self.directory.parent.name}-{self.directory.name}"

    def around(self, command: Command) -> Command:
        """Returns what runs the command in the container."""
        argv = [ENGINE, "run", "--rm", "--name", self.name, "--network", "host", *LIMITS]
        argv += [f"--volume={path}:{path}:ro" for path in (WRAPPER, CORE, TEST_MODULES, COMMUNITY)]
        argv += [f"--volume={self.directory}:{self.directory}"]
        argv += [f"--env={name}={value}" for name, value in command.environment.items()]
        return Command(
            argv=[*argv, self.image, *command.argv],
            ready=command.ready,
            environment={},
            signal=[ENGINE, "kill", self.name, "--signal"],
            remove=[ENGINE, "rm", "--force", self.name],
        )

    def inside(self, argv: list[str]) -> list[str]:
        """Returns what runs another program in the container."""
        return [ENGINE, "exec", self.name, *argv]


def command(settings: Settings, image: str | None) -> Command:
    """Writes the configuration and returns what runs it: in a container of the image, if there is one."""
    command = prosody.command(settings)
    return Container(image, settings.directory).around(command) if image else command


def shell(directory: Path, words: str, image: str | None) -> list[str]:
    """Returns what gives that Prosody, wherever it runs, an order of its admin shell."""
    argv = prosody.shell(directory, words)
    return Container(image, directory).inside(argv) if image else argv
