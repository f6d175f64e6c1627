//! The form of the help, and that its examples are commands.

use super::{Cli, command};

fn leaves(command: &clap::Command, path: &str, seen: &mut dyn FnMut(&str, &clap::Command)) {
    let path = format!("{path} {}", command.get_name()).trim().to_owned();
    let inner: Vec<_> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
    if inner.is_empty() {
        seen(&path, command);
    }
    for sub in inner {
        leaves(sub, &path, seen);
    }
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn every_command_shows_examples_first_and_each_example_is_understood() {
    let mut count = 0;
    leaves(&command(), "", &mut |path, leaf| {
        let text = leaf.get_before_help().map(ToString::to_string).unwrap_or_default();
        assert!(text.starts_with("Examples:\n  "), "{path} has no examples");
        for line in text.lines().filter(|line| line.trim_start().starts_with("windlass ")) {
            let bare = line.split(['#', '|', '>', '<']).next().unwrap_or_default();
            let words = bare.split_whitespace().map(Into::into);
            if let Err(error) = Cli::read(words) {
                panic!("`{line}` in the help of {path}: {error}");
            }
            count += 1;
        }
    });
    assert!(count > 40, "only {count} examples were found");
}

#[test]
fn a_mistyped_command_or_flag_is_answered_with_the_one_meant() {
    let told = |line: &str| Cli::read(line.split(' ').map(Into::into)).expect_err("a mistake").to_string();
    assert!(
        told("windlass descibe cluster a").contains("'describe'"),
        "{}",
        told("windlass descibe cluster a")
    );
    assert!(told("windlass get clusters --sort-bye a").contains("'--sort-by'"));
    assert!(told("windlass get cluters").contains("'clusters'"));
}
