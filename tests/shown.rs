//! In whose name the other modules of the host are shown what comes from a room (F29, F34).

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Event, Now, SessionId, ShownFor};
use minimix_core::xmpp::jid::{BareJid, Jid};
use minimix_core::xmpp::stanza::Stanza;

const PHONE: SessionId = SessionId(1);
const DESK: SessionId = SessionId(2);
const ACCOUNT: &str = "alice@example.org";
const ROOM: &str = "lounge@rooms.example";
const JOIN: &str = "<presence id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>";
const SUBJECT: &str = "<message type='groupchat'><subject/></message>";

const GROUPCHAT: &str = "<message type='groupchat'><body>hi</body></message>";
const WHISPER: &str = "<message type='chat'><body>psst</body></message>";
const INVITATION: &str =
    "<message><x xmlns='http://jabber.org/protocol/muc#user'><invite from='b@b'/></x></message>";
const DECLINE: &str =
    "<message><x xmlns='http://jabber.org/protocol/muc#user'><decline from='b@b'/></x></message>";
const QUESTION: &str = "<iq type='get' id='q'><query xmlns='jabber:iq:version'/></iq>";

fn own(of_type: &str) -> String {
    format!(
        "<presence {of_type}><x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='none' role='participant'/><status code='110'/></x></presence>"
    )
}

struct Core(Bouncer);

impl Core {
    fn new() -> Self {
        Self(Bouncer::new(Config::default(), 1))
    }

    /// An account in a room, with two sessions; the first is its representative.
    fn in_room() -> Self {
        let mut core = Self::new();
        core.joins(PHONE);
        core.comes(&own(""), "alice");
        core.comes(SUBJECT, "");
        core.joins(DESK);
        core
    }

    fn happens(&mut self, event: Event) {
        self.0.handle(Now { monotonic_ms: 0, utc_ms: 0 }, event);
    }

    fn joins(&mut self, session: SessionId) {
        let jid = Jid::new(&format!("{ACCOUNT}/{}", session.0));
        let stanza = read(JOIN).from(jid).to(Jid::new(&format!("{ROOM}/alice")));
        self.happens(Event::ClientStanza { session, stanza });
    }

    fn comes(&mut self, xml: &str, nick: &str) {
        let stanza = read(xml).from(Jid::new(&occupant(nick))).to(Jid::new(ACCOUNT));
        self.happens(Event::RoomStanza { stanza });
    }

    fn shown_for(&self, xml: &str, nick: &str) -> Option<ShownFor> {
        let from = occupant(nick);
        let stanza = read(xml).from(Jid::new(&from)).to(Jid::new(ACCOUNT));
        self.0.shown_for([ACCOUNT, &from], stanza.kind, || Some(stanza))
    }
}

fn read(xml: &str) -> Stanza {
    Stanza::from_xml(xml).unwrap()
}

fn occupant(nick: &str) -> String {
    if nick.is_empty() { ROOM.to_owned() } else { format!("{ROOM}/{nick}") }
}

#[test]
fn what_is_for_all_is_shown_for_the_representative() {
    let core = Core::in_room();
    for xml in [GROUPCHAT, SUBJECT, WHISPER, "<presence/>", "<presence type='unavailable'/>", QUESTION] {
        assert_eq!(core.shown_for(xml, "bob"), Some(ShownFor::Session(PHONE)), "{xml}");
    }
    assert_eq!(core.shown_for(GROUPCHAT, "alice"), Some(ShownFor::Session(PHONE)), "own reflection");
    assert_eq!(core.shown_for("<message><body>notice</body></message>", ""), Some(ShownFor::Session(PHONE)));
    assert_eq!(core.shown_for(DECLINE, ""), Some(ShownFor::Session(PHONE)));
}

