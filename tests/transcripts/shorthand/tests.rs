//! What is written is read as the same, and in the form that is meant for it.

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::Stanza;

use super::{USER, Way};

const OCCUPANT: &str = "from='lounge@rooms.example/bob'";
const ROOM: &str = "from='lounge@rooms.example'";

/// The XML, which is without our own address, is told by the line, and the line gives it back.
#[track_caller]
fn tells(way: Way, line: &str, xml: &str) {
    let stanza = Stanza::from_xml(xml).unwrap();
    let stanza = match way {
        Way::ToAccount => stanza.to(Jid::new(&way.ours())),
        Way::ToSession(_) => stanza,
        Way::FromAccount | Way::FromSession(_) => stanza.from(Jid::new(&way.ours())),
    };
    assert_eq!(way.write(&stanza), line);
    assert_eq!(way.read(line), stanza);
}

#[track_caller]
fn shows(line: &str, occupant: &str, payload: &str) {
    tells(Way::ToSession(1), line, &format!("<presence {occupant}>{payload}</presence>"));
}

#[test]
fn an_occupant_is_known_by_its_item() {
    let item = |attributes: &str| format!("<x xmlns='{USER}'><item {attributes}/></x>");
    let own = "affiliation='member' role='participant' jid='alice@example.org/d1'";
    shows("occupant bob", OCCUPANT, &item("affiliation='member' role='participant'"));
    shows(
        "occupant bob x1",
        &format!("{OCCUPANT} id='x1'"),
        &item("affiliation='member' role='participant'"),
    );
    shows("self bob", OCCUPANT, &item(own));
    shows("pres bob {owner/moderator}", OCCUPANT, &item("affiliation='owner' role='moderator'"));
    shows("pres bob {/ nick=b}", OCCUPANT, &item("nick='b'"));
    shows("pres bob", OCCUPANT, "");
    let spaced = item("affiliation='none' nick='b b' role='none'").replace("http://jabber.org/protocol/", "");
    shows(&format!("pres bob {spaced}"), OCCUPANT, &item("affiliation='none' role='none' nick='b b'"));
}

#[test]
fn what_stands_in_braces_keeps_its_order() {
    let x = |inside: &str| format!("<x xmlns='{USER}'>{inside}</x>");
    shows("pres bob {}", OCCUPANT, &x(""));
    shows(
        "pres bob {110,201 / 110}",
        OCCUPANT,
        &x("<status code='110'/><status code='201'/><item/><status code='110'/>"),
    );
    shows("pres bob {<status/> 1}", OCCUPANT, &x("<status/><status code='1'/>"));
    let inside = "<item role='none'><actor nick='eve'/><reason>} a {</reason></item><destroy/>";
    shows("pres bob {/none <actor nick='eve'/><reason>} a {</reason> <destroy/>}", OCCUPANT, &x(inside));
}

#[test]
fn a_leave_of_a_member_is_told_by_its_codes() {
    let gone = |line: &str, inside: &str| {
        let xml =
            format!("<presence {OCCUPANT} type='unavailable'><x xmlns='{USER}'>{inside}</x></presence>");
        tells(Way::ToAccount, line, &xml);
    };
    gone("gone bob - 307", "<item affiliation='member' role='none'/><status code='307'/>");
    let own = "<item affiliation='member' role='none' jid='alice@example.org'/>";
    gone("gone bob - 110", &format!("{own}<status code='110'/>"));
    gone("gone bob {member/none me}", own);
    gone("gone bob {none/none 110}", "<item affiliation='none' role='none'/><status code='110'/>");
    tells(
        Way::FromSession(1),
        "gone bob l1",
        "<presence to='lounge@rooms.example/bob' type='unavailable' id='l1'/>",
    );
    let without = format!("<presence {OCCUPANT} type='unavailable'/>");
    tells(Way::ToAccount, &without, &without);
}

