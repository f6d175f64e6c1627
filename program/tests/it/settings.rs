//! One order for all settings, and a mistake in any of them is told with its place and its cure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};
use program::logs::LogArgs;
use program::observe::{Listen, ObserveArgs};
use program::settings::{SecretError, Stop, bytes, duration, parse_from, read_secret};
use tempfile::TempDir;

#[derive(Debug, Parser)]
struct Args {
    #[arg(long)]
    store: String,
    #[arg(long, default_value = "2m", value_parser = duration(Duration::from_secs(5), Duration::from_hours(1)))]
    interval: Duration,
    #[arg(long, default_value = "20MB", value_parser = bytes(1, 1 << 30))]
    cache_size: u64,
    #[arg(long = "origin")]
    origins: Vec<String>,
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    workers: Option<u16>,
    #[command(flatten)]
    observe: ObserveArgs<9123>,
    #[command(flatten)]
    logs: LogArgs,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Once {
        #[arg(long)]
        reference: String,
    },
}

struct File {
    _directory: TempDir,
    path: PathBuf,
}

fn file(text: &str) -> File {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("windlass.toml");
    std::fs::write(&path, text).unwrap();
    File { _directory: directory, path }
}

fn parse(text: &str, args: &[&str]) -> Result<Args, Stop> {
    let file = file(text);
    let config = file.path.to_str().unwrap();
    parse_from(["prog", "--config", config].into_iter().chain(args.iter().copied()), |_| Ok(()))
}

fn refusal(text: &str, args: &[&str]) -> String {
    let stop = parse(text, args).unwrap_err();
    assert_eq!(stop.code(), 2, "{stop}");
    stop.to_string()
}

#[test]
fn every_kind_of_value_comes_from_the_file() {
    let text = r#"
        store = "s3://bucket"
        interval = "90s"
        cache_size = "1MiB"
        origin = ["https://a", "https://b"]
        dry-run = true
        workers = 7
        [observe]
        listen = "off"
        [log]
        format = "json"
    "#;
    let args = parse(text, &[]).unwrap();
    assert_eq!(
        (args.store.as_str(), args.interval, args.cache_size),
        ("s3://bucket", Duration::from_secs(90), 1 << 20)
    );
    assert_eq!((args.origins.len(), args.dry_run, args.workers), (2, true, Some(7)));
    assert_eq!(args.observe.observe_listen, Listen::Off);
    assert_eq!(args.logs.log_format, program::logs::LogFormat::Json);
}

#[test]
fn flags_stand_before_the_file_and_the_file_before_defaults() {
    let text = "store = \"file\"\ninterval = \"1m\"\norigin = [\"a\", \"b\"]\n";
    let args = parse(text, &["--store", "flag", "--origin", "c"]).unwrap();
    assert_eq!(
        (args.store.as_str(), args.interval, args.origins),
        ("flag", Duration::from_mins(1), vec!["c".to_owned()])
    );
    assert_eq!((args.cache_size, args.observe.observe_listen), (20_000_000, Listen::local(9123)));
}

#[test]
fn a_subcommand_takes_its_settings_from_the_same_file() {
    let args = parse("store = \"s\"\nreference = \"main\"\n", &["once"]).unwrap();
    assert!(matches!(args.verb, Some(Verb::Once { reference }) if reference == "main"));
    let args = parse("store = \"s\"\nreference = \"main\"\n", &["once", "--reference", "v2"]).unwrap();
    assert!(matches!(args.verb, Some(Verb::Once { reference }) if reference == "v2"));
    let file = file("store = \"s\"\nreference = \"behind\"\n");
    let behind = ["prog", "once", "--config", file.path.to_str().unwrap()];
    let args = parse_from::<Args>(behind, |_| Ok(())).unwrap();
    assert!(matches!(args.verb, Some(Verb::Once { reference }) if reference == "behind"));
}

#[test]
fn without_a_file_what_is_required_is_asked_for() {
    let stop = parse_from::<Args>(["prog"], |_| Ok(())).unwrap_err();
    assert!(stop.code() == 2 && stop.to_string().contains("--store"), "{stop}");
}

