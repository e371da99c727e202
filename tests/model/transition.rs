//! What can happen in a story.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;

/// The nicks of a story; the account's sessions mostly ask for one of the first three.
pub(crate) const NICKS: [&str; 6] = ["alice", "ally", "al", "bob", "carol", "dave"];
const SHOWS: [Option<&str>; 4] = [None, Some("chat"), Some("away"), Some("dnd")];
/// How many sessions the account has.
pub(crate) const SESSIONS: usize = 4;

/// One of [`NICKS`].
pub(crate) type Nick = &'static str;
/// What a presence shows.
pub(crate) type Show = Option<&'static str>;
/// A session, by its number.
pub(crate) type Who = usize;

/// One thing that happens. What makes no sense where it stands does nothing.
#[derive(Clone, Debug)]
pub(crate) enum Transition {
    /// A session does something.
    Session(Who, Does),
    /// Another occupant, or who wants to be one, does something.
    Other(Nick, OtherDoes),
    /// The room decides something about the account.
    Room(Decision),
    /// That many stanzas of the account reach the room.
    RoomHears(usize),
    /// That many stanzas of the room reach the account.
    AccountHears(usize),
    /// All that is under way arrives.
    AllArrives,
    /// Time passes, in milliseconds.
    Waits(u64),
    /// All arrives, and every deadline passes.
    Settles,
    /// The stream between the servers is lost.
    StreamLost,
    /// The module is reloaded.
    Reload,
    /// The timer comes before its time.
    EarlyWake,
    /// The timer comes before its time, and then the module is reloaded.
    EarlyWakeAndReload,
}

impl Transition {
    fn under_one_nick(self) -> Self {
        let same = |nick: Option<Nick>| nick.map(|_| NICKS[0]);
        match self {
            Self::Session(who, Does::Join { show, most, password, .. }) => {
                Self::Session(who, Does::Join { nick: NICKS[0], show, most, password })
            }
            Self::Session(who, Does::Show { nick, show }) => {
                Self::Session(who, Does::Show { nick: same(nick), show })
            }
            Self::Session(who, Does::Leave { nick }) => Self::Session(who, Does::Leave { nick: same(nick) }),
            Self::Room(Decision::Rename(_)) => Self::AllArrives,
            other => other,
        }
    }
}

/// What a session does.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    Join { nick: Nick, show: Show, most: Option<usize>, password: bool },
    Leave { nick: Option<Nick> },
    Show { nick: Option<Nick>, show: Show },
    Say { with_id: bool },
    Type,
    SetSubject,
    Whisper(Nick),
    Ping(Option<Nick>),
    Ask(Option<Nick>),
    Probe(Option<Nick>),
    Answer,
    Quit,
    End,
    Fail,
    Sleep,
    Wake,
    Babble(Babble),
}

/// Stanzas of a session that mean nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Babble {
    Error,
    JoinWithoutNick,
    GroupchatToOccupant,
    ResultOfNothing,
    Subscription,
}

/// What another occupant does.
#[derive(Clone, Debug)]
pub(crate) enum OtherDoes {
    Join(Show),
    Leave,
    Show(Show),
    Rename(Nick),
    Say,
    Type,
    SetSubject,
    Whisper,
    Ask,
}

