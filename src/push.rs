//! Of which messages of a room an account wants to be notified, and what is known of the room to decide that (U1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::limit;
use crate::xmpp::jid::BareJid;

/// Of which messages of a room an account wants to be notified (XEP-0492).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Of all.
    Always,
    /// Of those that mention the account.
    OnMention,
    /// Of none.
    Never,
}

impl Rule {
    /// Reads the name of an element of XEP-0492 §3.
    pub fn read(name: &str) -> Option<Self> {
        RULES.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule)
    }

    fn name(self) -> &'static str {
        RULES.iter().find(|(_, rule)| *rule == self).map_or("", |(name, _)| *name)
    }
}

const RULES: [(&str, Rule); 3] =
    [("always", Rule::Always), ("on-mention", Rule::OnMention), ("never", Rule::Never)];

/// What the record of a room keeps of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// What a bookmark last said.
    pub(crate) rule: Option<Rule>,
    /// Whether only members may enter the room, if it has said so.
    pub(crate) members_only: Option<bool>,
}

const RULE: &str = "rule";
const MEMBERS_ONLY: &str = "members_only";

impl Settings {
    /// What a record says.
    pub(crate) fn read(stored: Option<&Value>) -> Self {
        let field = |name| stored.and_then(|stored| stored.get(name));
        Self {
            rule: field(RULE).and_then(Value::as_str).and_then(Rule::read),
            members_only: field(MEMBERS_ONLY).and_then(Value::as_bool),
        }
    }

    /// What a record that said something is to say. What is not known stays in it.
    pub(crate) fn write(self, stored: &mut Option<Value>) {
        if self == Self::read(stored.as_ref()) {
            return;
        }
        let known = [
            (MEMBERS_ONLY, self.members_only.map(Value::Bool)),
            (RULE, self.rule.map(|rule| Value::String(rule.name().to_owned()))),
        ];
        let mut fields = match stored.take() {
            Some(Value::Object(fields)) => fields,
            Some(_) | None => Map::new(),
        };
        for (name, value) in known {
            match value {
                Some(value) => fields.insert(name.to_owned(), value),
                None => fields.remove(name),
            };
        }
        *stored = (!fields.is_empty()).then_some(Value::Object(fields));
    }
}

/// What the bookmarks of an account have said of rooms.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rules(BTreeMap<BareJid, Rule>);

impl Rules {
    /// What has been said of that room.
    pub(crate) fn get(&self, room: &BareJid) -> Option<Rule> {
        self.0.get(room).copied()
    }

    /// A bookmark says that. One too many is not kept (R7).
    pub(crate) fn note(&mut self, room: &BareJid, rule: Rule) {
        if self.0.len() < limit::BOOKMARKS || self.0.contains_key(room) {
            self.0.insert(room.clone(), rule);
        }
    }
}

/// Whether a push service may be told of a stanza that waits for a session (XEP-0357).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may, once for each stanza of that print.
    Push(u64),
    /// It may not.
    Silence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b6_what_a_later_version_has_stored_of_a_rule_stays() {
        let text = "{\"rule\":\"never\",\"until\":1}";
        let mut stored: Option<Value> = serde_json::from_str(text).ok();
        let mut settings = Settings::read(stored.as_ref());
        assert_eq!(settings, Settings { rule: Some(Rule::Never), members_only: None });
        settings.write(&mut stored);
        assert_eq!(stored.as_ref().map(ToString::to_string).as_deref(), Some(text));
        settings = Settings { rule: Some(Rule::OnMention), members_only: Some(true) };
        settings.write(&mut stored);
        assert_eq!(Settings::read(stored.as_ref()), settings);
        Settings::default().write(&mut stored);
        assert_eq!(stored.as_ref().map(ToString::to_string).as_deref(), Some("{\"until\":1}"));
        stored = None;
        Settings::default().write(&mut stored);
        assert_eq!(stored, None);
    }

    #[test]
    fn b6_a_rule_that_nobody_knows_is_none() {
        let stored = serde_json::json!({ "rule": "sometimes", "members_only": "perhaps" });
        assert_eq!(Settings::read(Some(&stored)), Settings::default());
        assert_eq!(Settings::read(Some(&Value::Null)), Settings::default());
    }

    #[test]
    fn r7_the_rules_of_an_account_are_limited() {
        let room = |number: usize| BareJid::new(&format!("r{number}@rooms.example"));
        let mut rules = Rules::default();
        for number in 0..limit::BOOKMARKS + 10 {
            rules.note(&room(number), Rule::Never);
        }
        rules.note(&room(0), Rule::Always);
        assert_eq!(rules.0.len(), limit::BOOKMARKS);
        assert_eq!(rules.get(&room(0)), Some(Rule::Always));
    }
}
