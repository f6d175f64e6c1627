//! A database that answers, stops answering, and comes back.

use std::time::Duration;

use testbed::Postgres;

#[tokio::test]
async fn databases_are_apart() {
    let postgres = Postgres::shared().await.expect("PostgreSQL starts");
    let one = postgres.create_database("apart").await.expect("a database is made");
    let other = postgres.create_database("apart").await.expect("another one is made");
    assert_ne!(one, other);
    let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    postgres
        .sql(&name(&one), "create table t (n int); insert into t values (1), (2)")
        .await
        .expect("SQL runs");
    assert_eq!(
        postgres.sql(&name(&one), "select n, n * 2 from t order by n").await.expect("SQL runs"),
        "1|2\n2|4"
    );
    let missing =
        postgres.sql(&name(&other), "select n from t").await.expect_err("the other one has no such table");
    assert!(format!("{missing:#}").contains("does not exist"), "{missing:#}");
}

#[tokio::test]
async fn it_stops_and_freezes_and_keeps_what_it_had() {
    let mut postgres = Postgres::start().await.expect("PostgreSQL starts");
    postgres
        .sql("postgres", "create table kept (n int); insert into kept values (7)")
        .await
        .expect("SQL runs");
    postgres.stop().await.expect("it stops in order");
    postgres.sql("postgres", "select 1").await.expect_err("nobody answers");
    postgres.start_again().await.expect("it starts again");
    postgres.kill().await.expect("it is killed");
    postgres.start_again().await.expect("it starts after a kill");
    assert_eq!(postgres.sql("postgres", "select n from kept").await.expect("the port is the same"), "7");
    postgres.pause().expect("it freezes");
    let frozen = tokio::time::timeout(Duration::from_millis(500), postgres.sql("postgres", "select 1")).await;
    assert!(frozen.is_err(), "a frozen server answers nothing: {frozen:?}");
    postgres.resume().expect("it goes on");
    assert_eq!(postgres.sql("postgres", "select 1").await.expect("it answers again"), "1");
}
