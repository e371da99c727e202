//! Lets the steps of a story happen.

use minimix_core::event::{Event, SessionId, Verdict};
use minimix_core::xmpp::muc::{NS_MUC, NS_MUC_USER, asks_to_join};
use minimix_core::xmpp::stanza::{Element, IqType, Kind, MessageType, PresenceType, Stanza};

use crate::assertions;
use crate::belief::OwedKind;
use crate::client::{Client, Place};
use crate::stanzas::{ROOM, element, jid, occupant_id, occupant_jid};
use crate::transition::{Babble, Decision, Does, Nick, Show, Story, Transition, Who};
use crate::world::World;

/// Plays a story to its end; with `is_told`, all that happens is written down.
pub(crate) fn play(story: &Story, is_told: bool) {
    let mut world = World::new(story, is_told);
    for step in &story.steps {
        world.tell(|| format!("--- {step:?}"));
        world.step(step);
    }
    world.tell(|| "--- all comes to rest".to_owned());
    world.settle();
    world.tell(|| "--- all ends".to_owned());
    world.end();
}

fn address(nick: Option<&str>) -> minimix_core::xmpp::jid::Jid {
    nick.map_or_else(|| jid(ROOM), occupant_jid)
}

fn show_element(show: Show) -> Option<Element> {
    show.map(|show| element("show", show))
}

impl World {
    fn step(&mut self, step: &Transition) {
        match step {
            Transition::Session(who, does) => self.session(*who, does),
            Transition::Other(nick, does) => {
                let utc = self.utc();
                self.room.other(nick, does, &utc);
                self.room_acted();
            }
            Transition::Room(decision) => self.decide(*decision),
            Transition::RoomHears(count) => (0..*count).for_each(|_| self.room_hears()),
            Transition::AccountHears(count) => (0..*count).for_each(|_| self.account_hears()),
            Transition::AllArrives => self.all_arrives(),
            Transition::Waits(milliseconds) => self.wait(*milliseconds),
            Transition::Settles => self.settle(),
            Transition::StreamLost => self.lose_stream(),
            Transition::Reload => self.reload(),
            Transition::EarlyWake => self.wake_early(),
            Transition::EarlyWakeAndReload => {
                self.wake_early();
                self.reload_at_rest();
            }
        }
    }

    fn decide(&mut self, decision: Decision) {
        let is_joining = self.clients.iter().any(Client::is_joining) || self.up.iter().any(asks_to_join);
        if matches!(decision, Decision::Forget) && is_joining {
            return; // nothing would tell what is left of a join of which a part got lost
        }
        if matches!(decision, Decision::Forget) && self.room.has_account() {
            self.forgotten = true;
            self.lose_answers();
        }
        if matches!(decision, Decision::Rename(_)) && self.unanswered.is_some() {
            return; // which of two renames a self-presence answers nobody can tell
        }
        self.room.decide(decision);
        self.room_acted();
    }

    fn room_acted(&mut self) {
        self.collect();
        self.rest_if_local();
    }

    fn session(&mut self, who: Who, does: &Does) {
        self.connected(who);
        match does {
            Does::Join { nick, show, most, password } => self.join(who, nick, *show, *most, *password),
            Does::Leave { nick } => self.leave(who, *nick),
            Does::Show { nick, show } => self.show(who, *nick, *show),
            Does::Say { with_id } => self.say(who, element("body", "hello"), *with_id),
            Does::Type => {
                let state = Element::build("composing", "http://jabber.org/protocol/chatstates").done();
                self.say(who, state, true);
            }
            Does::SetSubject => self.say(who, element("subject", "our subject"), true),
            Does::Whisper(nick) => {
                let message = self.message(MessageType::Chat, Some(nick)).child(element("body", "psst"));
                self.expect_and_send(who, message);
            }
            Does::Ping(nick) => {
                let own = nick.map(ToOwned::to_owned).or_else(|| self.own_nick(who));
                self.query(who, own.as_deref(), Element::build("ping", "urn:xmpp:ping").done());
            }
            Does::Ask(nick) => self.query(who, *nick, Element::build("query", "jabber:iq:version").done()),
            Does::Probe(nick) => {
                let id = self.fresh_id();
                let probe = Stanza::new(Kind::Presence(PresenceType::Probe)).to(address(*nick));
                self.expect_and_send(who, probe.id(Some(&id)));
            }
            Does::Answer => self.answer(who),
            Does::Quit => self.ends(who, |session| Event::SessionUnavailable { session }, true),
            Does::End => self.ends(who, |session| Event::SessionGone { session }, false),
            Does::Fail => {
                let (to, from) = (jid(&self.clients[who].jid), occupant_jid("bob"));
                let failed = |session| Event::DeliveryFailed {
                    session: Some(session),
                    to: to.clone(),
                    from: from.clone(),
                    stanza: None,
                };
                self.ends(who, failed, false);
                let session = self.clients[who].id;
                self.session_event(Event::SessionGone { session });
            }
            Does::Sleep => self.session_event(Event::Hibernated { session: self.clients[who].id }),
            Does::Wake => self.session_event(Event::Resumed { session: self.clients[who].id }),
            Does::Babble(babble) => self.babble(who, *babble),
        }
    }

