//! Deadlines and limits that are no option.

use super::{DAY_MS, HOUR_MS, MEBIBYTE, MINUTE_MS, SECOND_MS};

/// How long a room may show nothing while the account joins (J26).
pub const JOIN_MS: u64 = 30 * SECOND_MS;
/// How long a join may take in all, however much the room shows (design decision 16).
pub const JOIN_MOST_MS: u64 = 10 * MINUTE_MS;
/// When a room that has shown nothing at all is asked for a sign of life (J26).
pub const JOIN_PROBE_MS: u64 = 20 * SECOND_MS;
/// How long a join may take while a human solves a CAPTCHA (J27).
pub const CAPTCHA_MS: u64 = 10 * MINUTE_MS;
/// How long after its last stanza a join without a subject is complete (J31).
pub const JOIN_SILENCE_MS: u64 = 5 * SECOND_MS;
/// How long one presence of ours may stay unanswered before the next goes out (design decision 4).
pub const PRESENCE_MS: u64 = 10 * SECOND_MS;
/// How long a nick that the room does not confirm is asked for, while the room shows other things (N4).
pub const NICK_MS: u64 = MINUTE_MS;
/// How long a self-ping of ours may take (I2).
pub const SELF_PING_MS: u64 = 30 * SECOND_MS;
/// After what time without its reflection a message is missed (design decision 20).
pub const REFLECTION_MS: u64 = 15 * SECOND_MS;
/// How long a message is stuck that has met a room that the account was out of (design decision 20).
pub const STUCK_MS: u64 = MINUTE_MS;
/// After what time the room is asked again whether stuck messages can go up.
pub const STUCK_ASK_MS: u64 = 5 * SECOND_MS;
/// How long the sessions of a room that the account is out of are not told so (K3).
pub const RECOVERY_MS: u64 = 10 * MINUTE_MS;
/// How long a service that says that it goes down is given before its rooms are joined again.
pub const REJOIN_AFTER_SHUTDOWN_MS: u64 = 5 * SECOND_MS;
/// How soon after a loss another one is no reason to join at once; and how long after a sign of life of a room that the
/// account is out of it is tried again.
pub const REJOIN_CALM_MS: u64 = 15 * SECOND_MS;
/// The longest pause between two tries to come back into a room (K8).
pub const REJOIN_PAUSE_MOST_MS: u64 = 10 * MINUTE_MS;
/// How long after a loss a removal without a reason is no technical one (K7).
pub const UNEXPLAINED_MS: u64 = HOUR_MS;
/// How long after a self-ping an error in the room does not cause another one (K9).
pub const CHECK_PAUSE_MS: u64 = MINUTE_MS;
/// How long a room that nobody came back to waits for its turn to be left: its service may never be up again.
pub const LINGER_TURN_MS: u64 = 60 * MINUTE_MS;
/// How long the leave of the last session waits (design decision 3).
pub const LEAVE_WAIT_MS: u64 = 2 * SECOND_MS;
/// How long after a leave the stanzas of the room are swallowed (M8).
pub const SWALLOW_MS: u64 = HOUR_MS;
/// How long after the account was in its sessions are told that they are out (J14).
pub const REMEMBER_MS: u64 = DAY_MS;
/// How long a former nick is known (design decision 5).
pub const FORMER_NICK_MS: u64 = HOUR_MS;
/// How long after a nick change presence to the former nick is taken for the new one (N3).
pub const NICK_CROSSING_MS: u64 = 10 * SECOND_MS;
/// How long after its stream's resumption a session may join under a former nick (design decision 5).
pub const RESUMED_MS: u64 = 30 * SECOND_MS;
/// How long the sender of a message is remembered, for its error (M4).
pub const SENT_MS: u64 = 5 * MINUTE_MS;
/// How long a query to the room itself may take; how long one to an occupant may take if others wait for
/// its place, or if the account has left (I12).
pub const QUERY_MS: u64 = 2 * MINUTE_MS;
/// How long the sessions wait before they join a service that shows the account nothing. biboumi passes
/// the account's leave on to the IRC server, and then takes all sessions for gone (design decision 1).
pub const RETREAT_MS: u64 = 3 * SECOND_MS;
/// How long a session's own join or withdrawal is watched (design decision 1, X5).
pub const WITHDRAW_MS: u64 = 10 * MINUTE_MS;
/// How long a room is known to take no accounts, or a service to take some (design decision 1).
pub const DIRECT_MS: u64 = DAY_MS;
/// How much the queries to a room's archive may cost that are remembered (I8).
pub const ARCHIVE_COST: usize = 256 * 1024;
/// How many services a session may watch for activity (L9).
pub const WATCHED_SERVICES: usize = 100;
/// How many more rooms of an account are known than it may be in: rooms that it has left, and rooms that
/// its sessions are in by themselves.
pub const ROOMS_LEFT: usize = 1_000;
/// How many rooms are known to take no accounts.
pub const DIRECT_ROOMS: usize = 1_000;
/// How many services are known to take accounts.
pub const SHOWING_SERVICES: usize = 1_000;
/// How many stanzas of a replay are handed out at once (contract, 9).
pub const REPLAY_BATCH: usize = 64;
/// How much may wait for one account in all its rooms (R7). What waits is measured by its cost in memory.
pub const ACCOUNT_COST: usize = 16 * MEBIBYTE;
/// How much of what a joining session sends is held until its join is answered (M3). 10 000 lines are less.
pub const HELD_COST: usize = 8 * MEBIBYTE;
/// How much that comes while a session waits is kept for it (J2, J23).
pub const LATER_COST: usize = MEBIBYTE;
/// How much that comes before the occupants is kept (J23).
pub const EARLY_COST: usize = MEBIBYTE;
/// How much may join the end of a replay; above that the rest is handed out at once.
pub const TAIL_COST: usize = MEBIBYTE;
/// How much the senders of messages may cost that are remembered per room (M4); 10 000 messages cost less.
pub const SENT_COST: usize = 4 * MEBIBYTE;
/// How much may wait in one room to be said, or to come back (design decision 20).
pub const OUTBOX_COST: usize = 64 * 1024;
/// How much may wait in one room for each of these: nick changes, updates, self-pings, probes, subscriptions.
pub const WISHES_COST: usize = 64 * 1024;
/// How many messages are known when they come again, besides those that are kept (H10).
pub const SEEN: usize = 500;
/// How much the messages may cost that are held while the room shows its history (H12).
pub const FETCHED_COST: usize = 4 * MEBIBYTE;
/// How many queries of one account to one room may be open, and how many of its occupants to the account (I5, I12).
pub const QUERIES: usize = 2_000;
/// How much those of one account may cost.
pub const QUERIES_COST: usize = 2 * MEBIBYTE;
/// How much those of occupants to the account may cost.
pub const QUESTIONS_COST: usize = MEBIBYTE;
/// How much the queries may cost that wait for their turn (I12).
pub const QUERIES_WAITING_COST: usize = 2 * MEBIBYTE;
/// How long the id of an occupant's query may be, in bytes (I5).
pub const ID_BYTES: usize = 512;
/// How many bytes of occupants' queries are kept until the session that they are for has been shown the room.
pub const UNASKED_BYTES: usize = 64 * 1024;
/// How many exchanges with occupants of a room are known, like files and calls (I5).
pub const EXCHANGES: usize = 256;
/// How many of them with one occupant.
pub const EXCHANGES_OF_ONE: usize = 32;
/// How long the id of one may be, in bytes.
pub const EXCHANGE_ID_BYTES: usize = 256;
/// How many occupants of a room are kept; those above are relayed and not replayed (R7).
pub const OCCUPANTS: usize = 20_000;
/// How much a presence of an occupant may cost that is kept (R7).
pub const PRESENCE_COST: usize = 64 * 1024;
/// How much a presence from the room itself may cost that is kept (R7).
pub const ROOM_PRESENCE_COST: usize = 16 * 1024;
/// How much a presence of a session may cost with which it stands for the account. A dearer one does so without
/// status and unknown payload.
pub const OWN_PRESENCE_COST: usize = 16 * 1024;
/// How much the account's presence may cost as the room shows it. Of a dearer one only that is kept which the room
/// itself says: affiliation, role and occupant-id.
pub const OWN_SHOWN_COST: usize = 8 * 1024;
/// How much a join may cost; a dearer one is refused.
pub const JOIN_COST: usize = 64 * 1024;
/// How many sessions may be in one room of an account.
pub const SESSIONS: usize = 100;
/// How much a domain may keep for each room that one of our accounts knows there, if that is more than its share.
pub const DOMAIN_COST_OF_ROOM: usize = 16 * 1024;
/// How often it is logged at most that a limit on memory has been reached.
pub const SHORTAGE_LOG_MS: u64 = MINUTE_MS;
/// How much a subject may cost that is kept. Who joins later is shown none instead of a dearer one.
pub const SUBJECT_COST: usize = 64 * 1024;
/// How many presences from the room itself are kept (J21).
pub const ROOM_PRESENCES: usize = 200;
/// How many claims in our presence are remembered that the room did not let pass, and how many kinds of them
/// (F41). The oldest are forgotten, and then taken to pass.
pub const RULINGS: usize = 32;
/// How large a remembered claim may be, in bytes.
pub const RULING_BYTES: usize = 4 * 1024;
/// How many updates and resyncs are remembered that the room has not answered in time (N7).
pub const OVERDUE: usize = 16;
/// How many former nicks are kept.
pub const FORMER_NICKS: usize = 16;
/// How long a change may wait until it is stored, so that several are stored at once.
pub const STORE_MS: u64 = 5 * SECOND_MS;
/// How long it may wait that the last session has detached, or one has attached again, and what the account has said.
pub const STORE_DETACHED_MS: u64 = HOUR_MS;
/// How much later a login has to be than the stored one to be stored.
pub const STORE_LOGIN_MS: u64 = DAY_MS;
/// How long the stored text of a room may be; a longer one counts as broken.
pub const RECORD_BYTES: usize = 64 * 1024;
/// For how many times as many rooms as an account may be in it is stored that it went out for good.
pub const DEPARTURES_PER_ROOM: usize = 10;
/// How many messages of a room's archive are asked for at once, to fill a gap.
pub const GAP_PAGE: usize = 50;
/// How many messages are shown at most to fill a gap.
pub const GAP_MESSAGES: usize = 1_000;
/// How long a gap may take to be filled.
pub const GAP_MS: u64 = 30 * SECOND_MS;
/// How many live messages wait meanwhile. If more come, the gap is given up.
pub const GAP_LIVE: usize = 256;
/// How much those may cost, and how much of the room's history that a resync brings meanwhile.
pub const GAP_COST: usize = 4 * MEBIBYTE;
/// How long a room's archive is not asked for older messages after it has been silent.
pub const ARCHIVE_SILENT_MS: u64 = 10 * MINUTE_MS;
/// How much earlier than a gap an archive is asked, if nothing is known of the last message: clocks differ.
pub const GAP_SLACK_MS: i64 = 5 * 60 * 1_000;
/// How long the server may have been down: after that the rooms that only lingered are not entered again.
pub const FORGET_LINGERING_MS: u64 = 7 * DAY_MS;
/// How long a service may be silent after one of its streams broke, until it is asked whether it is there (K8).
pub const DOUBT_MS: u64 = 3 * SECOND_MS;
/// How long it may take to answer that.
pub const SERVICE_ANSWER_MS: u64 = 15 * SECOND_MS;
/// How long after that it is asked again, at first; then half as long as it has been out of reach.
pub const SERVICE_PAUSE_MS: u64 = 4 * SECOND_MS;
/// How long after that it is asked again at most.
pub const SERVICE_PAUSE_MOST_MS: u64 = 5 * MINUTE_MS;
/// Of how many services it is known that they may be out of reach. Rooms of others are asked as ever.
pub const TROUBLED_SERVICES: usize = 1_000;
/// How many self-pings a second one service gets at most: after a start, after an outage, and from rooms that have
/// fallen silent (K8, K10).
pub const PINGS_PER_SECOND: u64 = 50;
/// How many it gets at first, until its answers show that it can take more.
pub const PINGS_PER_SECOND_FIRST: u64 = 10;
/// How many presences a second one service gets from rooms whose turn has come: joins of lost ones (K8), and leaves.
pub const PRESENCES_PER_SECOND: u64 = 20;
/// How many presences a second an account sends into rooms to which no session has sent anything: for the end of a
/// session or an avatar. So many go up at once.
pub const UPDATES_PER_SECOND: u64 = 20;
/// How long after such a presence, or one that is told for another session, the next one follows in the same room.
pub const UPDATE_PAUSE_MS: u64 = SECOND_MS;
/// How many bytes an account may tell its rooms for each byte of a session's presence to a room, if not that presence
/// is told, but one that another session has sent before.
pub const PAID_PER_BYTE: i64 = 4;
/// How many bytes it may tell them beyond that.
pub const UNPAID_BYTES: i64 = 4 * 1024;
/// How many of those there are anew each second.
pub const UNPAID_BYTES_PER_SECOND: u64 = 256;
/// How long the hash of an avatar may be, in bytes; a longer one is none.
pub const AVATAR_BYTES: usize = 128;
/// How many services have a pace of their own; the others share one.
pub const PACED_SERVICES: usize = 1_000;
/// How many rooms are looked at in one call whose turn has come. The first that has something to do with it ends that:
/// a local room is at work until it has answered (K8).
pub const TURNS: usize = 100;
/// Of how many rooms that one is chosen whose messages are the oldest, when the process keeps too much (R7).
pub const PAYERS: usize = 20;
/// Of how many accounts these rooms are at most: an account may be known that is in none.
pub const PAYING_ACCOUNTS: usize = 1_000;
/// How many occupancies are woken in one call: after a start many of them wait until the same moment.
pub const WOKEN: usize = 50;
/// How many rooms are told in one call that a stream to their service has ended, or lined up when it is up again, or
/// stored when the server stops.
pub const TOLD: usize = 1_000;

