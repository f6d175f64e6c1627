//! The one suite for both stores.

use std::collections::BTreeSet;

use bytes::Bytes;
use cdn::{Digest, Key};
use store::{Cause, Put, Store, SwapError};
use tokio::task::JoinSet;

use crate::bench::{Bench, cause, conflict, head, move_to, object, text_at};

macro_rules! on_both {
    ($($name:ident)*) => {
        mod in_a_folder {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Bench::directory()).await;
            })*
        }
        mod in_a_bucket {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Bench::s3().await).await;
            })*
        }
    };
}

on_both! {
    what_is_put_is_read_back_and_putting_it_again_is_no_news
    an_object_of_twenty_megabytes_goes_there_and_back
    an_unknown_key_is_none
    a16_bytes_that_are_not_what_the_key_names_are_refused_before_sending
    an_oversize_document_is_refused_before_sending_and_not_read_either
    a_key_that_changes_is_not_put_and_one_that_does_not_is_not_swapped
    another_root_of_the_same_number_is_refused
    a1_a_damaged_object_is_not_given_and_putting_it_again_repairs_it
    c7_a_swap_needs_the_version_that_lies_there
    c7_of_twenty_writers_exactly_one_wins_each_round
    c7_no_step_of_a_parallel_count_is_lost
    a_swap_whose_answer_got_lost_can_be_tried_again
    twenty_writers_of_one_object_all_succeed
    c6_publishing_again_after_a_crash_between_steps_ends_the_same
    each_key_lies_at_its_own_place
}

async fn what_is_put_is_read_back_and_putting_it_again_is_no_news(bench: Bench) {
    let store = bench.open().await;
    let (key, bytes) = object("content");
    assert_eq!(store.put(&key, bytes.clone()).await.unwrap(), Put::New);
    assert_eq!(store.get(&key).await.unwrap().unwrap().bytes, bytes);
    assert_eq!(store.put(&key, bytes.clone()).await.unwrap(), Put::AlreadyThere);
    let again = bench.open().await;
    assert_eq!(again.put(&key, bytes).await.unwrap(), Put::AlreadyThere);
    let (empty, nothing) = object("");
    assert_eq!(store.put(&empty, nothing).await.unwrap(), Put::New);
    assert_eq!(text_at(&store, &empty).await.as_deref(), Some(""));
}

async fn an_object_of_twenty_megabytes_goes_there_and_back(bench: Bench) {
    let store = bench.open().await;
    let bytes = Bytes::from(cdn::secret::random::<1000>().repeat(20_000));
    let key = Key::Object(Digest::of(&bytes));
    assert_eq!(store.put(&key, bytes.clone()).await.unwrap(), Put::New);
    assert_eq!(store.get(&key).await.unwrap().unwrap().bytes, bytes);
}

async fn an_unknown_key_is_none(bench: Bench) {
    let store = bench.open().await;
    for key in [object("nothing").0, Key::Root(1), head("web"), Key::Routes(Digest::of(b""))] {
        assert_eq!(store.get(&key).await.unwrap(), None, "{key}");
    }
}

async fn a16_bytes_that_are_not_what_the_key_names_are_refused_before_sending(bench: Bench) {
    let store = bench.open().await;
    let (key, _) = object("content");
    let refused = cause(store.put(&key, "Content").await, &store, &key);
    assert!(matches!(refused, Cause::NotItsDigest(got) if got == Digest::of(b"Content")), "{refused}");
    assert_eq!(store.get(&key).await.unwrap(), None, "nothing was sent");
    store.put(&key, "content").await.unwrap();
    cause(store.put(&key, "Content").await, &store, &key);
    assert_eq!(text_at(&store, &key).await.as_deref(), Some("content"), "and nothing was changed");
}

