"""Joining: XEP-0045 §7.2."""

from client import xml
from harness.scene import ComparedScene
from harness.story import check, compared
from lab.lab import DOWN


@compared("J1", "J3", "J4", "J5", "J6", "J20", "H1", "H2", "H6", "H13")
async def late_join(scene: ComparedScene) -> None:
    """A room in which others are, which has a history and a subject."""
    bob = await scene.owner()
    carol = await scene.guest("carol")
    await scene.guest("dave")
    await carol.update(
        "<show>away</show><status>tea</status><idle xmlns='urn:xmpp:idle:1' since='2020-01-01T00:00:00Z'/>"
    )
    await bob.set_subject("tea at five")
    for number in range(1, 25):
        await bob.say(f"old {number}")
    came = await scene.me.join(scene.room, "me")
    check(xml.message(body="old 24")(came[-2]), "the newest message stands last before the subject")
    await scene.me.drain(scene.room)


@compared("J1", "J9", "H6")
async def first_join_creates(scene: ComparedScene) -> None:
    """A room that does not exist yet."""
    came = await scene.me.join(scene.room, "me")
    check("201" in xml.codes(came[-2]), "the first one hears that the room is new")
    await scene.me.drain(scene.room)


@compared("H3", "H7", "H8")
async def history_as_asked(scene: ComparedScene) -> None:
    """Each way to ask for less, and a subject with a body, which is a message."""
    bob = await scene.owner()
    for number in range(1, 6):
        await bob.say(f"old {number}")
    await bob.say("both", extra="<subject>not the subject</subject>")
    for asked in ("maxstanzas='2'", "maxchars='0'", "maxstanzas='0'", "seconds='3600'", "since='2020-01-01T00:00:00Z'"):
        await scene.me.join(scene.room, "me", f"<history {asked}/>")
        await scene.me.leave()
        await scene.settle(scene.me, bob)


@compared("J12", "J8", "J1", ignored_codes={"100"})
async def join_again(scene: ComparedScene) -> None:
    """A client that lost its state, or profanity after a resumption, joins although it is in."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.say("meanwhile")
    await scene.me.expect(xml.message(body="meanwhile"))
    await scene.me.join(scene.room, "me")
    await scene.me.drain(scene.room)


@compared("J10")
async def join_without_nick(scene: ComparedScene) -> None:
    await scene.owner()
    id = scene.me.new_id("join")
    scene.me.send(f"<presence id='{id}' to='{scene.room}'><x xmlns='{xml.MUC}'/></presence>")
    await scene.me.expect(xml.presence_error(id))
    await scene.me.drain(scene.room)


@compared("J15", "J16", "J17")
async def password(scene: ComparedScene) -> None:
    """No password, a wrong one, the right one."""
    bob = await scene.owner()
    await bob.configure(passwordprotectedroom="1", roomsecret="cauldron")
    check(await scene.me.refused(scene.room, "me") == "not-authorized", "without a password")
    check(await scene.me.refused(scene.room, "me", "<password>broom</password>") == "not-authorized", "a wrong one")
    await scene.me.join(scene.room, "me", "<password>cauldron</password>")
    await scene.me.say("in")
    await scene.me.drain(scene.room)


@compared("J16", "J17")
async def members_only(scene: ComparedScene) -> None:
    """Refused first, let in as a member."""
    bob = await scene.owner()
    await bob.configure(membersonly="1")
    check(await scene.me.refused(scene.room, "me") == "registration-required", "no member yet")
    await bob.affiliate(scene.me.account, "member")
    await scene.me.join(scene.room, "me")
    await scene.me.drain(scene.room)


@compared("J16", "J17")
async def nick_taken(scene: ComparedScene) -> None:
    """Somebody has the nick; another one is free."""
    await scene.owner()
    check(await scene.me.refused(scene.room, "bob") == "conflict", "bob is there already")
    await scene.me.join(scene.room, "me")
    await scene.me.drain(scene.room)


@compared("J16", "J17")
async def banned_before(scene: ComparedScene) -> None:
    bob = await scene.owner()
    await bob.affiliate(scene.me.account, "outcast")
    check(await scene.me.refused(scene.room, "me") == "forbidden", "an outcast")
    await scene.me.drain(scene.room)


@compared("J14", "L6")
async def presence_without_joining(scene: ComparedScene) -> None:
    """A status change of a client that believes to be in, and a leave of one that is not."""
    await scene.owner()
    scene.me.room, scene.me.nick = scene.room, "me"
    scene.me.send_presence("<show>away</show>")
    scene.me.send_leave()
    await scene.me.drain(scene.room)


@compared("J11")
async def probe(scene: ComparedScene) -> None:
    """A probe of an occupant, from within."""
    await scene.owner()
    await scene.me.join(scene.room, "me")
    scene.me.send(f"<presence type='probe' id='{scene.me.new_id('probe')}' to='{scene.room}/bob'/>")
    await scene.me.drain(scene.room)


@compared("H4", "H11")
async def history_since(scene: ComparedScene) -> None:
    """A moment between two messages counts by the room's stamps; private messages are in no history."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.say("before")
    bob.send_message("psst", to=scene.me.occupant_jid)
    await scene.me.expect(xml.message(body="psst"))
    await scene.me.leave()
    await scene.settle(scene.me, bob)
    for moment in ("2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        await scene.me.join(scene.room, "me", f"<history since='{moment}'/>")
        await scene.me.leave()
        await scene.settle(scene.me, bob)


@compared("J16", "J17", "I9", kinds=("local",))
async def service_is_down(scene: ComparedScene) -> None:
    """Its server does not answer: what the session asks, says and wants to join comes back with an error, each time."""
    scene.room = scene.room.replace(scene.service, DOWN)
    scene.service = DOWN
    for _ in range(2):
        await scene.me.refused(scene.room, "me")
        await scene.me.query("get", scene.room, xml.DISCO_INFO)
        id = scene.me.send_message("anybody?")
        await scene.me.expect(xml.message(id=id, type="error"))
    await scene.me.drain()
