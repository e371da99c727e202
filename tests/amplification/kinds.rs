//! What a session may say to rooms, or cause otherwise, again and again.

use minimix_core::event::{Event, SessionId};

use crate::scene::{MALLORY, NS_MUC, ROOMS, Scene, room};

/// One kind of it. Each time it is another number, and so many bytes are received.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    act: fn(&mut Scene, u64) -> u64,
}

impl Kind {
    pub(crate) fn play(&self, scene: &mut Scene, number: u64) -> u64 {
        (self.act)(scene, number)
    }
}

pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "show of one room", act: |scene, number| show(scene, 0, number) },
    Kind { name: "show of all rooms", act: |scene, number| show(scene, number / 2 % ROOMS, number) },
    Kind { name: "show there and back", act: there_and_back },
    Kind { name: "join again", act: |scene, number| join(scene, number % ROOMS, "", "") },
    Kind {
        name: "join again for more history",
        act: |scene, number| join(scene, number % ROOMS, HISTORY, ""),
    },
    Kind {
        name: "join again, away",
        act: |scene, number| join(scene, number % ROOMS, "", "<show>xa</show>"),
    },
    Kind { name: "nick", act: |scene, number| nick(scene, number % ROOMS, number / ROOMS) },
    Kind { name: "nick in one room", act: |scene, number| nick(scene, 0, number) },
    Kind {
        name: "nick by a join",
        act: |scene, number| sends(scene, number, "n2", &format!("<x xmlns='{NS_MUC}'/>")),
    },
    Kind { name: "nicks, then all of oneself", act: nicks_then_much },
    Kind { name: "ping", act: |scene, number| query(scene, number, "/n", "<ping xmlns='urn:xmpp:ping'/>") },
    Kind {
        name: "query of an occupant",
        act: |scene, number| query(scene, number, "/bob", "<q xmlns='v'/>"),
    },
    Kind { name: "query of the room", act: |scene, number| query(scene, number, "", "<q xmlns='v'/>") },
    Kind {
        name: "query of the archive",
        act: |scene, number| query(scene, number, "", "<query xmlns='urn:xmpp:mam:2'/>"),
    },
    Kind { name: "private message", act: |scene, number| message(scene, number, "/bob", "chat") },
    Kind { name: "message", act: |scene, number| message(scene, number, "", "groupchat") },
    Kind { name: "probe", act: |scene, number| of_type(scene, number, "probe") },
    Kind { name: "subscription", act: |scene, number| of_type(scene, number, "subscribe") },
    Kind { name: "error", act: |scene, number| of_type(scene, number, "error") },
    Kind { name: "leave", act: |scene, number| of_type(scene, number, "unavailable") },
    Kind { name: "leave and join", act: leave_and_join },
    Kind { name: "avatar", act: avatar },
    Kind { name: "end and joins", act: end_and_joins },
];

const HISTORY: &str = "<history maxstanzas='1000'/>";

fn sends(scene: &mut Scene, number: u64, nick: &str, payload: &str) -> u64 {
    scene.sends(MALLORY, &format!("<presence to='{}/{nick}'>{payload}</presence>", room(number % ROOMS)))
}

pub(crate) fn show(scene: &mut Scene, room: u64, number: u64) -> u64 {
    sends(scene, room, "n", ["", "<show>xa</show>"][number as usize % 2])
}

fn there_and_back(scene: &mut Scene, number: u64) -> u64 {
    show(scene, number % ROOMS, 1) + show(scene, number % ROOMS, 0)
}

fn join(scene: &mut Scene, room: u64, history: &str, payload: &str) -> u64 {
    sends(scene, room, "n", &format!("<x xmlns='{NS_MUC}'>{history}</x>{payload}"))
}

fn nick(scene: &mut Scene, room: u64, number: u64) -> u64 {
    sends(scene, room, ["a", "b", "c", "n"][number as usize % 4], "<show>xa</show>")
}

fn nicks_then_much(scene: &mut Scene, number: u64) -> u64 {
    let nicks: u64 = (0..50).map(|nth| sends(scene, number, &format!("a{nth}"), "")).sum();
    nicks + sends(scene, number, "a49", &format!("<status>{}</status>", "s".repeat(8_000)))
}

fn query(scene: &mut Scene, number: u64, to: &str, query: &str) -> u64 {
    let address = format!("{}{to}", room(number % ROOMS));
    scene.sends(MALLORY, &format!("<iq type='get' to='{address}' id='{}'>{query}</iq>", number % 1_000))
}

fn message(scene: &mut Scene, number: u64, to: &str, message_type: &str) -> u64 {
    let address = format!("{}{to}", room(number % ROOMS));
    scene.sends(MALLORY, &format!("<message type='{message_type}' to='{address}'><body>a</body></message>"))
}

fn of_type(scene: &mut Scene, number: u64, presence_type: &str) -> u64 {
    scene.sends(MALLORY, &format!("<presence type='{presence_type}' to='{}/n'/>", room(number % ROOMS)))
}

fn leave_and_join(scene: &mut Scene, number: u64) -> u64 {
    of_type(scene, number, "unavailable") + join(scene, number % ROOMS, "", "")
}

fn avatar(scene: &mut Scene, number: u64) -> u64 {
    scene.is_told_to_all(new_avatar(number), 300)
}

fn end_and_joins(scene: &mut Scene, _: u64) -> u64 {
    let end = scene.is_told_to_all(end(), 16);
    end + (0..ROOMS).map(|number| join(scene, number, "", "")).sum::<u64>()
}

/// The account has another avatar.
pub(crate) fn new_avatar(number: u64) -> Event {
    Event::AvatarPublished { account: Scene::account(), hash: format!("{number:040x}") }
}

/// The session ends, and another stands for the account.
pub(crate) fn end() -> Event {
    Event::SessionGone { session: SessionId(MALLORY) }
}
