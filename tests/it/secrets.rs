//! Credentials: delivered once, kept in files, never shown.

use std::path::Path;

use cdn::secret::{Token, TokenKind};

use crate::fleet::Fleet;

#[tokio::test(flavor = "multi_thread")]
async fn d6_the_token_is_in_no_output_however_much_is_asked_for() {
    let fleet = Fleet::start().await;
    let token = fleet.token();
    let url = &fleet.url;
    let lines = [
        format!("-vvv --server {url} --token-file admin.token whoami -o json"),
        "-vvv whoami".to_owned(),
        "-vv get clusters".to_owned(),
        "-vvv get services nope".to_owned(),
        "-v version".to_owned(),
        format!("-vvv login --server {url} --token-file admin.token --context second"),
    ];
    for line in lines {
        let ran = fleet.user.run(&line).await;
        let all = format!("{}{}", ran.out, ran.err);
        let random = token.split('_').nth(1).unwrap();
        assert!(!all.contains(random), "{line}: {all}");
        assert!(line.contains("version") || ran.err.contains("asked the api"), "it did log: {line}: {all}");
    }
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_tried_first_and_kept_for_this_user_alone() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let file = ".config/windlass/config.toml";
    assert_eq!((user.mode(file), user.mode(".config/windlass")), (0o600, 0o700));
    let before = user.text(file);
    let wrong = Token::random(TokenKind::Admin, None);
    user.write("wrong", wrong.secret().expose());
    user.run(&format!("login --server {} --token-file wrong", fleet.url)).await.fails(3, &["request: "]);
    user.run("keys init --dir theirs").await.ok();
    let line = format!("login --server {} --token-file admin.token --root theirs", fleet.url);
    user.run(&line).await.fails(1, &["another fleet"]);
    assert_eq!(user.text(file), before, "a login that fails changes nothing");
    let words = ["login", "--server", &fleet.url, "--context", "second"];
    user.run_with(&words, Some(&fleet.token())).await.ok();
    assert_eq!(user.run("whoami -o name").await.ok(), "admin\n");
    user.run("--context third whoami").await.fails(2, &["no context `third`", "default, second"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_comes_alone_and_beside_it_its_id_and_end() {
    let fleet = Fleet::start().await;
    let made = fleet.user.run("join-token create").await;
    let known = fleet.user.run("get join-tokens -o json").await.json();
    let (id, end) = (&known["items"][0]["id"], &known["items"][0]["expires_at"]);
    for said in [id, end] {
        assert!(made.err.contains(said.as_str().unwrap()), "{said} is not said: {made:?}");
    }
    assert_eq!(made.ok().lines().count(), 1, "a script finds the token alone");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contexts_token_is_never_sent_to_another_server() {
    let fleet = Fleet::start().await;
    fleet.user.run("--server http://127.0.0.1:1 whoami").await.fails(3, &["no token for http://127.0.0.1:1"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_token_carries_the_fleet_and_can_be_revoked() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let printed =
        user.run("join-token create --ttl 2h --uses 3 --label env=test --approve -o name").await.ok();
    let token: Token = printed.trim().parse().unwrap();
    let root = std::fs::read(user.path("keys/root/1.json")).unwrap();
    assert_eq!((token.kind(), token.fleet()), (TokenKind::Join, Some(cdn::Digest::of(&root))));
    let list = user.run("join-token list -o json").await.json();
    let entry = &list["items"][0];
    assert_eq!((&entry["max_uses"], &entry["approve"]), (&3.into(), &true.into()), "{list:#}");
    assert!(!list.to_string().contains(printed.trim()));
    let id = entry["id"].as_str().unwrap();
    user.run(&format!("join-token revoke {id}")).await.ok();
    assert!(user.run("join-token list").await.ok().contains("Revoked"));
    user.run("join-token create --ttl 60").await.fails(2, &["has no unit"]);
    user.run("join-token create --label env").await.fails(2, &["write KEY=VALUE"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publishers_credential_goes_into_a_new_file_or_is_not_made() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let ran = user.run("publisher create main --out main.token -o json").await;
    let token: Token = user.text("main.token").parse().unwrap();
    assert_eq!((token.kind(), user.mode("main.token")), (TokenKind::Publisher, 0o600));
    assert!(!ran.out.contains(token.secret().expose()), "it is in the file, so not here: {ran:?}");
    ran.ok();
    user.run("publisher create ci --out main.token")
        .await
        .fails(5, &["is there already", "nothing was made"]);
    assert_eq!(user.run("publisher list -o json").await.json()["items"].as_array().unwrap().len(), 1);
    user.run("publisher revoke main").await.fails(2, &["run it again with --yes"]);
    user.run("publisher revoke main --yes").await.ok();
    user.run("publisher revoke main --yes").await.fails(4, &["no publisher `main`"]);
    assert!(Path::new(&user.path("main.token")).exists());
    fleet.end().await;
}
