//! What holds in every cell, whatever the table says.

use std::collections::BTreeSet;

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::{MucUser, NS_MUC_USER, asks_to_join, status};
use minimix_core::xmpp::stanza::{IqType, Kind, MessageType, PresenceType, Stanza};

use crate::room::number;
use crate::shorthand::ACCOUNT;
use crate::stage::{Trace, expects_answer};

/// Who is in the room as far as sessions have been told.
#[derive(Default)]
struct Known {
    /// The sessions that have asked to join, and have not gone since.
    shown: BTreeSet<u32>,
    /// The sessions that have joined by themselves.
    by_themselves: BTreeSet<u32>,
    /// Whether the account has sent anything but a query.
    was_in: bool,
}

impl Known {
    fn note(&mut self, trace: &Trace) {
        match trace {
            Trace::Said(session, said) if joins(said) => {
                self.shown.insert(*session);
            }
            Trace::Said(session, said) if said.kind == Kind::Presence(PresenceType::Unavailable) => {
                self.shown.remove(session);
            }
            Trace::Passed(join) if joins(join) => {
                self.by_themselves.extend(join.from.as_ref().and_then(number));
            }
            Trace::Ended(session) if !self.by_themselves.contains(session) => {
                self.shown.remove(session);
            }
            Trace::Got(session, got) if tells_out(got) && !is_for_session(got) => {
                self.shown.remove(session);
            }
            Trace::Relayed(sessions, got) if tells_out(got) => {
                self.shown.retain(|session| !sessions.contains(session));
            }
            Trace::Sent(sent) => self.was_in |= !matches!(sent.kind, Kind::Iq(_)),
            _ => {}
        }
    }
}

/// What does not hold in all that happened from the beginning to the end of a cell.
pub(crate) fn faults(traces: &[Trace]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known = Known::default();
    for (position, trace) in traces.iter().enumerate() {
        let (before, after) = (&traces[..position], &traces[position + 1..]);
        match trace {
            Trace::Forwarded(stanza) | Trace::Sent(stanza) => faults.extend(fault_of_sent(stanza)),
            Trace::Passed(stanza) => faults.extend(fault_of_passed(stanza, &known)),
            Trace::Got(session, stanza) => faults.extend(fault_of_got(*session, stanza, before, &known)),
            Trace::Relayed(sessions, stanza) => {
                let fault = |session: &u32| fault_of_got(*session, stanza, before, &known);
                faults.extend(sessions.iter().filter_map(fault));
            }
            Trace::Mirrored(sessions) => {
                let outside = sessions.iter().filter(|session| !known.shown.contains(session));
                faults.extend(outside.map(|session| format!("D{session} gets a carbon outside")));
            }
            Trace::Said(session, stanza) => {
                faults.extend(fault_of_answers(*session, stanza, after));
                faults.extend(fault_of_message(*session, stanza, after));
                faults.extend(fault_of_leave(*session, stanza, after, &known));
            }
            Trace::Heard(stanza) => faults.extend(fault_of_question(stanza, after)),
            Trace::Stored | Trace::Ended(_) => {}
        }
        known.note(trace);
    }
    faults
}

fn is_error(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error))
}

/// No error goes to the room, and nothing that only a room may say (M7, N9, R6).
fn fault_of_sent(stanza: &Stanza) -> Option<String> {
    let is_foreign = stanza.from.as_ref().map(Jid::bare) != Some(ACCOUNT);
    let is_of_account = stanza.from.as_ref().is_some_and(|from| from.resource().is_none());
    let shows = matches!(stanza.kind, Kind::Presence(PresenceType::Available | PresenceType::Unavailable));
    let is_of_room = is_of_account && shows && stanza.has("x", NS_MUC_USER);
    (is_error(stanza) || is_foreign || is_of_room).then(|| format!("this goes up: {}", stanza.to_xml()))
}

