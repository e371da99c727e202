//! Who is notified of what while its devices are away (XEP-0357, design decision 21).

use super::Bouncer;
use crate::bouncer::account::Account;
use crate::event::{Now, Outcome, Verdict};
use crate::push::{Rule, Ruling};
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::Stanza;

impl Bouncer {
    /// These accounts have push services, all others have none.
    pub(super) fn note_pushed(&mut self, accounts: Vec<BareJid>) -> Outcome {
        self.state.pushed = accounts.into_iter().collect();
        for (account, known) in &mut self.state.accounts {
            known.profile.is_pushed = self.state.pushed.contains(account);
        }
        self.outcome(Verdict::Handled, Vec::new())
    }

    /// An account has its first push service, or none any more.
    pub(super) fn push_changed(&mut self, account: BareJid, is_pushed: bool) -> Outcome {
        if let Some(known) = self.state.accounts.get_mut(&account) {
            known.profile.is_pushed = is_pushed;
        }
        if is_pushed {
            self.state.pushed.insert(account);
        } else {
            self.state.pushed.remove(&account);
        }
        self.outcome(Verdict::Handled, Vec::new())
    }

    /// Bookmarks say of what the account wants to be notified. What was said of other rooms holds (B6).
    pub(super) fn rules_read(&mut self, now: Now, account: &BareJid, rules: Vec<(BareJid, Rule)>) -> Outcome {
        let mut actions = Vec::new();
        for (room, rule) in rules {
            self.state.accounts.entry(account.clone()).or_default().profile.rules.note(&room, rule);
            let outcome = self.in_room(now, account, &room, |occupancy, _| {
                occupancy.obey(rule);
                Verdict::Handled
            });
            actions.extend(outcome.actions);
        }
        self.outcome(Verdict::Handled, actions)
    }

    /// A device has shown a room to its user, up to that message. Only who is notified needs to know.
    pub(super) fn displayed(
        &mut self,
        now: Now,
        account: &BareJid,
        room: &BareJid,
        stanza_id: &str,
    ) -> Outcome {
        if !self.state.accounts.get(account).is_some_and(Account::is_pushed) {
            return self.pass("nobody is notified");
        }
        self.in_room(now, account, room, |occupancy, _| {
            occupancy.note_displayed(stanza_id);
            Verdict::Handled
        })
    }

    /// Whether a push service may be told of a stanza that waits for a session of the account; nothing if it is of no
    /// room that the account has to do with, so that it is not read.
    pub fn push_ruling<E>(
        &self,
        [account, from]: [&str; 2],
        read: impl FnOnce() -> Result<(Now, Stanza), E>,
    ) -> Option<Result<Ruling, E>> {
        let occupancy = self.occupancy(account, from)?;
        if !occupancy.rules_pushes() {
            return None;
        }
        Some(read().map(|(now, stanza)| occupancy.push_ruling(now, &self.state.kinds, &stanza)))
    }
}
