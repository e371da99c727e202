//! The deciding core of `mod_minimix`: the account joins XEP-0045 rooms, once, for all its sessions.
//!
//! Read [`event`] first: all that goes in and comes out. [`bouncer::Bouncer`] finds the occupancy that an event
//! is about, `occupancy` decides, one file per kind of thing that happens; everything below are small machines
//! and the words of the field. [`lua`] is the binding, and the only part that knows Lua. `docs/architecture.md`
//! has the contract and the design decisions that comments here cite by number.
mod avatar;
pub mod bouncer;
pub mod concerns;
pub mod config;
mod delay;
pub mod error;
pub mod event;
mod history;
mod identity;
mod ids;
pub mod jid;
mod kinds;
pub mod lua;
pub mod muc;
mod occupancy;
mod pending;
mod retraction;
mod room;
mod roster;
mod self_presence;
mod sessions;
mod snapshot;
pub mod stanza;
mod timetable;
mod turn;
