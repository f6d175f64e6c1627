//! What a change costs at 500 services, by the program itself: what is rendered, what is put, what moves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cdn::Digest;
use cdn::document::Head;
use cdn::envelope::Envelope;
use cdn::wire::WantedService;
use program::http::{Bounds, Client, Request, Settings};
use testbed::{Process, Program, Ready};

use crate::api::{Api, TOKEN};
use crate::bench::{Bench, from_git};
use crate::repo::{Repo, map};

const SERVICES: usize = 500;
const PATIENCE: Duration = Duration::from_mins(5);

/// The program as it follows an api, and what it has counted.
struct Following {
    bench: Bench,
    api: Api,
    daemon: Process,
    counts: String,
}

impl Following {
    async fn start(services: Vec<WantedService>) -> Self {
        let (bench, api) = (Bench::new(), Api::start().await);
        api.want(services);
        std::fs::write(bench.path("token"), TOKEN).unwrap();
        let address = format!("127.0.0.1:{}", testbed::free_port().unwrap());
        let path = |name: &str| bench.path(name).display().to_string();
        let words = [
            ("--store", path("store")),
            ("--root", path("root.json")),
            ("--release-key", path("release.key")),
            ("--allow", path("allow.toml")),
            ("--cache", path("cache")),
            ("--api", api.url.clone()),
            ("--token-file", path("token")),
            ("--interval", "1s".to_owned()),
            ("--observe-listen", address.clone()),
        ];
        let mut program = Program::new("publisher", env!("CARGO_BIN_EXE_windlass-publisher"));
        for (flag, value) in words {
            program = program.arg(flag).arg(value);
        }
        let daemon = program.start(Ready::Tcp(address.clone())).await.unwrap();
        Self { bench, api, daemon, counts: format!("http://{address}/metrics") }
    }

    /// How many services have been rendered so far, as it tells at the end of a pass.
    async fn rendered(&self) -> usize {
        let client = Client::new(&Settings::new("test")).unwrap();
        let bounds = Bounds::new(1 << 20, Duration::from_secs(10));
        let answer = client.fetch(Request::get(&self.counts), bounds).await.unwrap();
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("windlass_publish_renders_total "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    /// Every head.
    fn heads(&self) -> BTreeMap<String, Head> {
        let files = std::fs::read_dir(self.bench.path("store/v1/head/default")).into_iter().flatten();
        let heads =
            files.filter_map(|file| Envelope::claim::<Head>(&std::fs::read(file.unwrap().path()).ok()?).ok());
        heads.map(|head| (head.service.to_string(), head)).collect()
    }

    fn objects(&self) -> BTreeSet<String> {
        self.bench.stored().into_iter().filter(|path| path.starts_with("v1/o/")).collect()
    }

    /// Waits until every head says the commit, the pass that did it is over, and another one after that.
    async fn until_all_say(&self, commit: &str) -> BTreeMap<String, Head> {
        let all = async || {
            let heads = self.heads();
            heads.len() == SERVICES && heads.values().all(|head| head.commit == commit)
        };
        self.daemon.wait_until("every head says the commit", PATIENCE, all).await.unwrap();
        let (asked, _) = self.api.asked();
        let passed = async || self.api.asked().0 >= asked + 2;
        self.daemon.wait_until("two more passes", PATIENCE, passed).await.unwrap();
        self.heads()
    }
}

fn bundles(heads: &BTreeMap<String, Head>) -> BTreeMap<&str, (Digest, Digest)> {
    heads.iter().map(|(name, head)| (name.as_str(), (head.bundle, head.release))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_500_services_a_change_of_one_renders_and_puts_one_and_a_change_of_words_puts_nothing() {
    let repo = Repo::new();
    let services = (0..SERVICES).map(|index| {
        repo.write(&format!("s{index}/a.yaml"), map("a", &index.to_string()));
        let name = format!("default/s{index}").parse().unwrap();
        WantedService { name, ..from_git(&repo.url(), &format!("s{index}")) }
    });
    let services = services.collect();
    let begin = repo.commit("begin");
    let following = Following::start(services).await;
    let first = following.until_all_say(&begin).await;
    assert_eq!(following.rendered().await, SERVICES);
    let objects = following.objects();
    assert_eq!(objects.len(), 3 * SERVICES, "two encodings and a release each");

    repo.write("s7/a.yaml", map("a", "changed"));
    let second = following.until_all_say(&repo.commit("one service")).await;
    assert_eq!(following.rendered().await, SERVICES + 1);
    let (before, after) = (bundles(&first), bundles(&second));
    let changed: Vec<_> = after.iter().filter(|(name, head)| before[*name] != **head).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(following.objects().difference(&objects).count(), 3);

    // What is made of a folder that has changed is looked at; nothing of it is put, and only commits move.
    let objects = following.objects();
    repo.write("s8/README.md", "read me");
    repo.write("s9/a.yaml", format!("# a comment\n{}\n\n", map("a", "9")));
    repo.write("s10/a.yaml", "{kind: ConfigMap, apiVersion: v1, data: {value: '10'}, metadata: {name: a}}");
    let third = following.until_all_say(&repo.commit("words")).await;
    assert_eq!(following.rendered().await, SERVICES + 4);
    assert_eq!(bundles(&third), after);
    assert_eq!(following.objects(), objects);
}
