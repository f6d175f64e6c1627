//! How tasks end; signals are tried on a process in `edge`.

use std::time::Duration;

use anyhow::bail;
use program::shutdown::{GRACE, Shutdown, Tasks};
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn tasks_that_heed_the_token_end_well() {
    let shutdown = Shutdown::listen().unwrap();
    let (stop, mut tasks) = (shutdown.token(), Tasks::new());
    let watching = stop.clone();
    tasks.start("poll", async move {
        watching.cancelled().await;
        Ok(())
    });
    tasks.start("once", async { Ok(()) });
    stop.cancel();
    shutdown.run_until_stopped(tasks, GRACE).await.unwrap();
}

#[tokio::test]
async fn without_tasks_there_is_nothing_to_wait_for() {
    Shutdown::listen().unwrap().run_until_stopped(Tasks::new(), GRACE).await.unwrap();
}

#[tokio::test]
async fn a_failed_task_stops_the_others_and_its_failure_is_the_result() {
    let shutdown = Shutdown::listen().unwrap();
    let (stop, mut tasks) = (shutdown.token(), Tasks::new());
    tasks.start("sync", async { bail!("disk full") });
    tasks.start("poll", async move {
        stop.cancelled().await;
        bail!("and later this")
    });
    let error = shutdown.run_until_stopped(tasks, GRACE).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "task `sync` failed: disk full");
}

#[tokio::test]
async fn a_panic_is_a_failure_with_the_tasks_name() {
    let mut tasks = Tasks::new();
    tasks.start("report", async { panic!("on purpose") });
    let error = Shutdown::listen().unwrap().run_until_stopped(tasks, GRACE).await.unwrap_err();
    assert!(error.to_string().starts_with("task `report` panicked"), "{error}");
}

#[tokio::test]
async fn a_task_that_does_not_end_is_ended_after_the_grace_period_and_named() {
    let shutdown = Shutdown::listen().unwrap();
    let mut tasks = Tasks::new();
    tasks.start("stuck", async {
        sleep(HOUR).await;
        Ok(())
    });
    tasks.start("quick", async { Ok(()) });
    let grace = Duration::from_millis(300);
    shutdown.token().cancel();
    let begun = Instant::now();
    let error = shutdown.run_until_stopped(tasks, grace).await.unwrap_err();
    assert_eq!(error.to_string(), "the grace period is over and these tasks had not ended: stuck");
    assert!(begun.elapsed() >= grace && begun.elapsed() < GRACE);
}