/// How many rooms one call lets go, of all those that there are: each may send a presence and have something stored. The
/// wrapper makes a pause after some milliseconds.
pub const LEFT: usize = 20;
/// How long after a bookmark was published the account joins, unless a session does (B5).
pub const BOOKMARK_JOIN_MS: u64 = 10 * SECOND_MS;
/// How long after a login the account joins the rooms of its bookmarks: sessions that follow them have by then.
pub const BOOKMARK_LOGIN_MS: u64 = 30 * SECOND_MS;
/// How long after a bookmark was taken away the account leaves: old clients take all away, and write them anew.
pub const BOOKMARK_LEAVE_MS: u64 = MINUTE_MS;
/// How many rooms a second one account joins because of its bookmarks.
pub const BOOKMARK_JOINS_PER_SECOND: u64 = 5;
/// How long after a nick change a bookmark that differs only in the nick is no new wish to join (B5).
pub const BOOKMARK_NICK_MS: u64 = MINUTE_MS;
/// How many bookmarks of an account are known.
pub const BOOKMARKS: usize = 1_000;
/// How long the nick and the password of a bookmark may be, in bytes.
pub const BOOKMARK_BYTES: usize = 4 * 1024;
/// How many messages of the account's own are known in a room, so that answers to them count as mentions (U4).
pub const OWN_MESSAGES: usize = 1_000;
/// How long they are, in hours.
pub const OWN_MESSAGE_HOURS: u32 = 7 * 24;
/// How often a room is asked at most what it is, until it has told (U5).
pub const ROOM_KIND_MS: u64 = DAY_MS;
/// How long it may take to answer, until it counts as one for everybody. How often a room is asked again at most that is
/// configured anew.
pub const ROOM_KIND_ANSWER_MS: u64 = 30 * SECOND_MS;
/// Of how many rooms it is known what they are.
pub const ROOM_KINDS: usize = 10_000;
/// How many of the last messages of a room are known in its log when they come again.
pub const LOG_RECENT: usize = 1_000;
/// How many are known in the logs of all rooms: about 130 bytes each.
pub const LOG_ENTRIES: usize = 250_000;
/// Of how many rooms it is known what is in their logs.
pub const LOGS: usize = 10_000;
/// How long the log of a room may take to be read.
pub const LOG_READ_MS: u64 = 10 * SECOND_MS;
/// How much later another account may receive a live message and still see it in the log, if it has seen nothing of it before.
pub const LOGGED_APART_MS: i64 = 60 * 1_000;
/// How large a message may be to be logged.
pub const LOGGED_BYTES: usize = MEBIBYTE;
/// How much its structure may cost: to write it, the server needs many times as much. Keys for 400 devices cost less.
pub const LOGGED_STRUCTURE: usize = 128 * 1024;
/// In how many intervals an account may have been in a room. Of more the oldest become one.
pub const INTERVALS: usize = 50;
/// How long a nick may be, in bytes (RFC 7622 §3.4).
pub const NICK_BYTES: usize = 1_023;
