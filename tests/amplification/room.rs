//! What a good room answers, with an archive that has no end.

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::{NS_MUC, NS_MUC_USER};
use minimix_core::xmpp::stanza::{IqType, Kind, MessageType, PresenceType, Stanza};

/// How long rooms take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    AtOnce,
    InASecond,
}

impl Pace {
    pub(crate) fn milliseconds(self) -> u64 {
        match self {
            Self::AtOnce => 0,
            Self::InASecond => 1_000,
        }
    }
}

pub(crate) fn answers(sent: &Stanza) -> Vec<Stanza> {
    let (to, id) = (sent.to.clone().unwrap(), sent.id.as_deref());
    let from = Jid::new(sent.from.as_ref().unwrap().bare());
    let read = |xml: &str, by: &Jid| Stanza::from_xml(xml).unwrap().from(by.clone()).to(from.clone());
    let room = to.to_bare().to_jid();
    match sent.kind {
        Kind::Presence(PresenceType::Available) => {
            let x = format!(
                "<x xmlns='{NS_MUC_USER}'><item affiliation='member' role='participant'/><status code='110'/></x>"
            );
            let own = read(&format!("<presence>{x}</presence>"), &to).id(id);
            if !sent.has("x", NS_MUC) {
                return vec![own];
            }
            let bob = read("<presence/>", &Jid::new(&format!("{}/bob", to.bare())));
            vec![bob, own, read("<message type='groupchat'><subject/></message>", &room)]
        }
        Kind::Presence(PresenceType::Unavailable) => {
            let x = format!(
                "<x xmlns='{NS_MUC_USER}'><item affiliation='member' role='none'/><status code='110'/></x>"
            );
            vec![read(&format!("<presence type='unavailable'>{x}</presence>"), &to).id(id)]
        }
        Kind::Message(MessageType::Groupchat) => {
            let author = Jid::new(&format!("{}/n", to.bare()));
            let reflection = Stanza::new(sent.kind).from(author).to(from.clone()).id(id);
            vec![reflection.children(sent.children.iter().cloned())]
        }
        Kind::Iq(IqType::Get | IqType::Set) if sent.has("query", "urn:xmpp:mam:2") => {
            archive(sent, &read, &room)
        }
        Kind::Iq(IqType::Get | IqType::Set) => vec![read("<iq type='result'/>", &to).id(id)],
        _ => Vec::new(),
    }
}

/// A whole page, and there are more.
fn archive(sent: &Stanza, read: &dyn Fn(&str, &Jid) -> Stanza, room: &Jid) -> Vec<Stanza> {
    let query =
        sent.find("query", "urn:xmpp:mam:2").and_then(|query| query.attribute("queryid")).unwrap_or_default();
    let page = sent.id.as_deref().unwrap_or_default();
    let entry = |number: usize| {
        format!(
            "<message><result xmlns='urn:xmpp:mam:2' queryid='{query}' id='{page}{number}'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00Z'/><message xmlns='jabber:client' type='groupchat' \
             id='{page}{number}' from='{}/bob'><body>a</body></message></forwarded></result></message>",
            room.as_str()
        )
    };
    let fin = format!(
        "<iq type='result'><fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>\
         <first>{page}0</first><last>{page}49</last></set></fin></iq>"
    );
    let mut answers: Vec<Stanza> = (0..50).map(|number| read(&entry(number), room)).collect();
    answers.push(read(&fin, room).id(sent.id.as_deref()));
    answers
}