/// What the room decides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    /// The account is removed with these codes.
    Remove(&'static [u16]),
    /// The account is banned, or may come again.
    Ban(bool),
    /// Joins need a password.
    Lock(bool),
    Role(&'static str),
    Affiliation(&'static str),
    Rename(Nick),
    /// Real JIDs are shown to everybody.
    NonAnonymous(bool),
    /// The room loses the account without a word.
    Forget,
}

/// A whole story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// A local room answers within the call; a remote one when it pleases.
    pub(crate) is_local: bool,
    /// How many messages the account keeps.
    pub(crate) history: usize,
    /// How many others are there who do nothing.
    pub(crate) crowd: usize,
    pub(crate) steps: Vec<Transition>,
}

/// Stories of up to that many steps.
pub(crate) fn stories(most: usize) -> impl Strategy<Value = Story> {
    stories_of(transition(), most)
}

/// Stories in which streams are lost. Everybody asks for one nick: what is renamed is another story. The account knows the
/// last messages: else the archive shows some of before its join as well.
pub(crate) fn stories_of_losses(most: usize) -> impl Strategy<Value = Story> {
    let under_one_nick = transition().prop_map(Transition::under_one_nick);
    let stories = stories_of(prop_oneof![12 => under_one_nick, 1 => Just(Transition::StreamLost)], most);
    stories.prop_map(|story| Story { history: story.history.max(3), ..story })
}

fn stories_of(transition: impl Strategy<Value = Transition>, most: usize) -> impl Strategy<Value = Story> {
    let crowd = prop_oneof![8 => Just(0), 1 => Just(3), 1 => Just(70)];
    let early = (any::<Index>(), any::<Index>());
    let history = prop_oneof![Just(50), Just(3), Just(0)];
    (any::<bool>(), crowd, history, vec(transition, 1..most), early).prop_map(
        |(is_local, crowd, history, mut steps, early)| {
            // every story has both
            steps.insert(early.0.index(steps.len()), Transition::EarlyWake);
            steps.insert(early.1.index(steps.len()), Transition::EarlyWakeAndReload);
            Story { is_local, history, crowd, steps }
        },
    )
}

fn transition() -> impl Strategy<Value = Transition> {
    prop_oneof![
        30 => (0..SESSIONS, does()).prop_map(|(who, does)| Transition::Session(who, does)),
        14 => (nick(), other_does()).prop_map(|(nick, does)| Transition::Other(nick, does)),
        3 => decision().prop_map(Transition::Room),
        8 => (1..4_usize).prop_map(Transition::RoomHears),
        10 => (1..6_usize).prop_map(Transition::AccountHears),
        10 => Just(Transition::AllArrives),
        8 => wait().prop_map(Transition::Waits),
        3 => Just(Transition::Settles),
        4 => Just(Transition::Reload),
        4 => Just(Transition::EarlyWake),
        4 => Just(Transition::EarlyWakeAndReload),
    ]
}

fn does() -> impl Strategy<Value = Does> {
    let most = prop_oneof![3 => Just(None), 4 => (0..4_usize).prop_map(Some), 1 => Just(Some(25))];
    let own = || prop_oneof![3 => Just(None), 1 => own_nick().prop_map(Some)];
    let anybody = || prop_oneof![1 => Just(None), 2 => nick().prop_map(Some)];
    prop_oneof![
        12 => (own_nick(), show(), most, any::<bool>())
            .prop_map(|(nick, show, most, password)| Does::Join { nick, show, most, password }),
        5 => own().prop_map(|nick| Does::Leave { nick }),
        6 => (own(), show()).prop_map(|(nick, show)| Does::Show { nick, show }),
        6 => any::<bool>().prop_map(|with_id| Does::Say { with_id }),
        1 => Just(Does::Type),
        1 => Just(Does::SetSubject),
        2 => nick().prop_map(Does::Whisper),
        3 => own().prop_map(Does::Ping),
        2 => anybody().prop_map(Does::Ask),
        1 => anybody().prop_map(Does::Probe),
        2 => Just(Does::Answer),
        2 => Just(Does::Quit),
        3 => Just(Does::End),
        1 => Just(Does::Fail),
        1 => Just(Does::Sleep),
        1 => Just(Does::Wake),
        2 => babble().prop_map(Does::Babble),
    ]
}

fn babble() -> impl Strategy<Value = Babble> {
    prop_oneof![
        Just(Babble::Error),
        Just(Babble::JoinWithoutNick),
        Just(Babble::GroupchatToOccupant),
        Just(Babble::ResultOfNothing),
        Just(Babble::Subscription),
    ]
}

fn other_does() -> impl Strategy<Value = OtherDoes> {
    prop_oneof![
        6 => show().prop_map(OtherDoes::Join),
        3 => Just(OtherDoes::Leave),
        2 => show().prop_map(OtherDoes::Show),
        2 => nick().prop_map(OtherDoes::Rename),
        5 => Just(OtherDoes::Say),
        1 => Just(OtherDoes::Type),
        1 => Just(OtherDoes::SetSubject),
        2 => Just(OtherDoes::Whisper),
        1 => Just(OtherDoes::Ask),
    ]
}

fn decision() -> impl Strategy<Value = Decision> {
    let codes: [&'static [u16]; 5] = [&[110, 307], &[110, 333, 307], &[110, 332], &[110, 321], &[307]];
    prop_oneof![
        4 => proptest::sample::select(codes.to_vec()).prop_map(Decision::Remove),
        2 => any::<bool>().prop_map(Decision::Ban),
        1 => any::<bool>().prop_map(Decision::Lock),
        3 => proptest::sample::select(vec!["visitor", "participant", "moderator"]).prop_map(Decision::Role),
        1 => proptest::sample::select(vec!["none", "member"]).prop_map(Decision::Affiliation),
        1 => own_nick().prop_map(Decision::Rename),
        1 => any::<bool>().prop_map(Decision::NonAnonymous),
        2 => Just(Decision::Forget),
    ]
}

fn nick() -> impl Strategy<Value = Nick> {
    proptest::sample::select(NICKS.to_vec())
}

fn own_nick() -> impl Strategy<Value = Nick> {
    prop_oneof![8 => Just(NICKS[0]), 3 => Just(NICKS[1]), 1 => nick()]
}

fn show() -> impl Strategy<Value = Show> {
    proptest::sample::select(SHOWS.to_vec())
}

fn wait() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..3_000_u64,
        3 => 3_000..40_000_u64,
        2 => 40_000..200_000_u64,
        1 => 200_000..4_000_000_u64,
    ]
}
