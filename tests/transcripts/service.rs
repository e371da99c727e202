//! What happens to the service of the room, and to the streams with its server.

use minimix_core::event::Event;

const SERVICE: &str = "rooms.example";

/// `room> connects`, if its server has set up a stream, and the like.
pub(crate) fn of_connection(what: &str) -> Option<Event> {
    let domain = SERVICE.to_owned();
    Some(match what {
        "is called" => Event::StreamBegun { domain },
        "is reached" => Event::StreamSettled { domain },
        "is connected" => Event::StreamEstablished { domain, is_of_peer: false },
        "connects" => Event::StreamEstablished { domain, is_of_peer: true },
        "loses its connection" => Event::ServiceLost { domain, in_peace: false, is_incoming: true },
        "loses our connection" => Event::ServiceLost { domain, in_peace: false, is_incoming: false },
        "closes its connection" => Event::ServiceLost { domain, in_peace: true, is_incoming: true },
        _ => return None,
    })
}

/// `service> result ID` or `service> error ID CONDITION`: what the host has asked is answered.
pub(crate) fn of_service(what: &str) -> Event {
    let mut words = what.split(' ').skip(1).map(str::to_owned);
    let id = words.next().expect("an id");
    Event::ServiceAnswered { domain: SERVICE.to_owned(), id, error: words.next() }
}
