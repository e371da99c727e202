//! The deciding core of `mod_minimix`: the account joins XEP-0045 rooms, once, for all its sessions.
//!
//! Read [`event`] first: all that goes in and comes out. [`bouncer::Bouncer`] finds the occupancy that an event
//! is about, `occupancy` decides, one file per kind of thing that happens; everything below are small machines
//! and the words of the field. `lua` is the binding: the only part that knows Lua, and there only with the feature
//! of that name. `docs/architecture.md` has the contract and the design decisions that comments here cite by number.
mod allowance;
pub mod bookmark;
pub mod bouncer;
pub mod config;
pub mod event;
pub mod ids;
mod intervals;
mod lazy;
#[cfg(feature = "lua")]
pub mod lua;
mod moment;
mod occupancy;
mod pace;
mod pending;
mod profile;
pub mod push;
mod record;
mod room;
mod said;
mod services;
mod sessions;
mod trouble;
mod turn;
pub mod xmpp;
