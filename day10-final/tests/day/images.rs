pub mod build;
mod layers;
mod login;
mod pull;
pub mod registry;
mod requests;
mod tls;