#[test]
fn a_question_is_shown_for_the_session_that_is_asked() {
    let mut core = Core::in_room();
    let file = read("<iq type='set' id='f'><si xmlns='http://jabber.org/protocol/si' id='f1'/></iq>");
    let from = Jid::new(&format!("{ACCOUNT}/{}", DESK.0));
    let stanza = file.from(from).to(Jid::new(&occupant("bob")));
    core.happens(Event::ClientStanza { session: DESK, stanza });
    let stream = "<iq type='set' id='s'><open xmlns='http://jabber.org/protocol/ibb' sid='f1'/></iq>";
    assert_eq!(core.shown_for(stream, "bob"), Some(ShownFor::Session(DESK)));
    assert_eq!(core.shown_for(stream, "eve"), Some(ShownFor::Session(PHONE)));
}

#[test]
fn what_is_for_one_session_is_taken_in_at_once() {
    let core = Core::in_room();
    let replies =
        ["<message type='error'/>", "<presence type='error'/>", "<iq type='result'/>", "<iq type='error'/>"];
    for xml in replies {
        assert_eq!(core.shown_for(xml, "bob"), Some(ShownFor::Nobody), "{xml}");
    }
    for xml in [own(""), own("type='unavailable'")] {
        assert_eq!(core.shown_for(&xml, "alice"), Some(ShownFor::Nobody));
    }
}

#[test]
fn what_goes_to_a_bare_jid_on_a_stock_host_goes_on_as_it_came() {
    let core = Core::in_room();
    let notice = "<message><x xmlns='http://jabber.org/protocol/muc#user'><status code='101'/></x></message>";
    for xml in [INVITATION, notice, "<iq type='get' id='q'><vCard xmlns='vcard-temp'/></iq>"] {
        assert_eq!(core.shown_for(xml, ""), Some(ShownFor::Nobody), "{xml}");
    }
    for xml in ["<presence type='subscribe'/>", "<presence type='probe'/>"] {
        assert_eq!(core.shown_for(xml, "bob"), None, "{xml}");
    }
}

#[test]
fn a_room_of_nobody_is_not_ours() {
    assert_eq!(Core::new().shown_for(GROUPCHAT, "bob"), None);
}

#[test]
fn while_the_account_joins_its_presence_may_have_another_nick() {
    let mut core = Core::new();
    core.joins(PHONE);
    assert_eq!(core.shown_for("<presence/>", "bob"), Some(ShownFor::Session(PHONE)));
    assert_eq!(core.shown_for(&own(""), "alice2"), Some(ShownFor::Nobody));
    assert_eq!(core.shown_for(GROUPCHAT, "bob"), Some(ShownFor::Session(PHONE)), "history");
    assert_eq!(
        core.shown_for(QUESTION, "bob"),
        Some(ShownFor::Session(PHONE)),
        "which answers when it is in"
    );
}

#[test]
fn with_nobody_attached_only_a_private_message_is_shown_for_who_was_the_last() {
    let mut core = Core::in_room();
    core.happens(Event::SessionGone { session: PHONE });
    assert_eq!(core.shown_for(WHISPER, "bob"), Some(ShownFor::Session(DESK)));
    core.happens(Event::SessionGone { session: DESK });
    assert_eq!(core.shown_for(WHISPER, "bob"), Some(ShownFor::Absent));
    assert_eq!(core.0.last_stand_in(ACCOUNT, &occupant("bob")).as_deref(), Some("alice@example.org/2"));
    for xml in [GROUPCHAT, QUESTION, "<presence/>"] {
        assert_eq!(core.shown_for(xml, "bob"), Some(ShownFor::Nobody), "{xml}");
    }
    assert_eq!(core.shown_for(DECLINE, ""), Some(ShownFor::Nobody), "Prosody's, with nobody there");
}

#[test]
fn nobody_is_shown_what_blocked_occupants_send() {
    let mut core = Core::in_room();
    let blocked = vec![Jid::new(&occupant("eve"))];
    core.happens(Event::BlockListChanged { account: BareJid::new(ACCOUNT), blocked });
    for xml in [GROUPCHAT, WHISPER, "<presence/>", QUESTION] {
        assert_eq!(core.shown_for(xml, "eve"), Some(ShownFor::Nobody), "{xml}");
        assert_eq!(core.shown_for(xml, "bob"), Some(ShownFor::Session(PHONE)), "{xml}");
    }
    assert!(core.0.blocks(ACCOUNT, &occupant("eve")));
}
