//! What a newcomer meets: help, mistakes, completion, exit codes.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::user::User;

#[tokio::test]
async fn help_shows_examples_before_flags_and_the_table_of_exit_codes() {
    let user = User::new();
    let help = user.run("--help").await.ok();
    assert!(help.find("Examples:").unwrap() < help.find("Usage:").unwrap(), "{help}");
    for code in [
        "0 ok",
        "1 failed",
        "2 usage",
        "3 not allowed",
        "4 not found",
        "5 conflict",
        "6 timeout",
        "7 partly",
        "130",
    ] {
        assert!(help.contains(code), "{code} is not in the help:\n{help}");
    }
    let help = user.run("get --help").await.ok();
    assert!(help.find("windlass get clusters -w").unwrap() < help.find("Usage:").unwrap(), "{help}");
}

#[tokio::test]
async fn a_mistake_is_exit_code_2_on_stderr_with_the_word_that_was_meant() {
    let user = User::new();
    for (line, meant) in [
        ("gett clusters", "'get'"),
        ("get cluster --ouput json", "'--output'"),
        ("get clutsers", "'clusters'"),
        ("get clusters -o jsn", "'json'"),
        ("completion basch", "'bash'"),
    ] {
        let ran = user.run(line).await;
        assert_eq!(ran.out, "", "{line}");
        ran.fails(2, &[meant]);
    }
    user.run("get clusters -l a=;").await.fails(2, &["is not a label's value", "write for example"]);
    user.run("get services -l a=b --server http://127.0.0.1:1")
        .await
        .fails(2, &["--selector is for clusters only"]);
    user.run("get clusters").await.fails(2, &["no api is named", "next: run `windlass login"]);
}

#[tokio::test]
async fn what_cannot_be_meant_is_exit_code_2_before_anybody_is_asked() {
    let user = User::new();
    let token = cdn::secret::Token::random(cdn::secret::TokenKind::Admin, None);
    user.write("token", token.secret().expose());
    let cluster =
        "apiVersion: windlass.dev/v1alpha1\nkind: Cluster\nmetadata: {name: a}\nspec: {labels: {a: b}}\n";
    user.write("cluster.yaml", cluster);
    let nobody = "--server http://127.0.0.1:1 --token-file";
    for (line, says) in [
        ("token join-token create --uses 0", "0 is not in"),
        ("token join-token create --label a/b/c=d", "`a/b/c` is not a label"),
        ("token join-token create --label a=;", "`;` is not a label's value"),
        ("token apply -f cluster.yaml", "spec.labels: a cluster's labels stand in `metadata.labels`"),
        ("token apply -f missing.yaml", "cannot read missing.yaml"),
        ("missing whoami", "cannot read missing"),
        ("token keys show missing", "windlass keys init"),
        ("token bundle show missing.tar", "cannot read missing.tar"),
    ] {
        user.run(&format!("{nobody} {line}")).await.fails(2, &[says]);
    }
    let fleet = cdn::Digest::of(b"fleet");
    user.run(&format!("verify missing --root {fleet}")).await.fails(2, &["cannot read missing"]);
}

#[tokio::test]
async fn who_logs_in_to_what_is_no_api_is_told_what_answered() {
    let user = User::new();
    let token = cdn::secret::Token::random(cdn::secret::TokenKind::Admin, None);
    user.write("token", token.secret().expose());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line = format!("login --server http://{} --token-file token", listener.local_addr().unwrap());
    // As a listener for health and metrics answers.
    let answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 1024];
        assert!(stream.read(&mut asked).await.unwrap() > 0);
        let said = "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found";
        stream.write_all(said.as_bytes()).await.unwrap();
    };
    let (ran, ()) = tokio::join!(user.run(&line), answer);
    ran.fails(1, &["not a Windlass api", "it answered 404 Not Found: not found", "--observe-listen"]);
}

#[tokio::test]
async fn completion_scripts_know_the_commands_and_shells_can_read_them() {
    let user = User::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = user.run(&format!("completion {shell}")).await.ok();
        assert!(script.contains("join-token") && script.contains("rollout"), "{shell}");
    }
    let script = user.run("completion bash").await.ok();
    let path = user.write("windlass.bash", script);
    let checked = tokio::process::Command::new("bash").arg("-n").arg(path).status().await.unwrap();
    assert!(checked.success());
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let user = User::new();
    let mut command = user.command();
    command.args(["completion", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[tokio::test]
async fn an_unknown_key_in_the_contexts_is_refused_without_showing_the_token() {
    let user = User::new();
    let text =
        "current = \"a\"\n[contexts.a]\nserver = \"http://127.0.0.1:1\"\ntoken = \"wla_canary\"\nservr = 1\n";
    user.write(".config/windlass/config.toml", text);
    let told = user.run("-vvv whoami").await.fails(2, &["is not a file of contexts", "next: "]);
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn an_api_that_is_away_is_told_with_the_next_step() {
    let user = User::new();
    let token = cdn::secret::Token::random(cdn::secret::TokenKind::Admin, None);
    user.write("token", token.secret().expose());
    let told = user
        .run("--server http://127.0.0.1:1 --token-file token whoami")
        .await
        .fails(1, &["error: cannot reach the api at http://127.0.0.1:1", "why: ", "next: "]);
    assert_eq!(told.matches("cannot connect").count(), 1, "each reason once: {told}");
    user.write(
        "other",
        cdn::secret::Token::random(cdn::secret::TokenKind::Publisher, None).secret().expose(),
    );
    user.run("--server http://127.0.0.1:1 --token-file other whoami").await.fails(3, &["not a person's"]);
    user.write("cut", &token.secret().expose()[..40]);
    user.run("--server http://127.0.0.1:1 --token-file cut whoami").await.fails(3, &["copy it again"]);
}
