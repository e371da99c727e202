//! Events that are no stanzas, in words.

use minimix_core::bookmark::Bookmark;
use minimix_core::config::{Archive, Config};
use minimix_core::event::{Event, SessionId};
use minimix_core::xmpp::jid::{BareJid, FullJid, Jid};

use crate::play::{World, address_of};
use crate::step::SESSIONS;

/// A name for the kind of event, and the event.
type Named = (&'static str, Event);

/// What an event is told by.
struct Words<'a>(Vec<&'a str>);

/// What these words mean; nothing if they make no sense there.
pub(crate) fn read(world: &World, words: &str) -> Option<Named> {
    let words = Words(words.split(' ').collect());
    of_session(&words)
        .or_else(|| of_account(&words))
        .or_else(|| of_service(world, &words))
        .or_else(|| of_host(world, &words))
}

impl Words<'_> {
    fn at(&self, position: usize) -> &str {
        self.0.get(position).copied().unwrap_or_default()
    }

    fn rest(&self, position: usize) -> String {
        self.0.get(position..).unwrap_or_default().join(" ")
    }

    fn is(&self, position: usize) -> bool {
        self.at(position) == "1"
    }

    fn number(&self, position: usize) -> usize {
        self.at(position).parse().unwrap_or_default()
    }

    fn session(&self) -> SessionId {
        SessionId(self.at(1).parse().unwrap_or(0) % SESSIONS)
    }

    fn account(&self) -> BareJid {
        BareJid::new(self.at(1))
    }

    fn room(&self) -> BareJid {
        BareJid::new(self.at(2))
    }
}

fn of_session(words: &Words) -> Option<Named> {
    let session = words.session();
    Some(match words.at(0) {
        "hides" => ("a session ends", Event::SessionUnavailable { session }),
        "sleeps" => ("a session ends", Event::Hibernated { session }),
        "wakes" => ("a session ends", Event::Resumed { session }),
        "ends" => ("a session ends", Event::SessionGone { session }),
        "already" => {
            let jid = FullJid::new(&Jid::new(&address_of(session.0)))?;
            ("joined before", Event::AlreadyIn { session, jid, occupant: Jid::new(words.at(2)) })
        }
        "watches" => {
            let account = BareJid::new(crate::step::account_of(session.0));
            let (service, watches) = (words.room(), words.is(3));
            ("a watch", Event::WatchChanged { session, account, service, watches })
        }
        _ => return None,
    })
}

fn of_account(words: &Words) -> Option<Named> {
    let (account, room) = (words.account(), words.room());
    Some(match words.at(0) {
        "blocks" => {
            let pattern = words.at(3);
            let blocked = (0..words.number(2)).map(|at| Jid::new(&pattern.replace("%b", &at.to_string())));
            ("a block list", Event::BlockListChanged { account, blocked: blocked.collect() })
        }
        "avatar" => ("an avatar", Event::AvatarPublished { account, hash: words.at(2).to_owned() }),
        "bookmark" => {
            let (nick, password) = (words.0.get(4).copied(), words.0.get(5).copied());
            let bookmark = Bookmark::read(Some(words.at(3)), nick, password);
            ("a bookmark", Event::BookmarkChanged { account, room, bookmark })
        }
        "purged" => ("bookmarks", Event::BookmarksPurged { account }),
        "login" => {
            let bookmark = |at: usize| {
                let room = BareJid::new(&format!("r{at}@rooms.example"));
                Some((room, Bookmark::read(Some("1"), Some("alice"), None)?))
            };
            let all = || (0..words.number(2)).filter_map(bookmark).collect();
            ("bookmarks", Event::LoggedIn { account, bookmarks: words.0.get(2).map(|_| all()) })
        }
        "abandoned" => ("an abandoned room", Event::Abandoned { account, room }),
        "gone" => ("an account is deleted", Event::AccountGone { account }),
        "loaded" => {
            let records = vec![(room, words.rest(3))];
            ("a record", Event::Loaded { account, records, blocked: Vec::new() })
        }
        _ => return None,
    })
}

fn of_service(world: &World, words: &Words) -> Option<Named> {
    let domain = words.at(1).to_owned();
    let event = match words.at(0) {
        "begun" => Event::StreamBegun { domain },
        "settled" => Event::StreamSettled { domain },
        "established" => Event::StreamEstablished { domain, is_of_peer: words.is(2) },
        "lost" => Event::ServiceLost { domain, in_peace: words.is(2), is_incoming: words.is(3) },
        "answered" => {
            let (domain, id) = world.asked.clone()?;
            Event::ServiceAnswered {
                domain,
                id,
                error: words.0.get(1).map(|&condition| condition.to_owned()),
            }
        }
        _ => return None,
    };
    Some(("a stream", event))
}

fn of_host(world: &World, words: &Words) -> Option<Named> {
    Some(match words.at(0) {
        "config" => ("the options", Event::Configured { config: world.config.clone() }),
        "unloading" => ("an unload", Event::Unloading),
        "host-gone" => ("an unload", Event::HostGone),
        "stopping" => ("a stop", Event::ServerStopping),
        "host-record" => ("a record of the host", Event::HostLoaded { text: words.rest(1) }),
        "wake" => ("the timer", Event::DeadlineReached),
        _ => return None,
    })
}

/// The options that these words set.
pub(crate) fn config(words: &str) -> Option<Config> {
    let number: u64 = words.strip_prefix("config ")?.parse().unwrap_or_default();
    let choose = |position: u32, values: [u64; 3]| match number / 3_u64.pow(position) % 3 {
        0 => values[0],
        1 => values[1],
        _ => values[2],
    };
    let size = |position, values| usize::try_from(choose(position, values)).unwrap_or(usize::MAX);
    let maybe = |position, values| Some(choose(position, values)).filter(|value| *value > 0);
    Some(Config {
        history: size(0, [50, 0, 1_000]),
        history_max: size(1, [1_000, 0, 3]),
        history_bytes: size(2, [256 * 1024, 0, 1_000]),
        history_age_ms: choose(3, [7 * 86_400_000, 0, u64::MAX]),
        trust_ms: choose(4, [900_000, 0, u64::MAX]),
        linger_ms: maybe(5, [86_400_000, 0, 1]),
        linger_affiliated_ms: maybe(6, [86_400_000, 0, u64::MAX]),
        check_ms: maybe(7, [3_600_000, 0, 1_000]),
        autojoin: choose(8, [1, 0, 1]) == 1,
        dormant_ms: maybe(9, [90 * 86_400_000, 0, 1]),
        rooms_per_account: size(10, [500, 2, 0]),
        exclude: if choose(11, [0, 0, 1]) == 1 { vec!["*.example".to_owned()] } else { Vec::new() },
        archive: [Archive::Off, Archive::All, Archive::Needed][size(12, [0, 1, 2])],
        ..Config::default()
    })
}
