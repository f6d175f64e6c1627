//! `publish` once, for CI: how it ends, so that a script knows whether to try again.

use std::collections::BTreeMap;

use cdn::secret::{Token, TokenKind};

use crate::fleet::{Fleet, config};

/// Store, keys and what is allowed, as `Fleet::publish` leaves them.
const FLAGS: &str =
    "--store store --root keys/root --release-key keys/release-default.key --allow allow.toml --cache cache";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_published_is_told_by_the_exit_code() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    fleet.describe(&["web"]).await;
    fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "1"))])).await;
    let publish = async |rest: &str| user.run(&format!("publish default/nope {FLAGS}{rest}")).await;
    publish("").await.fails(2, &["nothing says where default/nope comes from", "next: give --from-git"]);
    let api = format!(" --api {} --token-file", fleet.url);
    publish(&format!(" --api {}", fleet.url)).await.fails(2, &["--api and --token-file belong together"]);
    publish(&format!("{api} publisher.token"))
        .await
        .fails(4, &["the api does not want default/nope", "next: apply its description first"]);
    user.write("other.token", Token::random(TokenKind::Publisher, None).secret().expose());
    publish(&format!("{api} other.token")).await.fails(3, &["next: check --token-file", "request: rq_"]);
    publish(" --api http://127.0.0.1:1 --token-file publisher.token").await.fails(
        1,
        &["cannot reach the api at http://127.0.0.1:1", "next: check that windlass-api runs there"],
    );
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_project_is_of_the_default_one() {
    let fleet = Fleet::start().await;
    fleet.describe(&["web"]).await;
    let release = fleet.publish("web", &BTreeMap::from([("a.yaml", config("a", "1"))])).await;
    let known = fleet.user.run("get releases default/web -o name").await.ok();
    assert_eq!(known, format!("release/{release}\n"));
    fleet.end().await;
}
