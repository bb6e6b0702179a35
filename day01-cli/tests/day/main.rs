//! What a user of this day's program would notice.

mod cli;
mod exit;
mod later;
mod support;
