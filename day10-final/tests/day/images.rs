pub mod build;
mod login;
pub mod registry;
mod requests;
mod tls;