#[test]
fn k2_an_unknown_key_is_refused_with_file_key_and_suggestion() {
    let said = refusal("store = \"s\"\nintervall = \"1m\"\n", &[]);
    assert!(said.contains("windlass.toml: unknown key `intervall`; did you mean `interval`?"), "{said}");
    let said = refusal("store = \"s\"\n[observe]\nlisen = \"off\"\n", &[]);
    assert!(said.contains("unknown key `observe-lisen`; did you mean `observe-listen`?"), "{said}");
    assert!(!refusal("zzz = 1\n", &[]).contains("did you mean"));
    for own in ["config", "check-config", "help"] {
        assert!(refusal(&format!("{own} = \"x\"\n"), &[]).contains(&format!("unknown key `{own}`")));
    }
}

#[test]
fn k2_a_bad_value_of_the_file_names_file_and_key() {
    let said = refusal("store = \"s\"\ninterval = \"1x\"\n", &[]);
    assert!(said.contains("windlass.toml: key `interval`") && said.contains("unknown unit `x`"), "{said}");
    let said = refusal("store = \"s\"\ninterval = 30\n", &[]);
    assert!(said.contains("has no unit"), "{said}");
    let said = refusal("store = \"s\"\ninterval = \"2h\"\n", &[]);
    assert!(said.contains("must be between 5s and 1h"), "{said}");
    let said = refusal("store = \"s\"\ninterval = \"1m\"\n", &["--interval", "1x"]);
    assert!(!said.contains("windlass.toml"), "{said}");
}

#[test]
fn k2_wrong_shapes_are_refused() {
    for (text, why) in [
        ("store = [\"a\"]", "takes one value, not a list"),
        ("origin = [[\"a\"]]", "holds a table or list inside a list"),
        (
            "store = \"a\"\n[observe]\nlisten = \"off\"\n[observe.listen2]\nx = 1",
            "unknown key `observe-listen2-x`",
        ),
        ("log-level = \"info\"\nlog_level = \"warn\"", "is given twice"),
        ("store = ", "windlass.toml: "),
    ] {
        let said = refusal(text, &[]);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn k2_a_missing_or_huge_file_is_refused() {
    let stop = parse_from::<Args>(["prog", "--config", "/no/such.toml"], |_| Ok(())).unwrap_err();
    assert!(stop.to_string().contains("/no/such.toml: No such file"), "{stop}");
    let said = refusal(&"# comment\n".repeat(30_000), &[]);
    assert!(said.contains("larger than the limit"), "{said}");
    let stop = parse_from::<Args>(["prog", "--config", "/dev/zero"], |_| Ok(())).unwrap_err();
    assert!(stop.to_string().contains("not a regular file"), "{stop}");
}

#[test]
fn k2_check_config_runs_the_programs_own_check_and_ends_with_zero() {
    let stop = parse("store = \"s\"\n", &["--check-config"]).unwrap_err();
    assert_eq!(stop.code(), 0);
    assert!(
        stop.to_string().starts_with("configuration ok: ") && stop.to_string().ends_with("windlass.toml"),
        "{stop}"
    );
    let own = |args: &Args| {
        anyhow::ensure!(args.store != "s", "the store must not be called s");
        Ok(())
    };
    let stop = parse_from::<Args>(["prog", "--store", "s", "--check-config"], own).unwrap_err();
    assert_eq!((stop.code(), stop.to_string()), (2, "error: the store must not be called s".to_owned()));
}

#[test]
fn help_is_asked_for_without_a_working_file_and_shows_our_own_flags() {
    let stop = parse_from::<Args>(["prog", "--config", "/no/such.toml", "--help"], |_| Ok(())).unwrap_err();
    let said = stop.to_string();
    assert_eq!(stop.code(), 0, "{said}");
    for part in ["--config <FILE>", "WINDLASS_CONFIG", "--check-config", "127.0.0.1:9123"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn a_secret_loses_one_newline_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let secret = |bytes: &[u8]| {
        let path: &Path = &directory.path().join("token");
        std::fs::write(path, bytes).unwrap();
        read_secret(path)
    };
    assert_eq!(secret(b"wl_1 2\n").unwrap(), "wl_1 2");
    assert_eq!(secret(b"wl\r\n").unwrap(), "wl");
    assert_eq!(secret(b"wl\n\n").unwrap(), "wl\n");
    assert!(matches!(secret(b"\n"), Err(SecretError::Empty(_))));
    assert!(matches!(secret(b"\xff\xfe"), Err(SecretError::NotText(_))));
    assert!(matches!(secret(&vec![b'x'; 64 * 1024 + 1]), Err(SecretError::Unreadable { .. })));
    assert_eq!(secret(&vec![b'x'; 64 * 1024]).unwrap().len(), 64 * 1024);
}