    fn own_nick(&self, who: Who) -> Option<String> {
        self.clients[who].view.own.as_ref().map(|(nick, _)| nick.clone()).or(Some("alice".to_owned()))
    }

    fn join(&mut self, who: Who, nick: &str, show: Show, most: Option<usize>, password: bool) {
        let pending = match &self.clients[who].place {
            Place::Joining(join) if !join.may_be_repeated() => return,
            Place::Joining(join) => Some(join.nick.clone()),
            Place::Out | Place::In => None,
        };
        let nick = pending.as_deref().unwrap_or(nick); // nobody changes his mind within a join
        let id = self.fresh_id();
        let mut x = Element::build("x", NS_MUC);
        if let Some(most) = most {
            let history = Element::build("history", NS_MUC).attribute("maxstanzas", &most.to_string());
            x = x.child(history.done());
        }
        if password {
            x = x.child(Element::build("password", NS_MUC).text("sesame").done());
        }
        let join = Stanza::new(Kind::Presence(PresenceType::Available))
            .to(occupant_jid(nick))
            .id(Some(&id))
            .children(show_element(show))
            .child(occupant_id("forged"))
            .child(Element::build("x", NS_MUC_USER).done())
            .child(x.done());
        self.clients[who].asks_to_join(&id, nick, most, &self.known);
        let verdict = self.send(who, join);
        assert_eq!(verdict, Verdict::Handled, "a join is ours");
        let meanwhile = std::mem::take(&mut self.known.meanwhile); // nobody has left after all
        self.clients[who].expected_private.extend(meanwhile);
    }

    fn leave(&mut self, who: Who, nick: Option<Nick>) {
        let id = self.fresh_id();
        let nick = nick.map(ToOwned::to_owned).or_else(|| self.own_nick(who));
        let leave = Stanza::new(Kind::Presence(PresenceType::Unavailable))
            .to(address(nick.as_deref()))
            .id(Some(&id))
            .child(occupant_id("forged"));
        let was_in = self.clients[who].place != Place::Out;
        self.clients[who].expect(&id, OwedKind::Other);
        self.clients[who].goes_out();
        self.send(who, leave);
        assert_eq!(
            self.clients[who].answers_to(&id),
            usize::from(was_in),
            "a leave is answered at once (L1)"
        );
    }

    fn show(&mut self, who: Who, nick: Option<Nick>, show: Show) {
        let id = self.fresh_id();
        let nick = nick.map(ToOwned::to_owned).or_else(|| self.own_nick(who));
        let presence = Stanza::new(Kind::Presence(PresenceType::Available))
            .to(address(nick.as_deref()))
            .id(Some(&id))
            .children(show_element(show))
            .child(occupant_id("forged"));
        if nick.as_ref() == Some(&self.clients[who].view.real_nick) {
            self.clients[who].view.forget_alias(); // whoever addresses it knows it
        }
        let kind = if self.clients[who].place == Place::Out { OwedKind::Other } else { OwedKind::Echo };
        self.clients[who].expect(&id, kind);
        self.send(who, presence);
    }

    fn message(&mut self, message_type: MessageType, nick: Option<&str>) -> Stanza {
        let id = self.fresh_id();
        Stanza::new(Kind::Message(message_type)).to(address(nick)).id(Some(&id))
    }

