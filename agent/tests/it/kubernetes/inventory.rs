//! The inventory in the cluster: whole, or said to be lost.

use std::collections::BTreeMap;

use agent::target::{NotLoaded, Sharded};
use anyhow::{Context as _, Result};
use cdn::Digest;
use cdn::document::HoldReason;

use super::Bench;

fn inventory(index: &str, shards: &[&[u8]]) -> Sharded {
    let shards: BTreeMap<_, _> = shards.iter().map(|bytes| (Digest::of(bytes), bytes.to_vec())).collect();
    Sharded { index: index.as_bytes().to_vec(), shards }
}

async fn names(bench: &Bench) -> Result<Vec<String>> {
    let namespace = format!("{}-agent", bench.namespace);
    let names = ["get", "configmaps", "-n", &namespace, "-l", "windlass.dev/inventory", "-o", "name"];
    Ok(bench.cluster.kubectl(&names).await?.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn what_is_saved_is_loaded_and_what_it_no_longer_names_goes() -> Result<()> {
    let bench = Bench::new("kept").await?;
    assert_eq!(bench.target.load_inventory().await?, None);
    let large: Vec<u8> = (0..512 * 1024u32).map(|n| n.to_le_bytes()[0]).collect();
    let first = inventory("one", &[&large, b"a", b"b"]);
    bench.target.save_inventory(&first).await?;
    assert_eq!(bench.target.load_inventory().await?, Some(first));
    let second = inventory("two", &[b"b", b"c"]);
    bench.target.save_inventory(&second).await?;
    bench.target.save_inventory(&second).await?;
    assert_eq!(bench.target.load_inventory().await?, Some(second));
    assert_eq!(names(&bench).await?.len(), 3);
    let none = inventory("none", &[]);
    bench.target.save_inventory(&none).await?;
    assert_eq!(bench.target.load_inventory().await?, Some(none));
    Ok(())
}

#[tokio::test]
async fn f22_an_inventory_that_was_edited_or_cut_is_lost_and_a_new_one_replaces_it() -> Result<()> {
    let bench = Bench::new("damaged").await?;
    let namespace = format!("{}-agent", bench.namespace);
    let whole = inventory("index", &[b"a"]);
    bench.target.save_inventory(&whole).await?;
    let all = names(&bench).await?;
    let shard = all.iter().find(|name| !name.ends_with("-inventory")).context("there is a shard")?;
    for name in ["configmap/windlass-inventory", shard] {
        let edit = r#"{"binaryData": {"content": "b3RoZXI="}}"#;
        bench.cluster.kubectl(&["patch", name, "-n", &namespace, "-p", edit]).await?;
        let why = bench.target.load_inventory().await.expect_err("it is not what was written");
        assert!(matches!(&why, NotLoaded::Damaged(why) if why.contains("is not what was written")), "{why}");
        bench.target.save_inventory(&whole).await?;
        assert_eq!(bench.target.load_inventory().await?, Some(whole.clone()));
    }
    bench.cluster.kubectl(&["delete", "configmap", "windlass-inventory", "-n", &namespace]).await?;
    let why = bench.target.load_inventory().await.expect_err("the index is gone");
    assert!(matches!(why, NotLoaded::Damaged(_)), "{why}");
    Ok(())
}

#[tokio::test]
async fn an_inventory_that_may_not_be_read_is_not_an_empty_one() -> Result<()> {
    let bench = Bench::new("closed").await?;
    let stranger = bench.of(&format!("stranger-{}", bench.namespace)).await?;
    let why = stranger.load_inventory().await.expect_err("nothing is bound to the stranger");
    assert!(matches!(&why, NotLoaded::Refused(refused) if refused.reason == HoldReason::Forbidden), "{why}");
    Ok(())
}
