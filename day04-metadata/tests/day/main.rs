//! What a user of this day's program would notice.

mod cli;
mod command;
mod later;
mod lifetime;
mod namespaces;
mod ps;
mod rootfs;
mod state;
mod support;
mod terminal;