async fn an_oversize_document_is_refused_before_sending_and_not_read_either(bench: Bench) {
    let store = bench.open().await;
    let key = Key::Root(1);
    let most = usize::try_from(key.max_bytes()).unwrap();
    let refused = cause(store.put(&key, vec![b'x'; most + 1]).await, &store, &key);
    assert!(matches!(refused, Cause::TooLarge { limit } if limit == key.max_bytes()), "{refused}");
    store.put(&key, vec![b'x'; most]).await.unwrap();
    bench.tamper(&key, &vec![b'x'; most + 1]).await;
    let refused = cause(store.get(&key).await, &store, &key);
    assert!(matches!(refused, Cause::TooLarge { .. }), "{refused}");
}

async fn a_key_that_changes_is_not_put_and_one_that_does_not_is_not_swapped(bench: Bench) {
    let store = bench.open().await;
    let key = head("web");
    assert!(matches!(cause(store.put(&key, "{}").await, &store, &key), Cause::WrongVerb(_)));
    let (key, bytes) = object("content");
    let Err(SwapError::Store(error)) = store.swap(&key, bytes, None).await else {
        panic!("swapped an object")
    };
    assert!(matches!(error.cause, Cause::WrongVerb(_)), "{error}");
}

async fn another_root_of_the_same_number_is_refused(bench: Bench) {
    let store = bench.open().await;
    let key = Key::Root(2);
    assert_eq!(store.put(&key, "{\"root\":2}").await.unwrap(), Put::New);
    assert_eq!(store.put(&key, "{\"root\":2}").await.unwrap(), Put::AlreadyThere);
    let refused = cause(store.put(&key, "{\"root\":\"two\"}").await, &store, &key);
    assert!(matches!(refused, Cause::Different), "{refused}");
    assert_eq!(text_at(&store, &key).await.as_deref(), Some("{\"root\":2}"));
}

async fn a1_a_damaged_object_is_not_given_and_putting_it_again_repairs_it(bench: Bench) {
    let store = bench.open().await;
    let (key, bytes) = object("content");
    store.put(&key, bytes.clone()).await.unwrap();
    for damaged in ["c0ntent", "", "content and more"] {
        bench.tamper(&key, damaged.as_bytes()).await;
        let refused = cause(store.get(&key).await, &store, &key);
        assert!(matches!(refused, Cause::Damaged(got) if got == Digest::of(damaged.as_bytes())), "{refused}");
        assert_eq!(store.put(&key, bytes.clone()).await.unwrap(), Put::New);
        assert_eq!(text_at(&store, &key).await.as_deref(), Some("content"));
    }
}

async fn c7_a_swap_needs_the_version_that_lies_there(bench: Bench) {
    let store = bench.open().await;
    let key = head("web");
    let first = store.swap(&key, "one", None).await.unwrap();
    assert_eq!(conflict(store.swap(&key, "other", None).await).as_deref(), Some("one"));
    let second = store.swap(&key, "two", Some(&first)).await.unwrap();
    assert_eq!(conflict(store.swap(&key, "three", Some(&first)).await).as_deref(), Some("two"));
    assert_eq!(store.get(&key).await.unwrap().unwrap().version, second);
    let nowhere = head("nowhere");
    assert_eq!(conflict(store.swap(&nowhere, "x", Some(&second)).await), None);
    assert_eq!(store.get(&nowhere).await.unwrap(), None);
}

async fn c7_of_twenty_writers_exactly_one_wins_each_round(bench: Bench) {
    let key = head("web");
    let stores = [bench.open().await, bench.open().await];
    let mut version = None;
    for round in 0..5 {
        let mut writers = JoinSet::new();
        for writer in 0..20 {
            let (store, key, expected) = (stores[writer % 2].clone(), key.clone(), version.clone());
            writers.spawn(async move {
                let text = format!("round {round}, writer {writer}");
                (text.clone(), store.swap(&key, text, expected.as_ref()).await)
            });
        }
        let mut winners = Vec::new();
        let mut told = BTreeSet::new();
        while let Some(writer) = writers.join_next().await {
            match writer.unwrap() {
                (text, Ok(won)) => winners.push((text, won)),
                (_, lost) => told.extend(conflict(lost)),
            }
        }
        let [(text, won)] = winners.try_into().expect("exactly one winner");
        assert_eq!(told, BTreeSet::from([text.clone()]), "the losers are told what won");
        assert_eq!(text_at(&stores[0], &key).await, Some(text));
        version = Some(won);
    }
}