#[test]
fn the_account_asks_for_a_history_and_a_session_for_what_it_likes() {
    let join = |inside: &str, after: &str| {
        let muc = "http://jabber.org/protocol/muc";
        format!("<presence to='lounge@rooms.example/bob'><x xmlns='{muc}'>{inside}</x>{after}</presence>")
    };
    let history = "<history maxstanzas='50'/>";
    tells(Way::FromAccount, "join bob", &join(history, ""));
    tells(Way::FromAccount, "join bob - |<show>dnd</show>", &join(history, "<show>dnd</show>"));
    tells(Way::FromAccount, "pres bob <x xmlns='muc'/>", &join("", ""));
    tells(Way::FromSession(1), "join bob", &join("", ""));
    tells(Way::FromSession(1), &format!("join bob {history}"), &join(history, ""));
}

#[test]
fn text_is_what_a_message_says() {
    let message = |kind: &str, id: &str, inside: &str| {
        format!("<message {OCCUPANT} type='{kind}' id='{id}'>{inside}</message>")
    };
    let to_session = |line: &str, xml: &str| tells(Way::ToSession(1), line, xml);
    to_session("gc bob m1", &message("groupchat", "m1", "<body>m1</body>"));
    to_session("gc bob m1 a &lt; b", &message("groupchat", "m1", "<body>a &lt; b</body>"));
    let delay = "<delay xmlns='urn:xmpp:delay' from='lounge@rooms.example' stamp='2026'/>";
    to_session("gc bob m1 one at=2026", &message("groupchat", "m1", &format!("<body>one</body>{delay}")));
    to_session("pm bob m1 <body>{}</body>", &message("chat", "m1", "<body>{}</body>"));
    to_session("pm bob m1 <body>ends </body>", &message("chat", "m1", "<body>ends </body>"));
    to_session(
        "pm bob m1 <body>he said at=home</body>",
        &message("chat", "m1", "<body>he said at=home</body>"),
    );
    to_session("subject - at=2026", &format!("<message {ROOM} type='groupchat'><subject/>{delay}</message>"));
    to_session(
        "subject bob Tea",
        &format!("<message {OCCUPANT} type='groupchat'><subject>Tea</subject></message>"),
    );
    to_session("say - - Hi", &format!("<message {ROOM}><body>Hi</body></message>"));
    tells(
        Way::FromSession(1),
        "gc - hi",
        "<message to='lounge@rooms.example' type='groupchat'><body>hi</body></message>",
    );
}

#[test]
fn an_error_is_told_with_who_says_it() {
    let namespace = "urn:ietf:params:xml:ns:xmpp-stanzas";
    let error = format!(
        "<error type='wait' by='lounge@rooms.example'><conflict xmlns='{namespace}'/><text xmlns='{namespace}'>Taken: bob</text></error>"
    );
    let told = "wait/conflict by lounge@rooms.example: Taken: bob";
    let xml = |name: &str, inside: &str| format!("<{name} {OCCUPANT} type='error' id='a'>{inside}</{name}>");
    tells(Way::ToAccount, &format!("refused bob a {told}"), &xml("presence", &error));
    tells(Way::ToAccount, &format!("error bob a {told}"), &xml("iq", &error));
    tells(
        Way::ToAccount,
        &format!("bounce bob a <body>hi</body> {told}"),
        &xml("message", &format!("<body>hi</body>{error}")),
    );
    tells(Way::ToAccount, "bounce bob a <error/>", &xml("message", "<error/>"));
}

#[test]
fn what_has_no_form_is_told_as_it_is() {
    let to_account = |xml: &str| tells(Way::ToAccount, xml, xml);
    to_account("<presence><show>dnd</show></presence>");
    to_account("<presence from='lounge@rooms.example/a@b'/>");
    to_account("<presence from='lounge@rooms.example/a b'/>");
    to_account("<presence from='lounge@rooms.example/-'/>");
    to_account("<iq from='lounge@rooms.example/bob' id='a b' type='result'/>");
    to_account(
        "<message from='lounge@rooms.example/bob' type='chat' xml:lang='de'><body>drei</body></message>",
    );
}

#[test]
#[should_panic(expected = "cannot be told")]
fn what_no_line_gives_back_is_not_told() {
    Way::ToSession(1).write(&Stanza::from_xml("<message><body>one\ntwo</body></message>").unwrap());
}
