//! Publishes without end, as a publisher does: first objects, then the head that names them. The tests kill it.

use std::process::ExitCode;

use bytes::Bytes;
use cdn::{Digest, Key};
use clap::Parser;
use store::{Store, StoreArgs, SwapError};

/// Publishes without end
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

fn main() -> ExitCode {
    let args = match program::settings::parse::<Args>() {
        Ok(args) => args,
        Err(stop) => return stop.show(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended =
        runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(publish(&args.store)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn publish(args: &StoreArgs) -> anyhow::Result<()> {
    let store = Store::open(args).await?;
    let head = Key::Head("default/web".parse()?);
    let mut seen = store.get(&head).await?.map(|found| found.version);
    loop {
        let content = Bytes::from(cdn::secret::random::<32>().repeat(8_000));
        let digest = Digest::of(&content);
        store.put(&Key::Object(digest), content).await?;
        match store.swap(&head, digest.to_string(), seen.as_ref()).await {
            Ok(version) => seen = Some(version),
            Err(SwapError::Conflict(found)) => seen = found.map(|found| found.version),
            Err(SwapError::Store(error)) => return Err(error.into()),
        }
    }
}
