//! Images in files: so far, the layers of those in the store.

pub mod unpack;