/// Every message goes up once, or is refused once.
fn fault_of_message(session: u32, said: &Stanza, after: &[Trace]) -> Option<String> {
    let is_message = matches!(said.kind, Kind::Message(kind) if kind != MessageType::Error);
    let id = said.id.as_deref().filter(|_| is_message)?;
    let goes_up = |stanza: &Stanza| stanza.id.as_deref() == Some(id) && stanza.children == said.children;
    let ups = after.iter().filter(|trace| match trace {
        Trace::Forwarded(stanza) | Trace::Sent(stanza) => goes_up(stanza),
        Trace::Passed(stanza) => stanza == said,
        _ => false,
    });
    let refusals = after.iter().filter(|trace| match trace {
        Trace::Got(receiver, got) => *receiver == session && is_error(got) && got.id.as_deref() == Some(id),
        _ => false,
    });
    let (ups, refusals) = (ups.count(), refusals.count());
    let ends = after.iter().any(|trace| matches!(trace, Trace::Ended(sender) if *sender == session));
    let is_right = ups == 1 || ups == 0 && (refusals == 1 || ends);
    let told = || {
        format!("D{session} is answered {refusals} times, and this goes up {ups} times: {}", said.to_xml())
    };
    (!is_right).then(told)
}

/// A leave of a session that is in, or waits to be, is answered at once (L1).
fn fault_of_leave(session: u32, said: &Stanza, after: &[Trace], known: &Known) -> Option<String> {
    let leaves = said.kind == Kind::Presence(PresenceType::Unavailable) && known.shown.contains(&session);
    let id = said.id.as_deref().filter(|_| leaves)?;
    let is_answered = after.iter().any(|trace| match trace {
        Trace::Got(receiver, got) => *receiver == session && tells_out(got) && got.id.as_deref() == Some(id),
        Trace::Passed(passed) => passed == said,
        _ => false,
    });
    (!is_answered).then(|| format!("D{session} is answered 0 times: {}", said.to_xml()))
}

/// No query of the room is answered twice. (Sessions answer none here, and who is out cannot.)
fn fault_of_question(question: &Stanza, after: &[Trace]) -> Option<String> {
    let asks = matches!(question.kind, Kind::Iq(IqType::Get | IqType::Set));
    let id = question.id.as_deref().filter(|_| asks)?;
    let answers = after.iter().filter(|trace| match trace {
        Trace::Passed(passed) => passed == question,
        Trace::Sent(sent) | Trace::Forwarded(sent) => {
            matches!(sent.kind, Kind::Iq(IqType::Result | IqType::Error)) && sent.id.as_deref() == Some(id)
        }
        _ => false,
    });
    let answers = answers.count();
    (answers > 1).then(|| format!("the room is answered {answers} times: {}", question.to_xml()))
}

/// Of what a room says Prosody gets what is for the account, and nothing by accident (contract, 3).
fn fault_of_passed(stanza: &Stanza, known: &Known) -> Option<String> {
    let is_of_session = stanza.from.as_ref().is_some_and(|from| from.bare() == ACCOUNT);
    let occupant = MucUser::read(stanza);
    let is_chosen = match stanza.kind {
        Kind::Message(_) => {
            stanza.sender_nick().is_none() && (occupant.invites || occupant.has(status::AFFILIATION_CHANGED))
        }
        Kind::Iq(IqType::Get | IqType::Set) | Kind::Presence(PresenceType::Other) => true,
        Kind::Iq(_) | Kind::Presence(_) => false,
    };
    let session = stanza.from.as_ref().and_then(number);
    let by_itself = session.is_some_and(|session| known.by_themselves.contains(&session));
    let may_pass =
        if is_of_session { by_itself || !is_error(stanza) } else { is_chosen || is_for_session(stanza) };
    (known.was_in && !may_pass).then(|| format!("this passes: {}", stanza.to_xml()))
}

/// Nobody outside gets anything but answers (M6).
fn fault_of_got(session: u32, stanza: &Stanza, before: &[Trace], known: &Known) -> Option<String> {
    if is_for_session(stanza) || known.shown.contains(&session) {
        return None;
    }
    let is_answer = before.iter().any(|trace| match trace {
        Trace::Said(sender, said) => *sender == session && (said.id == stanza.id || said.id.is_none()),
        _ => false,
    });
    (!is_answer).then(|| format!("D{session} gets outside: {}", stanza.to_xml()))
}

