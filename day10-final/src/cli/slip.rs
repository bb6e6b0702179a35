//! How a usage error ends: on this day, with Docker's exit codes.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind as Problem, Write};
use std::process::exit;

use clap::Error;
use clap::error::{ContextKind, ErrorKind};

use crate::failure::{FAILED, RUNTIME_FAILED, escaped, say};

// ANCHOR: code
/// Docker first checks the options, and exits with 125. Missing and extra arguments it finds later, and exits with 1.
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

// ANCHOR: end
/// Prints what was wrong, or the help that the user has asked for, and exits.
pub fn end(mut error: Error) -> ! {
    // For an option that run does not know, clap suggests `-- --option`, which would turn it into a command.
    if command(&error).is_some() {
        error.remove(ContextKind::Suggested);
    }
    let odd = |typed: OsString| escaped(&typed.to_string_lossy()) != typed.to_string_lossy();
    let printed = match error.use_stderr() && env::args_os().any(odd) {
        // clap would repeat it as it is.
        true => write!(io::stderr(), "{}", escaped(&error.render().to_string())),
        false => error.print(),
    };
    let mut code = code(&error);
    // An error that cannot be printed has its exit code. For the help, that would be 0.
    if let Err(problem) = printed.and_then(|()| io::stdout().flush())
        && !error.use_stderr()
        && problem.kind() != Problem::BrokenPipe
    {
        say(&format!("cannot print: {problem}"));
        code = FAILED;
    }
    exit(code.into())
}
// ANCHOR_END: end

/// The command that the `error` is about, taken from its usage line: "Usage: tiny-docker run [OPTIONS] …". It may have
/// two words, such as "image ls".
pub fn command(error: &Error) -> Option<String> {
    let usage = error.get(ContextKind::Usage)?.to_string();
    let words = usage.split_whitespace().skip(2);
    let command: Vec<_> = words
        .take_while(|it| !it.starts_with(['[', '<', '-']))
        .collect();
    (!command.is_empty()).then(|| command.join(" "))
}

fn is_option(unknown: &Error) -> bool {
    let argument = unknown.get(ContextKind::InvalidArg);
    argument.is_some_and(|argument| argument.to_string().starts_with('-'))
}
