pub mod build;
pub mod keep;
mod layers;
mod login;
mod pull;
pub mod registry;
mod requests;
mod store;
mod tls;
