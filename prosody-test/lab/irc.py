"""An IRC server, ngircd, and biboumi, which makes its channels rooms: configurations, and the commands that run them."""

from dataclasses import dataclass
from pathlib import Path

from lab.server import Command


@dataclass(frozen=True)
class Settings:
    """Where the IRC server listens, and as which component of which XMPP server the gateway connects."""

    directory: Path
    irc_address: str
    xmpp_address: str
    xmpp_port: int
    component: str
    secret: str


def server(settings: Settings) -> Command:
    # Its port is one that the gateway tries; it leaves root for a user that may not write here.
    path = _write(
        settings.directory / "ngircd.conf",
        "[Global]",
        "Name = irc.lab",
        "Info = The lab's IRC server",
        "AdminInfo1 = nobody",
        f"Listen = {settings.irc_address}",
        "Ports = 6667",
        "[Limits]",
        "MaxConnectionsIP = 0",
        "MaxNickLength = 30",
        "[Options]",
        "DNS = no",
        "Ident = no",
        "PAM = no",
    )
    argv = [_program("ngircd"), "--nodaemon", "--config", str(path)]
    return Command(argv=argv, ready=" ready.", environment={})


def gateway(settings: Settings) -> Command:
    path = _write(
        settings.directory / "biboumi.cfg",
        f"hostname={settings.component}",
        f"password={settings.secret}",
        f"xmpp_server_ip={settings.xmpp_address}",
        f"port={settings.xmpp_port}",
        f"fixed_irc_server={settings.irc_address}",
        "identd_port=0",
        f"db_name={settings.directory / 'biboumi.sqlite'}",
        "log_level=1",
    )
    return Command(argv=[_program("biboumi"), str(path)], ready="Authenticated with the XMPP server", environment={})


def _program(name: str) -> str:
    """Where Debian puts daemons, which is not always searched."""
    return next((path for path in (f"/usr/sbin/{name}", f"/usr/bin/{name}") if Path(path).exists()), name)


def _write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
