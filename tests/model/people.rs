//! What people ask each other through the room. Nobody has to answer soon, and a nick change is no break.

use std::collections::BTreeMap;

use minimix_core::xmpp::stanza::{IqType, Kind, Stanza};

use crate::stanzas::occupant_jid;

/// The open queries of the account and to the account.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// Who asked the account, by the ids of the queries.
    asked: BTreeMap<String, String>,
    /// Whom the account has asked who has not answered.
    silent: Vec<(String, Stanza)>,
}

impl People {
    /// An occupant asks the account.
    pub(crate) fn ask(&mut self, nick: &str, id: &str) {
        self.asked.insert(id.to_owned(), nick.to_owned());
    }

    /// The account answers somebody, whom the room knows by the present nick alone.
    pub(crate) fn hear_answer(&mut self, id: &str, nick: Option<&str>) {
        if self.asked.get(id).map(String::as_str) == nick {
            self.asked.remove(id);
        }
    }

    /// Prosody answers for the account.
    pub(crate) fn answered_by_prosody(&mut self, id: &str) {
        self.asked.remove(id);
    }

    /// The account asks an occupant who answers later.
    pub(crate) fn keep_silent(&mut self, nick: &str, query: &Stanza) {
        self.silent.push((nick.to_owned(), query.clone()));
    }

    /// Everybody answers at last.
    pub(crate) fn answer(&mut self) -> Vec<Stanza> {
        let answer = |(nick, query): (String, Stanza)| {
            Stanza::new(Kind::Iq(IqType::Result)).from(occupant_jid(&nick)).id(query.id.as_deref())
        };
        self.silent.drain(..).map(answer).collect()
    }

    /// Who has asked and still waits.
    pub(crate) fn unanswered(&self) -> Vec<&String> {
        self.asked.keys().collect()
    }

    pub(crate) fn rename(&mut self, old: &str, new: &str) {
        let asking = self.asked.values_mut();
        for nick in asking.chain(self.silent.iter_mut().map(|(nick, _)| nick)).filter(|nick| *nick == old) {
            new.clone_into(nick);
        }
    }

    pub(crate) fn leave(&mut self, nick: &str) {
        self.asked.retain(|_, asker| asker != nick);
        self.silent.retain(|(silent, _)| silent != nick);
    }

    /// The account is no longer there to answer.
    pub(crate) fn lose_account(&mut self) {
        self.asked.clear();
    }
}
