"""Hosts with modules of others: what watches and filters on the way from a room to a client.

Each is there twice, with mod_minimix among its modules and without it. Modules that would hide each other's faults have
hosts of their own.
"""

from lab.prosody import TEST_MODULES, Host

STRANGERS = "strangers.lab"  # drops what comes from those whom an account does not know
SPAM = "spam.lab"  # answers strangers who say a word
FIREWALL = "firewall.lab"  # has mod_firewall's rules against spam, and some of its own
WATCHED = "watched.lab"  # notes in which rooms a session is, holds back what an inactive one need not hear, pushes
PUSHED = "pushed.lab"  # tells push services what is said
NOT_PUSHED = "slow.lab"  # rooms that the module leaves alone there
FILTERED = "filtered.lab"  # does with a stanza what stands in it
WAITING = "waiting.lab"  # the same, for what delays all that comes after it
ARCHIVED = "archived.lab"  # keeps an archive of rooms that have none
ARCHIVED_ALL = "all.lab"  # keeps an archive of all rooms
GUARDED = "guarded.lab"  # rooms, with limits, moderators and a block list

PUSH = "push.far.lab"
BLOCK_LIST = "rtbl.lab"

_HOSTS = [
    Host(STRANGERS, modules=["block_strangers"]),
    Host(SPAM, modules=["anti_spam"], options={"anti_spam_block_strings": ["listed word"]}),
    Host(
        FIREWALL,
        modules=["firewall"],
        options={"firewall_scripts": ["module:scripts/spam-blocking.pfw", TEST_MODULES / "guest.pfw"]},
    ),
    Host(
        WATCHED,
        modules=["track_muc_joins", "csi_battery_saver", "cloud_notify", "tombstones", "lab_watcher"],
        options={"modules_disabled": ["csi_simple"], "csi_battery_saver_filter_muc": True},
    ),
    Host(
        PUSHED,
        modules=["cloud_notify"],
        options={"push_notification_with_body": True, "minimix_exclude": [NOT_PUSHED]},
    ),
    Host(FILTERED, modules=["lab_filter"]),
    Host(WAITING, modules=["lab_filter"]),
    Host(ARCHIVED, options={"minimix_archive": "needed"}),
    Host(ARCHIVED_ALL, options={"minimix_archive": "all"}),
]


def stock(host: str) -> str:
    """Returns the twin of a host, which has the same modules and not ours."""
    name, _, rest = host.partition(".")
    return f"{name}-stock.{rest}"


def hosts(ours: list[str]) -> list[Host]:
    """Returns all of them, each with our modules and without."""
    options = {"minimix_archive": "off"}  # its ids would tell the clients apart
    with_ours = [Host(host.name, modules=host.modules + ours, options=options | host.options) for host in _HOSTS]
    return with_ours + [Host(stock(host.name), modules=host.modules, options=host.options) for host in _HOSTS]


def services() -> list[Host]:
    """Returns the rooms that are guarded, and the block list that guards them."""
    return [
        Host(
            GUARDED,
            rooms=True,
            modules=["muc_limits", "muc_moderation"],
            options={
                "muc_rtbl_jid": BLOCK_LIST,
                "muc_max_nick_length": 40,
                # Twelve at once, and then so few that it makes no difference how quick the machine is.
                "muc_event_rate": 0.1,
                "muc_burst_factor": 120,
                "muc_max_line_count": 5,
            },
        ),
        Host(BLOCK_LIST, component="pubsub", modules=["lab_rtbl"], options={"lab_rtbl": [GUARDED]}),
    ]
