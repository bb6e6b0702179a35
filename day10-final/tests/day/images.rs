//! Images, from registries that are started for a test, and from archives.

mod archive;
pub mod build;
pub mod keep;
mod layers;
mod login;
mod pull;
pub mod registry;
mod removal;
mod requests;
pub mod run;
mod says;
mod store;
mod tls;
