//! Calls that come with nearly every stanza: functions that Lua calls without a detour. Each asks the core
//! first whether it wants the stanza, and only then reads it.

use std::os::raw::c_int;
use std::rc::Rc;

use mlua::{Lua, Result, Table};

use super::answer::{Answer, Report};
use super::clock::now;
use super::host::Host;
use super::raw::{Found, Frame, function};
use super::read;
use crate::bouncer::Bouncer;
use crate::event::{Action, Event, InLog, Outcome, SessionId, ShownFor, Verdict};
use crate::push::Ruling;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::stanza::{Kept, Kind, Stanza};

/// A function that is told about a stanza, or asked.
type Call = fn(&Host, &mut Frame<'_>);

/// Adds the functions to a host's table.
pub(super) fn add_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    let calls: [(&str, Call); 14] = [
        ("client_stanza", client_stanza),
        ("room_stanza", |host, frame| room_stanza(host, frame, false)),
        ("stanza_to_session", |host, frame| room_stanza(host, frame, true)),
        ("message_shown_for", |host, frame| shown_for(host, frame, "message")),
        ("presence_shown_for", |host, frame| shown_for(host, frame, "presence")),
        ("iq_shown_for", |host, frame| shown_for(host, frame, "iq")),
        ("watches", watches),
        ("delivery_failed", delivery_failed),
        ("occupies", |host, frame| {
            let occupies = asks(host, frame, Bouncer::occupies);
            frame.give_flag(occupies);
        }),
        ("is_ourselves", |host, frame| {
            let is_ourselves = asks(host, frame, Bouncer::is_ourselves);
            frame.give_flag(is_ourselves);
        }),
        ("blocks_sender", |host, frame| {
            let blocks = asks(host, frame, Bouncer::blocks);
            frame.give_flag(blocks);
        }),
        ("push_ruling", push_ruling),
        ("logged", logged),
        ("copy", copy),
    ];
    for (name, call) in calls {
        table.raw_set(name, function(lua, Rc::clone(host), call)?)?;
    }
    Ok(())
}

/// Where functions that take a stanza of a room have the table for its receivers; the others have none there.
const RECEIVERS: c_int = 4;

/// The core takes it in at once, before anybody is shown it.
const NOBODY: i64 = 0;
/// It is shown in the name of a session that is not there.
const ABSENT: i64 = -1;

/// A question that the addresses of a room's stanza answer: the account or session, and who sends.
type Question = fn(&Bouncer, &str, &str) -> bool;

/// The session's number, its account, to whom, whether it asks to join, the stanza.
fn client_stanza(host: &Host, frame: &mut Frame<'_>) {
    let (Some(account), Some(to)) = (frame.text(2), frame.text(3)) else { return };
    let joins = frame.flag(4);
    let Some(session) = session(frame, 1) else { return };
    let stanza = frame.argument(5);
    let answer = if joins {
        Some(taken_in(host, stanza, |stanza| Event::ClientStanza { session, stanza }))
    } else {
        host.decides(|bouncer| {
            bouncer.client_stanza(session, [account, to], || Ok((now(), read::stanza(stanza)?)))
        })
    };
    if let Some(answer) = answer {
        give(host, frame, answer);
    }
}

/// The account, who sends, the stanza, and a table for the receivers; whether it is for a session of the account.
fn room_stanza(host: &Host, frame: &mut Frame<'_>, to_session: bool) {
    let (Some(account), Some(from)) = (frame.text(1), frame.text(2)) else { return };
    let stanza = frame.argument(3);
    let decide = |bouncer: &mut Bouncer| {
        bouncer.room_stanza([account, from], to_session, || Ok((now(), read::stanza(stanza)?)))
    };
    if let Some(answer) = host.decides(decide) {
        give(host, frame, answer);
    }
}

/// The account, who sends, the stanza's type, and the stanza. Gives nothing if it is not ours, else the number of the
/// session in whose name it is to be shown, [`NOBODY`] or [`ABSENT`].
fn shown_for(host: &Host, frame: &mut Frame<'_>, name: &str) {
    let (Some(account), Some(from)) = (frame.text(1), frame.text(2)) else { return };
    let Some(kind) = Kind::read(name, frame.text(3)) else { return };
    let bouncer = host.bouncer.borrow();
    let read = || read::stanza(frame.argument(4)).ok();
    let shown_for = bouncer.shown_for([account, from], kind, read);
    if let Some(shown_for) = shown_for {
        frame.give_number(match shown_for {
            ShownFor::Nobody => NOBODY,
            ShownFor::Session(session) => session.0.into(),
            ShownFor::Absent => ABSENT,
        });
    }
}

