"""Leaving and being removed, of a single device: XEP-0045 §7.14, §8.2, §9.1, §10.9."""

from client import xml
from client.person import Person
from harness.scene import ComparedScene
from harness.story import check, compared
from stories.devices import UNAVAILABLE


async def neighbour(scene: ComparedScene) -> Person:
    """Somebody on the same host: what has reached them from the room has reached our account as well."""
    return await scene.device("erin", "erin")


@compared("L1", "L3")
async def leave(scene: ComparedScene) -> None:
    """With a status, and then nothing more of the room comes."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.me.leave("off to bed")
    await scene.settle(scene.me, bob)
    await bob.say("gone?")
    await scene.me.drain(scene.room)


@compared("L1")
async def leave_by_the_bare_room(scene: ComparedScene) -> None:
    """A stock room asks for no nick."""
    await scene.owner()
    await scene.me.join(scene.room, "me")
    scene.me.send(f"<presence type='unavailable' id='{scene.me.new_id('leave')}' to='{scene.room}'/>")
    await scene.me.expect(UNAVAILABLE)
    await scene.me.drain(scene.room)


@compared("L1", "J1", "L3")
async def leave_and_join_again(scene: ComparedScene) -> None:
    """At once, without waiting for the answer."""
    await scene.owner()
    await scene.me.join(scene.room, "me")
    scene.me.send_leave()
    await scene.me.join(scene.room, "me")
    await scene.me.say("back")
    await scene.me.drain(scene.room)


@compared("L7", "M3", "P1", "L3")
async def speak_and_leave(scene: ComparedScene) -> None:
    """Before anything is answered: the others hear join, words and leave, however late the room is."""
    await scene.owner()
    carol = await scene.guest("carol")
    join = scene.me.send_join(scene.room, "me")
    scene.me.send_message("to all")
    scene.me.send_message("to carol", to=carol.occupant_jid)
    scene.me.send_message("and to all again")
    leave = scene.me.send_leave("that is all")
    await carol.expect(xml.presence(type="unavailable", sender=scene.me.occupant_jid))
    await scene.settle(scene.me, carol)
    scene.me.own_ids -= {join, leave}  # the room is shown the account's presence, under ids of its own
    scene.recorded = [carol]  # who leaves is answered at once, and not shown the room any more


@compared("K1", "K2", "N13")
async def kick(scene: ComparedScene) -> None:
    """Out with a reason, and may come back."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.kick("me", "too loud")
    removal = await scene.me.expect(UNAVAILABLE)
    check("307" in xml.codes(removal), "the code of a kick")
    await scene.me.drain(scene.room)
    await scene.me.join(scene.room, "me")
    await scene.me.drain(scene.room)


@compared("K1", "K2", "J16")
async def ban(scene: ComparedScene) -> None:
    """Out for good."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.affiliate(scene.me.account, "outcast", "enough")
    removal = await scene.me.expect(UNAVAILABLE)
    check("301" in xml.codes(removal), "the code of a ban")
    check(await scene.me.refused(scene.room, "me") == "forbidden", "no way back")
    await scene.me.drain(scene.room)


@compared("K1", "K2")
async def membership_lost(scene: ComparedScene) -> None:
    """A members-only room ends the membership."""
    bob = await scene.owner()
    await bob.affiliate(scene.me.account, "member")
    await bob.configure(membersonly="1")
    await scene.me.join(scene.room, "me")
    await bob.affiliate(scene.me.account, "none")
    removal = await scene.me.expect(UNAVAILABLE)
    check("321" in xml.codes(removal), "the code of a lost membership")
    await scene.me.drain(scene.room)


@compared("K1", "K2")
async def destroy(scene: ComparedScene) -> None:
    """The room ends."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.destroy("closing time")
    await scene.me.expect(xml.presence(type="unavailable", sender=scene.me.occupant_jid))
    await scene.me.drain(scene.room)


@compared("L5", "M13")
async def resumption(scene: ComparedScene) -> None:
    """The connection is lost and the stream resumed: nothing is missing, nothing comes twice."""
    bob, witness = await scene.owner(), await neighbour(scene)
    await scene.me.join(scene.room, "me")
    await scene.me.drop()
    for number in range(5):
        await bob.say(f"missed {number}")
    await witness.drain(scene.room)
    await scene.me.resume()
    await scene.me.expect(xml.message(body="missed 4"))
    await scene.me.say("here again")
    await scene.me.drain(scene.room)


@compared("L5", "J12", ignored_codes={"100"})
async def resumption_and_rejoin(scene: ComparedScene) -> None:
    """profanity: resumes, and joins again."""
    bob, witness = await scene.owner(), await neighbour(scene)
    await scene.me.join(scene.room, "me")
    await scene.me.drop()
    await bob.say("missed")
    await witness.drain(scene.room)
    await scene.me.resume()
    await scene.me.expect(xml.message(body="missed"))
    await scene.me.join(scene.room, "me", "<history maxstanzas='0'/>")
    await scene.me.drain(scene.room)


@compared("K6")
async def another_is_removed(scene: ComparedScene) -> None:
    """Kick and ban of others are shown, and a later join does not show them."""
    bob = await scene.owner()
    carol = await scene.guest("carol")
    await scene.guest("dave")
    await scene.me.join(scene.room, "me")
    await bob.kick("dave", "too loud")
    await bob.affiliate(carol.account, "outcast", "enough")
    await scene.settle(bob, scene.me)
    await scene.me.leave()
    await scene.settle(scene.me, bob)
    await scene.me.join(scene.room, "me")
    await scene.me.drain(scene.room)