    fn say(&mut self, who: Who, payload: Element, with_id: bool) {
        let message = self.message(MessageType::Groupchat, None).child(payload);
        if with_id {
            self.expect_and_send(who, message);
        } else {
            self.send(who, message.id(None));
        }
    }

    fn expect_and_send(&mut self, who: Who, message: Stanza) {
        let id = message.id.clone().expect("an id");
        self.clients[who].expect(&id, OwedKind::Other);
        self.send(who, message);
    }

    fn query(&mut self, who: Who, nick: Option<&str>, payload: Element) {
        let id = self.fresh_id();
        let query = Stanza::new(Kind::Iq(IqType::Get)).to(address(nick)).id(Some(&id)).child(payload);
        self.clients[who].expect(&id, OwedKind::Query);
        if matches!(self.send(who, query), Verdict::Pass(_)) {
            self.clients[who].owed.remove(&id);
        }
    }

    fn answer(&mut self, who: Who) {
        for question in std::mem::take(&mut self.clients[who].questions) {
            let mut answer = Stanza::new(Kind::Iq(IqType::Result)).id(question.id.as_deref());
            answer.to.clone_from(&question.from);
            self.send(who, answer);
        }
    }

    fn ends(&mut self, who: Who, event: impl Fn(SessionId) -> Event, stays_connected: bool) {
        let client = &mut self.clients[who];
        client.goes_out();
        client.is_connected = stays_connected;
        let session = client.id;
        self.session_event(event(session));
    }

    fn babble(&mut self, who: Who, babble: Babble) {
        let nick = Some("bob");
        let stanza = match babble {
            Babble::Error => Stanza::new(Kind::Message(MessageType::Error)).to(address(nick)),
            Babble::JoinWithoutNick => Stanza::new(Kind::Presence(PresenceType::Available))
                .to(address(None))
                .child(Element::build("x", NS_MUC).done()),
            Babble::GroupchatToOccupant => {
                let message = self.message(MessageType::Groupchat, nick).child(element("body", "?"));
                return self.expect_and_send(who, message);
            }
            Babble::ResultOfNothing => {
                Stanza::new(Kind::Iq(IqType::Result)).to(address(nick)).id(Some("nothing"))
            }
            Babble::Subscription => Stanza::new(Kind::Presence(PresenceType::Other)).to(address(nick)),
        };
        self.send(who, stanza);
    }

    /// All arrives, every deadline passes but those of trust and of lingering; then all must be in order.
    fn settle(&mut self) {
        self.come_to_rest();
        if self.is_ghost() {
            self.lay_ghost();
        }
        self.people_answer();
        (self.known.waits_from, self.known.waited) = (None, Vec::new());
        assertions::at_rest(self);
    }

    /// Everybody answers what was asked, however late.
    fn people_answer(&mut self) {
        for who in 0..self.clients.len() {
            if self.clients[who].is_connected {
                self.answer(who);
            }
        }
        self.room.people_answer();
        self.all_arrives();
    }

    fn come_to_rest(&mut self) {
        for _ in 0..48 {
            self.all_arrives();
            self.wait(5_000);
        }
        self.all_arrives();
    }

    /// The account is not in, and the core can't know.
    pub(crate) fn is_ghost(&self) -> bool {
        self.forgotten && !self.room.has_account()
    }

    /// A session pings itself when the trust has ended, and the core finds out.
    fn lay_ghost(&mut self) {
        let Some(who) = self.clients.iter().position(|client| client.is_connected && client.is_in()) else {
            return;
        };
        self.wait(16 * 60_000);
        let own = self.own_nick(who);
        self.query(who, own.as_deref(), Element::build("ping", "urn:xmpp:ping").done());
        self.come_to_rest();
        assert!(!self.is_ghost(), "a ghost is not found out (I2)");
    }

    /// All sessions end and nobody comes back: nothing may be left.
    fn end(&mut self) {
        for who in 0..self.clients.len() {
            if self.clients[who].is_connected && self.clients[who].id != SessionId(0) {
                self.ends(who, |session| Event::SessionGone { session }, false);
            }
        }
        self.come_to_rest();
        for _ in 0..6 {
            self.wait(3 * 86_400_000);
            self.all_arrives();
        }
        assertions::nothing_left(self);
    }
}
