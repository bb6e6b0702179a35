//! A row of the tables of what we do not have: those beside this file, and the one above it.

/// What we do not have, why, and what to type instead, which may be empty.
pub type Lack = (&'static [&'static str], &'static str, &'static str);
