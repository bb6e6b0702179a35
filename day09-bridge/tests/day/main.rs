//! What a user of this day's program would notice.

mod bridge;
mod cgroups;
mod cli;
mod command;
mod detach;
mod etc;
mod init;
mod internet;
mod lifetime;
mod logs;
mod namespaces;
mod network;
mod ps;
mod records;
mod rootfs;
mod state;
mod stop;
mod stress;
mod support;
mod terminal;
mod threads;
