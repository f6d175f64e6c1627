//! `Disk`: file work, away from the network's threads. Whoever waits for it may be cancelled, the work itself is not;
//! so an end waits for it, and whoever comes next finds a folder that nobody writes to.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// File work at once.
const AT_ONCE: u32 = 32;

/// Where file work is done.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    permits: Arc<Semaphore>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE as usize)) }
    }

    /// Does it, and gives what came of it; a panic goes on here.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        match task.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Waits until no work is under way.
    pub(crate) async fn settled(&self) {
        drop(self.permits.acquire_many(AT_ONCE).await);
    }
}
