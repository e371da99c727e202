//! The hash of the account's avatar in presences to rooms (XEP-0153 §4, XEP-0398 §4): one for the account,
//! even if a session knows nothing of avatars.

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::profile::Profile;
use crate::xmpp::stanza::{Element, Node, Stanza};

const NS_UPDATE: &str = "vcard-temp:x:update";

/// The avatar that sessions have spoken of in a room. What the account has published counts more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Avatar {
    learned: Option<String>,
}

impl Avatar {
    /// Takes in what a session says, unless it says nothing.
    pub(crate) fn learn(&mut self, presence: &Stanza) {
        let said = presence.find("x", NS_UPDATE).and_then(|x| x.find("photo")).map(Element::text);
        if let Some(hash) = said.filter(|hash| !hash.is_empty() && hash.len() <= limit::AVATAR_BYTES) {
            self.learned = Some(hash);
        }
    }

    /// Puts the hash into a payload that speaks of avatars.
    pub(crate) fn put_into(&self, profile: &Profile, payload: &mut [Element]) {
        let Some(hash) = profile.avatar.as_ref().or(self.learned.as_ref()) else { return };
        for x in payload.iter_mut().filter(|child| child.is("x", NS_UPDATE)) {
            x.nodes.retain(|node| !matches!(node, Node::Element(child) if child.is("photo", NS_UPDATE)));
            let photo = Element::build("photo", NS_UPDATE);
            let photo = if hash.is_empty() { photo } else { photo.text(hash) };
            x.nodes.push(Node::Element(photo.done()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(photo: &str) -> Stanza {
        Stanza::from_xml(&format!("<presence><x xmlns='vcard-temp:x:update'>{photo}</x></presence>")).unwrap()
    }

    #[track_caller]
    fn shows(avatar: &Avatar, published: Option<&str>, photo: &str, expected: &str) {
        let mut shown = presence(photo);
        let mut profile = Profile::default();
        profile.avatar = published.map(ToOwned::to_owned);
        avatar.put_into(&profile, &mut shown.children);
        assert_eq!(shown, presence(expected));
    }

    #[test]
    fn n10_a_session_that_knows_no_avatar_takes_none_away() {
        let mut avatar = Avatar::default();
        shows(&avatar, None, "<photo/>", "<photo/>");
        avatar.learn(&presence("<photo>abc</photo>"));
        avatar.learn(&presence("<photo/>"));
        avatar.learn(&presence(""));
        shows(&avatar, None, "<photo/>", "<photo>abc</photo>");
        shows(&avatar, None, "", "<photo>abc</photo>");
        avatar.learn(&presence(&format!("<photo>{}</photo>", "a".repeat(129))));
        shows(&avatar, None, "<photo/>", "<photo>abc</photo>");
    }

    #[test]
    fn n10_what_is_published_counts_more_than_what_a_session_says() {
        let mut avatar = Avatar::default();
        avatar.learn(&presence("<photo>old</photo>"));
        shows(&avatar, Some("new"), "<photo>old</photo>", "<photo>new</photo>");
        shows(&avatar, Some(""), "<photo>old</photo>", "<photo/>");
    }
}
