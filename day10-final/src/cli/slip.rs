//! What a slip in typing ends with: on this day, the exit codes of Docker.

use std::process::exit;

use clap::Error;
use clap::error::{ContextKind, ErrorKind};

use crate::cli::instead;
use crate::failure::{FAILED, RUNTIME_FAILED};

// ANCHOR: code
/// Docker finds wrong options first, with 125. What is missing, or too much, it finds later, with 1.
pub fn code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => 0,
        ErrorKind::MissingSubcommand | ErrorKind::InvalidSubcommand => FAILED,
        ErrorKind::MissingRequiredArgument => FAILED,
        ErrorKind::UnknownArgument if !is_option(error) => FAILED,
        _ => RUNTIME_FAILED,
    }
}
// ANCHOR_END: code

/// Tells the user what was wrong, or the help that they have asked for, and ends.
pub fn end(mut error: Error) -> ! {
    // For an option that run does not know, clap suggests `-- --option`, which would turn it into a command.
    if instead::command(&error).is_some() {
        error.remove(ContextKind::Suggested);
    }
    // Where that cannot be printed, the exit code is all that can still be told.
    let _ = error.print();
    exit(code(&error).into())
}

fn is_option(unknown: &Error) -> bool {
    let argument = unknown.get(ContextKind::InvalidArg);
    argument.is_some_and(|argument| argument.to_string().starts_with('-'))
}