/// The session's number, its account, a service, and whether the session watches it.
fn watches(host: &Host, frame: &mut Frame<'_>) {
    let (Some(account), Some(service)) = (frame.text(2), frame.text(3)) else { return };
    let (account, service, watches) = (BareJid::new(account), BareJid::new(service), frame.flag(4));
    let Some(session) = session(frame, 1) else { return };
    let answer = host.happened(Event::WatchChanged { session, account, service, watches });
    give(host, frame, answer);
}

/// The session's number if it is known, its account, to whom and from whom it was, the stanza if it is there.
fn delivery_failed(host: &Host, frame: &mut Frame<'_>) {
    let (Some(account), Some(to), Some(from)) = (frame.text(2), frame.text(3), frame.text(4)) else { return };
    if !host.bouncer.borrow().concerns(account, from) {
        return;
    }
    let (session, to, from) = (session(frame, 1), Jid::new(to), Jid::new(from));
    let stanza = read::stanza(frame.argument(5)).ok();
    let answer = host.happened(Event::DeliveryFailed { session, to, from, stanza });
    give(host, frame, answer);
}

/// The account, who sends, the stanza. Gives nothing if it is not ours, else whether a push service may be told of it:
/// false, or a number that tells it from others.
fn push_ruling(host: &Host, frame: &mut Frame<'_>) {
    let (Some(account), Some(from)) = (frame.text(1), frame.text(2)) else { return };
    let stanza = frame.argument(3);
    let bouncer = host.bouncer.borrow();
    let read = || read::stanza(stanza).map(|stanza| (now(), stanza));
    match bouncer.push_ruling([account, from], read) {
        None => {}
        Some(Ok(Ruling::Push(print))) => frame.give_number(print.cast_signed()),
        Some(Ok(Ruling::Silence) | Err(_)) => frame.give_flag(false),
    }
}

/// The account, the room, the id of the order to read its log, the id of the message, when it was received and when it was
/// said, the message.
fn logged(host: &Host, frame: &mut Frame<'_>) {
    let (Some(account), Some(room), Some(id)) = (frame.text(1), frame.text(2), frame.text(3)) else { return };
    let (Some(its_id), Some(at_ms)) = (frame.text(4), frame.number(5)) else { return };
    let (account, room, id) = (BareJid::new(account), BareJid::new(room), id.to_owned());
    let (its_id, said_ms) = (its_id.to_owned(), frame.number(6));
    let answer = taken_in(host, frame.argument(7), |stanza| {
        let found = InLog::Message { id: its_id, at_ms, said_ms, stanza };
        Event::LogRead { account, room, id, found }
    });
    give(host, frame, answer);
}

/// Gives a stanza back as the core would deliver it.
fn copy(host: &Host, frame: &mut Frame<'_>) {
    let report = match read::stanza(frame.argument(1)) {
        Ok(stanza) => {
            let actions = vec![Action::Deliver { session: SessionId(0), stanza: Kept::own(stanza) }];
            let outcome = Outcome { verdict: Verdict::Handled, actions, wake_at: None };
            Report::Decided { outcome, wake_in: None, log: Vec::new() }
        }
        Err(why) => Report::Unreadable(why),
    };
    give(host, frame, Answer::Report(report));
}

fn asks(host: &Host, frame: &Frame<'_>, question: Question) -> bool {
    let (Some(account), Some(from)) = (frame.text(1), frame.text(2)) else { return false };
    question(&host.bouncer.borrow(), account, from)
}

fn taken_in(host: &Host, argument: Found<'_>, event: impl FnOnce(Stanza) -> Event) -> Answer {
    match read::stanza(argument) {
        Ok(stanza) => host.happened(event(stanza)),
        Err(why) => Answer::Report(Report::Unreadable(why)),
    }
}

fn give(host: &Host, frame: &mut Frame<'_>, answer: Answer) {
    if let Some(report) = answer.give(frame, RECEIVERS) {
        host.keep(report);
    }
}

fn session(frame: &Frame<'_>, position: c_int) -> Option<SessionId> {
    frame.number(position).and_then(|number| u32::try_from(number).ok()).map(SessionId)
}
