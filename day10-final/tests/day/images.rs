pub mod build;
pub mod registry;
mod requests;
mod tls;