async fn c7_no_step_of_a_parallel_count_is_lost(bench: Bench) {
    let key = head("count");
    let store = bench.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let (store, key) = (store.clone(), key.clone());
        writers.spawn(async move {
            for _ in 0..5 {
                add_one(&store, &key, writer).await;
            }
        });
    }
    writers.join_all().await;
    assert_eq!(count(text_at(&store, &key).await.as_deref()), 30);
}

/// Whose step it is stands beside the count: two who write the same bytes have both succeeded.
async fn add_one(store: &Store, key: &Key, writer: usize) {
    loop {
        let found = store.get(key).await.unwrap();
        let next = 1 + count(found.as_ref().map(|found| std::str::from_utf8(&found.bytes).unwrap()));
        let version = found.map(|found| found.version);
        match store.swap(key, format!("{next} by {writer}"), version.as_ref()).await {
            Ok(_) => return,
            Err(SwapError::Conflict(_)) => {}
            Err(SwapError::Store(error)) => panic!("{error}"),
        }
    }
}

fn count(text: Option<&str>) -> u32 {
    text.and_then(|text| text.split(' ').next()).map_or(0, |count| count.parse().unwrap())
}

async fn a_swap_whose_answer_got_lost_can_be_tried_again(bench: Bench) {
    let store = bench.open().await;
    let key = head("web");
    let one = store.swap(&key, "one", None).await.unwrap();
    let two = store.swap(&key, "two", Some(&one)).await.unwrap();
    assert_eq!(store.swap(&key, "two", Some(&one)).await.unwrap(), two);
    assert_eq!(store.swap(&key, "two", None).await.unwrap(), two);
}

async fn twenty_writers_of_one_object_all_succeed(bench: Bench) {
    let store = bench.open().await;
    let text = "0123456789".repeat(20_000);
    let (key, bytes) = object(&text);
    let mut writers = JoinSet::new();
    for _ in 0..20 {
        let (store, key, bytes) = (store.clone(), key.clone(), bytes.clone());
        writers.spawn(async move { store.put(&key, bytes).await.unwrap() });
    }
    let new = writers.join_all().await.into_iter().filter(|put| *put == Put::New).count();
    assert_eq!(new, 1);
    assert_eq!(text_at(&store, &key).await, Some(text));
}

async fn c6_publishing_again_after_a_crash_between_steps_ends_the_same(bench: Bench) {
    let objects = ["bundle", "release"].map(object);
    for crash_after in 0..=objects.len() {
        let key = head(&format!("web-{crash_after}"));
        let store = bench.open().await;
        for (key, bytes) in objects.iter().take(crash_after) {
            store.put(key, bytes.clone()).await.unwrap();
        }
        drop(store);
        let store = bench.open().await;
        assert_eq!(store.get(&key).await.unwrap(), None, "no pointer to nothing");
        for (key, bytes) in &objects {
            store.put(key, bytes.clone()).await.unwrap();
        }
        assert_eq!(move_to(&store, &key, "release".to_owned()).await, 0);
        for (key, bytes) in &objects {
            assert_eq!(store.get(key).await.unwrap().unwrap().bytes, bytes);
        }
    }
}

async fn each_key_lies_at_its_own_place(bench: Bench) {
    let store = bench.open().await;
    let cluster = cdn::ClusterId::random();
    let changing = [head("a"), head("b"), Key::Routes(Digest::of(b"T")), Key::Desired(cluster)];
    for key in &changing {
        store.swap(key, key.path(), None).await.unwrap();
    }
    store.put(&Key::Root(1), Bytes::from(Key::Root(1).path())).await.unwrap();
    for key in changing.iter().chain([&Key::Root(1)]) {
        assert_eq!(text_at(&store, key).await, Some(key.path()));
    }
}
