//! Images: the image and the distribution specifications. `pull` fetches one, `run` puts a container on top of it.

pub mod archive;
pub mod digest;
pub mod keep;
pub mod layer;
pub mod manifest;
pub mod name;
pub mod pull;
pub mod registry;
pub mod settings;
pub mod store;
