//! The api through its front door: real HTTP on loopback, SQLite and PostgreSQL, a store in a folder. Only the clock is the
//! tests' own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

/// One test for each database.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* async fn $name:ident($fleet:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[doc = $doc])*
            async fn test($fleet: crate::fleet::Fleet) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                test(crate::fleet::Fleet::on_sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                test(crate::fleet::Fleet::on_postgres().await).await;
            }
        }
    )+};
}

mod agent;
mod audit;
mod credentials;
mod description;
mod fleet;
mod front;
mod going;
mod input;
mod outage;
mod people;
mod poll;
mod program;
mod recovery;
mod replicas;
mod roots;
mod services;
