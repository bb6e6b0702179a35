//! Options of Docker's commands for images that our commands do not have.

use crate::cli::instead::lack::Lack;

pub const CONTENT_TRUST: Lack = (
    &["--disable-content-trust"],
    "there are no signatures, but a digest says exactly what you get",
    "NAME@sha256:DIGEST",
);

pub const PLATFORM: Lack = (
    &["--platform"],
    "only this machine's images can run here",
    "leave it out",
);

const PULL: [Lack; 3] = [
    (
        &["--all-tags", "-a"],
        "a registry is asked for one name at a time",
        "tiny-docker pull NAME:TAG",
    ),
    CONTENT_TRUST,
    PLATFORM,
];

const IMAGES: [Lack; 2] = [
    (
        &["--filter", "-f"],
        "there are no filters, except for a name",
        "tiny-docker images NAME, or images | grep …",
    ),
    (
        &["--tree"],
        "of each image, only the one for this machine is here",
        "tiny-docker images",
    ),
];

const RMI: [Lack; 2] = [
    (
        &["--no-prune"],
        "layers have no names: they go with the last image that needs them",
        "leave it out",
    ),
    PLATFORM,
];

const HISTORY: [Lack; 3] = [
    (
        &["--format"],
        "there are no templates, but the image's own words are JSON",
        "tiny-docker inspect IMAGE",
    ),
    (
        &["--human", "-H"],
        "sizes and dates are always for humans",
        "leave it out",
    ),
    PLATFORM,
];

const ARCHIVES: [Lack; 1] = [PLATFORM];

const IMAGE_PRUNE: [Lack; 1] = [(
    &["--filter"],
    "there are no filters",
    "tiny-docker images, then rmi ID",
)];

const DF: [Lack; 1] = [(
    &["--format"],
    "there are no templates",
    "tiny-docker system df | grep …",
)];

// ANCHOR: of
/// See [`crate::cli::instead::options::of`].
pub fn of(command: &str) -> &'static [Lack] {
    match command {
        "pull" | "image pull" => &PULL,
        "images" | "image ls" => &IMAGES,
        "rmi" | "image rm" => &RMI,
        "history" | "image history" => &HISTORY,
        "load" | "save" | "import" | "image load" | "image save" | "image import" => &ARCHIVES,
        "image prune" => &IMAGE_PRUNE,
        "system df" => &DF,
        _ => &[],
    }
}
// ANCHOR_END: of