/// Whether a stanza of the room is addressed to a session.
fn is_for_session(stanza: &Stanza) -> bool {
    stanza.to.as_ref().is_some_and(|to| to.resource().is_some())
}

fn joins(stanza: &Stanza) -> bool {
    asks_to_join(stanza) && stanza.target_nick().is_some()
}

/// Every query is answered once. Every join and presence is answered once, unless its session goes, or is told
/// that it is out.
fn fault_of_answers(session: u32, said: &Stanza, after: &[Trace]) -> Option<String> {
    let id = said.id.as_deref().filter(|_| expects_answer(said))?;
    let of_session = |sender: &u32| *sender == session;
    let passes = after.iter().any(|trace| match trace {
        Trace::Passed(sent) | Trace::Sent(sent) => sent.from == said.from && sent.id == said.id, // as its own
        _ => false,
    });
    let ends = after.iter().any(|trace| matches!(trace, Trace::Ended(sender) if of_session(sender)));
    let leaves = after.iter().any(|trace| match trace {
        Trace::Said(sender, other) => {
            of_session(sender) && other.kind == Kind::Presence(PresenceType::Unavailable)
        }
        _ => false,
    });
    let may_lack = if matches!(said.kind, Kind::Iq(_)) {
        passes || ends
    } else {
        passes || ends || leaves || asks_again(session, said, after) || is_told_out(session, after)
    };
    let answers = answers(session, id, said, after);
    let is_right = answers == 1 || answers == 0 && may_lack;
    (!is_right).then(|| format!("D{session} is answered {answers} times: {}", said.to_xml()))
}

/// The answers under that id: a reflection of a message is none, nor is the 303 of a nick change.
fn answers(session: u32, id: &str, said: &Stanza, after: &[Trace]) -> usize {
    let is_answer = |got: &Stanza| {
        let is_of_kind = match said.kind {
            Kind::Iq(_) => matches!(got.kind, Kind::Iq(IqType::Result | IqType::Error)),
            _ => matches!(got.kind, Kind::Presence(_)) && !MucUser::read(got).has(status::NICK_CHANGE),
        };
        is_of_kind && got.id.as_deref() == Some(id)
    };
    let got = after.iter().filter(|trace| match trace {
        Trace::Got(receiver, got) => *receiver == session && is_answer(got),
        Trace::Relayed(sessions, got) => sessions.contains(&session) && is_answer(got),
        _ => false,
    });
    got.count()
}

/// Whether the session asks once more for the same before it is answered: then only that is answered (J12).
fn asks_again(session: u32, said: &Stanza, after: &[Trace]) -> bool {
    asks_to_join(said)
        && after.iter().any(|trace| match trace {
            Trace::Said(sender, other) => *sender == session && asks_to_join(other) && other.to == said.to,
            _ => false,
        })
}

/// Whether the session is told that it is out, or that a later join of its own has failed.
fn is_told_out(session: u32, after: &[Trace]) -> bool {
    let of_join = |trace: &Trace| match trace {
        Trace::Said(sender, join) if *sender == session && joins(join) => join.id.clone(),
        _ => None,
    };
    let later: Vec<_> = after.iter().filter_map(of_join).collect();
    let is_refusal = |got: &Stanza| {
        got.kind == Kind::Presence(PresenceType::Error)
            && got.id.as_ref().is_some_and(|id| later.contains(id))
    };
    after.iter().any(|trace| match trace {
        Trace::Got(receiver, got) => *receiver == session && (tells_out(got) || is_refusal(got)),
        Trace::Relayed(sessions, got) => sessions.contains(&session) && tells_out(got),
        _ => false,
    })
}

/// Whether a presence says that its receiver is out, and not only that it was no occupant when it said something.
fn tells_out(got: &Stanza) -> bool {
    let occupant = MucUser::read(got);
    let answers_stranger = got.id.is_some() && occupant.has(status::TECHNICAL);
    got.kind == Kind::Presence(PresenceType::Unavailable)
        && occupant.has(status::SELF)
        && !occupant.has(status::NICK_CHANGE)
        && !answers_stranger
}
