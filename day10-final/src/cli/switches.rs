//! Switches with a value, as in Docker: --rm=false, -it=true.

use clap::builder::PossibleValuesParser;
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, Command, Error};

/// Whether a switch with a value may be the cause of the `error`.
pub fn may_have_value(error: &Error) -> bool {
    let after_a_letter = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    error.kind() == ErrorKind::TooManyValues || after_a_letter.as_deref() == Some("-=")
}

/// Docker's options with values that ask for what we do anyway. For the others, there is [`crate::cli::instead`].
pub fn anyway() -> [Arg; 1] {
    let option = |name, values: &[&'static str]| {
        let option = Arg::new(name).long(name).hide(true);
        option.value_parser(PossibleValuesParser::new(values))
    };
    [option("restart", &["no", ""])]
}

// ANCHOR: with_values
/// The same `command`, with switches that take a value. The help does not use it, because it is easier to read without.
pub fn with_values(mut command: Command) -> Command {
    // Some commands get their options only now.
    command.build();
    let switch = |arg: Arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .value_name("true|false")
            .value_parser(boolean),
        _ => arg,
    };
    command.mut_args(switch).mut_subcommands(with_values)
}
// ANCHOR_END: with_values

/// What Go accepts, and therefore Docker: strconv.ParseBool.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}
