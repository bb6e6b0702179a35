//! What a user of this day's program would notice.

mod cli;
mod command;
mod detach;
mod lifetime;
mod logs;
mod namespaces;
mod ps;
mod rootfs;
mod state;
mod stop;
mod stress;
mod support;
mod terminal;
