//! No text makes the reader of a name, a token, a place or a body panic; whatever reads as a place has one spelling.
#![no_main]

use std::str::FromStr;

use cdn::secret::Token;
use cdn::wire::{JoinAnswer, JoinRequest, PollAnswer, Problem, PublishStatus, RenewAnswer, Wanted};
use cdn::{ClusterId, Digest, Key, ProjectName, PublicKey, ServiceName, json};

fn text<T: FromStr>(text: &str) {
    drop(T::from_str(text));
}

fn body<T: serde::de::DeserializeOwned>(bytes: &[u8]) {
    drop(json::document::<T>(bytes));
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(line) = std::str::from_utf8(bytes) {
        text::<Digest>(line);
        text::<ProjectName>(line);
        text::<ServiceName>(line);
        text::<ClusterId>(line);
        text::<PublicKey>(line);
        text::<Token>(line);
        if let Some(key) = Key::parse(line) {
            assert_eq!(key.path(), line.strip_prefix('/').unwrap_or(line));
        }
    }
    body::<PollAnswer>(bytes);
    body::<JoinRequest>(bytes);
    body::<JoinAnswer>(bytes);
    body::<RenewAnswer>(bytes);
    body::<Problem>(bytes);
    body::<Wanted>(bytes);
    body::<PublishStatus>(bytes);
});
