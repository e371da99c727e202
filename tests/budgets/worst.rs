//! The worst that one local account, one remote domain and one occupant of an honest room can cause, as allocated.
//! `docs/operations.md` tells these figures.

use minimix_core::config::{Config, MEBIBYTE};

use crate::scene::{Scene, dear};

/// What a room may show at once: the binding reads no stanza of more parts.
const PARTS: usize = 9_900;

pub(crate) fn one_account_one_domain_and_one_occupant_cause_no_more_than_is_told() {
    is_at_most("one local account in its own rooms", 64, one_account());
    is_at_most("one remote domain", 64, one_domain());
    is_at_most("one occupant of an honest room", 2, one_occupant());
}

fn is_at_most(who: &str, mebibytes: usize, kept: usize) {
    println!("{who}: {kept} bytes, {mebibytes} MiB are allowed");
    assert!(kept <= mebibytes * MEBIBYTE, "{who}: {kept} bytes");
}

fn parts(count: usize) -> String {
    format!("<x xmlns=''>{}</x>", "t<a/>".repeat(count / 2))
}

/// In 500 rooms at 50 services of its own, from many sessions, whose rooms show what is dear.
fn one_account() -> usize {
    let mut scene = Scene::new(Config::default());
    for number in 0..500 {
        let room = format!("r{number}@s{}.example", number % 50);
        for session in 0..4 {
            scene.sends("alice", &format!("{room}/me"), &join(session));
        }
        scene.is_let_in("alice", &room);
        fill(&mut scene, "alice", &room, 1);
    }
    for number in 0..500 {
        let room = format!("r{number}@s{}.example", number % 50);
        for line in 0..20 {
            scene.sends_again("alice", &room, &said(line));
        }
    }
    scene.kept()
}

/// A domain that shows 50 accounts in 30 rooms each what is dear, everybody something else.
fn one_domain() -> usize {
    let mut scene = Scene::new(Config::default());
    for account in 0..50 {
        let account = format!("account{account}");
        for number in 0..30 {
            let room = format!("r{number}@rooms.far.example");
            scene.is_in(&account, &room);
            fill(&mut scene, &account, &room, 1);
        }
    }
    scene.kept()
}

/// In one room of one account, whose room relays what one occupant says.
fn one_occupant() -> usize {
    let mut scene = Scene::new(Config::default());
    let room = "lounge@rooms.example";
    scene.is_in("alice", room);
    let before = scene.kept();
    let eve = format!("{room}/eve");
    for number in 0..100 {
        scene.arrives("alice", &eve, &format!("<presence>{}</presence>", parts(600 - number)));
        let body = format!("<body>{number}</body>");
        scene.arrives(
            "alice",
            &eve,
            &format!("<message type='groupchat' id='m{number}'>{body}{}</message>", parts(900)),
        );
        scene.arrives(
            "alice",
            &eve,
            &format!("<message type='chat' id='p{number}'>{body}{}</message>", parts(PARTS)),
        );
    }
    for number in 0..5_000 {
        let id = format!("{number:0>500}");
        scene.arrives("alice", &eve, &format!("<iq type='get' id='{id}'><query xmlns='q'/></iq>"));
    }
    scene.kept() - before
}

fn join(session: usize) -> String {
    let status = format!("<status>{session}{}</status>", "s".repeat(1_000));
    let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
    format!("<presence id='j'>{x}{status}{}</presence>", parts(100))
}

fn said(number: usize) -> String {
    format!("<message type='groupchat' id='m{number}'><body>b</body>{}</message>", parts(200))
}

/// A room shows an account as much as it can that is dear.
fn fill(scene: &mut Scene, account: &str, room: &str, rounds: usize) {
    let jid = format!("{account}{room}");
    let subject = format!("<message type='groupchat'><subject>{jid}</subject>{}</message>", parts(500));
    scene.arrives(account, room, &subject);
    for number in 0..rounds {
        let own = format!(
            "<presence><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/>\
             <status code='110'/></x><status>{jid}</status>{}</presence>",
            parts(600)
        );
        scene.arrives(account, &format!("{room}/me"), &own);
        scene.comes_to(account, room, number, &format!("<status>{jid}</status>{}", parts(600)));
        let aside = format!("<status>{jid}{number}</status>{}", parts(150));
        scene.arrives(account, room, &format!("<presence>{aside}</presence>"));
        let body = format!("<body>{jid}{number}</body>{}", parts(2_000));
        scene.arrives(account, &format!("{room}/n1"), &format!("<message type='groupchat'>{body}</message>"));
        let query = format!("<iq type='get' id='{number:0>500}'><query xmlns='q'/></iq>");
        scene.arrives(account, &format!("{room}/n1"), &query);
        scene.comes_to(account, room, number, &dear(50_000));
    }
}
