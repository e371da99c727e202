//! Stanzas that no room and no client would send, in any order: the core decides something, and nothing breaks.

use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::xmpp::muc::{NS_MUC, NS_MUC_USER, status_element};
use minimix_core::xmpp::stanza::{
    Element, IqType, Kind, MessageType, NS_CLIENT, NS_STANZAS, PresenceType, Stanza,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;

use crate::assertions;
use crate::stanzas::{ACCOUNT, ROOM, jid};

/// Something that happens, with whatever in it.
#[derive(Clone, Debug)]
pub(crate) enum Hostile {
    Session(u32, Stanza),
    Room(Stanza),
    /// The room repeats an id of ours.
    Echo(Stanza),
    Ends(u32, bool),
    Waits(u64),
    Reload,
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Hostile>> {
    let step = prop_oneof![
        8 => (1..4_u32, stanza()).prop_map(|(session, stanza)| Hostile::Session(session, stanza)),
        8 => stanza().prop_map(Hostile::Room),
        6 => stanza().prop_map(Hostile::Echo),
        1 => (1..4_u32, any::<bool>()).prop_map(|(session, gone)| Hostile::Ends(session, gone)),
        2 => (0..100_000_u64).prop_map(Hostile::Waits),
        1 => any::<bool>().prop_map(|_| Hostile::Reload),
    ];
    vec(step, 1..most)
}

fn stanza() -> impl Strategy<Value = Stanza> {
    let nick = select(vec!["", "/alice", "/bob", "/", "/a/b", "/x\u{1}"]);
    let id = option::of(select(vec!["", "one", "two"]));
    (kind(), nick, id, vec(child(), 0..4)).prop_map(|(kind, nick, id, children)| {
        Stanza::new(kind).to(jid(&format!("{ROOM}{nick}"))).id(id).children(children)
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    use {IqType as I, MessageType as M, PresenceType as P};
    let presences = [P::Available, P::Available, P::Unavailable, P::Probe, P::Error, P::Other];
    let messages = [M::Groupchat, M::Chat, M::Normal, M::Error];
    let queries = [I::Get, I::Set, I::Result, I::Error];
    let kinds = presences.map(Kind::Presence).into_iter().chain(messages.map(Kind::Message));
    select(kinds.chain(queries.map(Kind::Iq)).collect::<Vec<_>>())
}

fn child() -> impl Strategy<Value = Element> {
    let codes = select(vec![0, 100, 101, 110, 170, 172, 173, 201, 210, 301, 303, 307, 321, 332, 333, 999]);
    let item =
        option::of((option::of(select(vec!["alice", "bob", ""])), option::of(select(vec![ACCOUNT, "?"]))));
    let x = (vec(codes, 0..4), item).prop_map(|(codes, item)| {
        let mut x = Element::build("x", NS_MUC_USER);
        if let Some((nick, real)) = item {
            let mut element = Element::build("item", NS_MUC_USER).done();
            element.set_attribute("nick", nick);
            element.set_attribute("jid", real);
            x = x.child(element);
        }
        codes.into_iter().fold(x, |x, code| x.child(status_element(code))).done()
    });
    let history = option::of(select(vec!["-1", "0", "99999999999999999999", "x"])).prop_map(|most| {
        let mut history = Element::build("history", NS_MUC).done();
        history.set_attribute("maxstanzas", most);
        history.set_attribute("seconds", most);
        history.set_attribute("since", most);
        Element::build("x", NS_MUC).child(history).done()
    });
    let delay = select(vec!["", "2026-01-01T00:00:00Z", "-9999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
        .prop_map(|stamp| {
            Element::build("delay", "urn:xmpp:delay").attribute("from", ROOM).attribute("stamp", stamp).done()
        });
    let plain = select(vec![
        ("body", NS_CLIENT),
        ("subject", NS_CLIENT),
        ("show", NS_CLIENT),
        ("thread", NS_CLIENT),
        ("ping", "urn:xmpp:ping"),
        ("query", "jabber:iq:version"),
        ("captcha", "urn:xmpp:captcha"),
        ("muji", "urn:xmpp:jingle:muji:0"),
        ("x", NS_MUC),
    ])
    .prop_map(|(name, namespace)| Element::build(name, namespace).text("text").done());
    let error = select(vec!["conflict", "not-acceptable", "item-not-found", "jid-malformed", "forbidden"])
        .prop_map(|name| {
            let condition = Element::build(name, NS_STANZAS).done();
            Element::build("error", NS_CLIENT).child(condition).done()
        });
    prop_oneof![4 => x, 2 => history, 1 => delay, 4 => plain, 1 => error]
}

/// Plays it; whatever goes to the room is checked, and the core must sleep.
pub(crate) fn play(steps: &[Hostile]) {
    let mut core =
        Core { bouncer: Bouncer::new(Config::default(), 1), now_ms: 0, wake_at: None, last_id: None };
    for step in steps {
        core.step(step);
    }
    core.wait(1_000_000);
}

struct Core {
    bouncer: Bouncer,
    now_ms: u64,
    wake_at: Option<u64>,
    /// The id of what was sent to the room last.
    last_id: Option<Box<str>>,
}

impl Core {
    fn step(&mut self, step: &Hostile) {
        match step.clone() {
            Hostile::Session(session, stanza) => {
                let stanza = stanza.from(jid(&format!("{ACCOUNT}/d{session}")));
                self.happen(Event::ClientStanza { session: SessionId(session), stanza });
            }
            Hostile::Room(stanza) => self.room_says(stanza),
            Hostile::Echo(stanza) => {
                let id = self.last_id.clone();
                self.room_says(stanza.id(id.as_deref()));
            }
            Hostile::Ends(session, true) => self.happen(Event::SessionGone { session: SessionId(session) }),
            Hostile::Ends(session, false) => {
                self.happen(Event::SessionUnavailable { session: SessionId(session) });
            }
            Hostile::Waits(milliseconds) => self.wait(milliseconds),
            Hostile::Reload => {
                let snapshot = self.bouncer.snapshot().expect("a snapshot");
                self.bouncer = Bouncer::restore(Config::default(), 2, &snapshot).expect("a core");
                assert_eq!(self.bouncer.snapshot().as_ref(), Ok(&snapshot), "a reload changes the state");
                self.happen(Event::DeadlineReached);
            }
        }
    }

    fn room_says(&mut self, mut stanza: Stanza) {
        stanza.from = stanza.to.take();
        self.happen(Event::RoomStanza { stanza: stanza.to(jid(ACCOUNT)) });
    }

    fn happen(&mut self, event: Event) {
        let utc_ms = i64::try_from(self.now_ms).expect("a short story");
        let outcome = self.bouncer.handle(Now { monotonic_ms: self.now_ms, utc_ms }, event);
        self.wake_at = outcome.wake_at;
        for action in outcome.actions {
            if let Action::Send { stanza } = action {
                assertions::sent(&stanza);
                self.last_id.clone_from(&stanza.id);
            }
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        let until_ms = self.now_ms + milliseconds;
        let mut idle = 0;
        while let Some(wake_at) = self.wake_at.filter(|wake_at| *wake_at <= until_ms) {
            idle = if wake_at > self.now_ms { 0 } else { idle + 1 };
            assert!(idle < 200, "the core never sleeps");
            self.now_ms = self.now_ms.max(wake_at);
            self.happen(Event::DeadlineReached);
        }
        self.now_ms = until_ms;
    }
}
