//! The daemon in this process: it follows refs, tells the api, and goes on without it.

mod refused;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cdn::SigningKey;
use cdn::document::Head;
use cdn::envelope::{Envelope, Role};
use cdn::wire::{GitSource, HelmRenderer, Outcome, PublishStatus, Source, WantedService};
use publisher::Settings;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, TOKEN};
use crate::bench::{Bench, charted, from_folder, from_git};
use crate::repo::{Repo, map, write};

/// A daemon that runs, and its api.
struct Running {
    api: Api,
    bench: Bench,
    wake: Arc<Notify>,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Running {
    async fn new() -> Self {
        let (bench, api) = (Bench::new(), Api::start().await);
        std::fs::write(bench.path("token"), TOKEN).unwrap();
        Self { api, bench, wake: Arc::default(), stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    fn settings(&self) -> Settings {
        let (api, token_file) = (Some(self.api.url.clone()), Some(self.bench.path("token")));
        let mut settings = Settings { api, token_file, ..self.bench.settings("cache") };
        let counted = self.bench.path("counted-helm");
        if counted.is_file() {
            settings.programs.helm = counted;
        }
        settings
    }

    /// Lets helm keep a list of what it renders.
    fn count_renderings(&self) {
        let (helm, list) = (self.settings().programs.helm, self.bench.path("renderings"));
        let (helm, list) = (helm.display(), list.display());
        let script = format!("#!/bin/sh\necho \"$*\" >> '{list}'\nexec '{helm}' \"$@\"\n");
        let file = write(self.bench.folder.path(), "counted-helm", script);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Lets helm wait while the file `hold` lies there.
    fn hold_renderings(&self) {
        let (helm, hold) = (self.settings().programs.helm, self.bench.path("hold"));
        let (helm, hold) = (helm.display(), hold.display());
        let script = format!("#!/bin/sh\nwhile [ -e '{hold}' ]; do sleep 0.05; done\nexec '{helm}' \"$@\"\n");
        let file = write(self.bench.folder.path(), "counted-helm", script);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// How often helm has rendered a chart for a service of this name.
    fn renderings(&self, name: &str) -> usize {
        let list = std::fs::read_to_string(self.bench.path("renderings")).unwrap_or_default();
        list.lines().filter(|words| words.starts_with(&format!("template {name} "))).count()
    }

    /// Lets some further passes begin and end.
    async fn passes(&self) {
        let (asked, _) = self.api.asked();
        self.until("it goes on", |api| api.asked().0 >= asked + 5).await;
    }

    fn start(&mut self) {
        self.stop = CancellationToken::new();
        let (settings, stop, wake) = (self.settings(), self.stop.clone(), Arc::clone(&self.wake));
        self.tasks.spawn(started(settings, stop, wake));
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Wakes the daemon until the api has heard what is looked for.
    async fn until(&self, what: &str, holds: impl Fn(&Api) -> bool) {
        for _ in 0..600 {
            if holds(&self.api) {
                return;
            }
            self.wake.notify_one();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never: {what}; the api heard {:#?}", self.api.statuses());
    }
}

/// Runs the daemon. A child that another test starts at this moment holds the lock of a cache that was just given back
/// until it has become its program.
async fn started(settings: Settings, stop: CancellationToken, wake: Arc<Notify>) -> anyhow::Result<()> {
    for _ in 0..600 {
        match publisher::run_woken(settings.clone(), stop.clone(), Arc::clone(&wake)).await {
            Err(error) if format!("{error:#}").contains("is in use by") => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            ended => return ended,
        }
    }
    anyhow::bail!("the cache is never given back")
}

fn named(name: &str, wanted: WantedService) -> WantedService {
    WantedService { name: name.parse().unwrap(), ..wanted }
}

fn of(api: &Api, name: &str) -> Vec<PublishStatus> {
    api.statuses().into_iter().filter(|status| status.service.to_string() == name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_publishes_what_is_wanted_follows_the_ref_and_tells_only_news() {
    let mut running = Running::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.write("api/a.yaml", map("a", "1"));
    let first = repo.commit("begin");
    running.api.want(vec![
        named("default/web", from_git(&repo.url(), "web")),
        named("default/api", from_git(&repo.url(), "api")),
        named("default/gone", from_git(&repo.url(), "gone")),
    ]);
    running.start();
    running.until("both are registered", |api| api.releases().len() == 2).await;
    running.until("the third is refused", |api| !of(api, "default/gone").is_empty()).await;
    let gone = of(&running.api, "default/gone").remove(0);
    assert_eq!((gone.outcome, gone.commit.as_str()), (Outcome::Refused, first.as_str()));
    assert!(gone.message.contains("there is no `gone` in the source"), "{}", gone.message);
    repo.write("web/a.yaml", map("a", "2"));
    let second = repo.commit("go on");
    running.until("the change is registered", |api| api.releases().len() == 3).await;
    let revision =
        |api: &Api| api.releases().into_values().map(|release| release.revision.id).collect::<Vec<_>>();
    assert_eq!(revision(&running.api).iter().filter(|id| **id == second).count(), 1);
    running.until("web is told", |api| of(api, "default/web").len() >= 2).await;
    let before = running.api.statuses().len();
    let (asked, _) = running.api.asked();
    running.until("it asks again", |api| api.asked().0 >= asked + 3).await;
    assert_eq!(running.api.statuses().len(), before, "{:#?}", running.api.statuses());
    assert!(running.api.asked().1 > 0, "an unchanged list is a 304");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_an_api_that_is_away_does_not_stop_publishing_and_hears_of_it_later() {
    let mut running = Running::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    running.api.want(vec![from_folder(folder.path(), "")]);
    running.start();
    running.until("it is registered", |api| api.releases().len() == 1).await;
    running.stop().await;
    running.api.away(true);
    write(folder.path(), "a.yaml", map("a", "2"));
    // A new process, and no api: the last list counts.
    running.start();
    let head = running.bench.path("store/v1/head/default/web.json");
    let before = std::fs::read(&head).unwrap();
    running.until("the head has moved", |_| std::fs::read(&head).unwrap() != before).await;
    assert_eq!(running.api.releases().len(), 1);
    running.api.away(false);
    running.until("it hears of it", |api| api.releases().len() == 2).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_has_lost_a_release_is_told_it_at_the_next_pass() {
    let mut running = Running::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    running.api.want(vec![from_folder(folder.path(), "")]);
    running.start();
    running.until("it is registered", |api| api.releases().len() == 1).await;
    let release = running.api.releases();
    running.until("nothing is new", |api| api.asked().1 > 0).await;
    running.api.restore();
    running.until("it is registered again", |api| api.releases() == release).await;
    let (_, before) = running.api.asked();
    running.until("nothing is new again", |api| api.asked().1 > before).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_deleted_and_made_again_is_registered_and_told_again() {
    let mut running = Running::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let wanted = vec![from_folder(folder.path(), "")];
    running.api.want(wanted.clone());
    running.start();
    running.until("it is told", |api| api.releases().len() == 1 && api.statuses().len() == 1).await;
    let release = running.api.releases();
    running.api.want(Vec::new());
    running.passes().await;
    // What was registered and said before counts for the new one no more.
    running.api.restore();
    running.api.want(wanted);
    running.until("it is registered again", |api| api.releases() == release).await;
    running.until("it is told again", |api| api.statuses().len() == 2).await;
    running.passes().await;
    assert_eq!(running.api.statuses().len(), 2, "{:#?}", running.api.statuses());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_described_anew_is_told_of_anew_though_nothing_of_the_bundle_has_changed() {
    let mut running = Running::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    repo.git(&["branch", "next"]);
    let wanted = from_git(&repo.url(), "web");
    running.api.want(vec![wanted.clone()]);
    running.start();
    running.until("it is told", |api| api.statuses().len() == 1).await;
    running.passes().await;
    let first = running.api.statuses().remove(0);
    assert!(first.asked.is_some());
    let source = Source::Git(GitSource { url: repo.url(), reference: "next".to_owned() });
    running.api.want(vec![WantedService { source, ..wanted }]);
    running.until("it is told again", |api| api.statuses().len() == 2).await;
    let second = running.api.statuses().remove(1);
    assert_ne!(second.asked, first.asked);
    let same = PublishStatus { outcome: Outcome::Unchanged, asked: second.asked, ..first };
    assert_eq!(second, same);
    running.passes().await;
    assert_eq!(running.api.statuses().len(), 2, "{:#?}", running.api.statuses());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a9_a_root_that_the_api_names_counts_at_once_with_the_key_that_lies_there_then() {
    let mut running = Running::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    running.api.want(vec![from_folder(folder.path(), "")]);
    running.start();
    running.until("it is registered", |api| api.releases().len() == 1).await;
    let signed_by = |key: &SigningKey| {
        let head = std::fs::read(running.bench.path("store/v1/head/default/web.json")).unwrap();
        Envelope::verify::<Head>(&head, &Role::of(key.public())).is_ok()
    };
    let key = SigningKey::random();
    running.bench.sign_with(&key);
    running.passes().await;
    // No root lists it yet: the one before still signs.
    write(folder.path(), "a.yaml", map("a", "2"));
    running.until("the change is registered", |api| api.releases().len() == 2).await;
    assert!(signed_by(&running.bench.release_key) && !signed_by(&key));
    running.bench.rotate(2, &[&key]);
    running.api.has_root(2);
    running.until("it is signed anew", |api| api.releases().len() == 3).await;
    assert!(signed_by(&key) && !signed_by(&running.bench.release_key));
    // A file that holds no key takes none away.
    std::fs::write(running.bench.path("release.key"), "").unwrap();
    running.passes().await;
    write(folder.path(), "a.yaml", map("a", "3"));
    running.until("the key before signs", |api| api.releases().len() == 4).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_forgets_while_a_service_is_rendered_is_registered_again() {
    let mut running = Running::new().await;
    running.hold_renderings();
    let repo = Repo::new();
    repo.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    repo.write("c/templates/a.yaml", map("a", "1"));
    repo.commit("begin");
    running.api.want(vec![charted(from_git(&repo.url(), "c"), HelmRenderer::default())]);
    running.start();
    running.until("it is told", |api| api.releases().len() == 1 && api.statuses().len() == 1).await;
    let release = running.api.releases();
    running.passes().await;
    let hold = write(running.bench.folder.path(), "hold", "");
    repo.write("c/templates/b.yaml", "{{/* the bundle stays the same */}}\n");
    repo.commit("go on");
    running.passes().await;
    running.api.restore();
    running.passes().await;
    std::fs::remove_file(hold).unwrap();
    running.until("it is registered again", |api| api.releases() == release).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_look_says_again_what_another_publisher_may_have_overwritten() {
    let mut running = Running::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "good/a.yaml", map("a", "1"));
    write(folder.path(), "bad/a.yaml", "a: b: c\n");
    running.api.want(vec![
        named("default/bad", from_folder(folder.path(), "bad")),
        named("default/good", from_folder(folder.path(), "good")),
    ]);
    running.start();
    running.until("both are told", |api| api.statuses().len() == 2).await;
    running.stop().await;
    // The first look of a process is a full one.
    running.start();
    running.until("the good one is told again", |api| of(api, "default/good").len() == 2).await;
    let again = of(&running.api, "default/good").remove(1);
    assert_eq!(again.outcome, Outcome::Unchanged);
    assert!(again.release.is_some());
    let (asked, _) = running.api.asked();
    running.until("it goes on", |api| api.asked().0 >= asked + 3).await;
    assert_eq!(running.api.statuses().len(), 3, "{:#?}", running.api.statuses());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_a_git_host_that_never_answers_delays_no_commit_of_another() {
    let mut running = Running::new().await;
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = dead.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut host = JoinSet::new();
    host.spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = dead.accept().await {
            kept.push(stream);
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    // More of them than are looked at at once.
    let hung =
        |n: usize| named(&format!("default/a{n}"), from_git(&format!("https://{address}/{n}.git"), ""));
    let mut wanted: Vec<WantedService> = (0..6).map(hung).collect();
    wanted.push(named("default/web", from_git(&repo.url(), "web")));
    running.api.want(wanted);
    running.start();
    running.until("it is registered", |api| api.releases().len() == 1).await;
    running.until("the host is asked", |_| asked.load(Ordering::Relaxed) == 4).await;
    for (value, releases) in [("2", 2), ("3", 3)] {
        repo.write("web/a.yaml", map("a", value));
        repo.commit("go on");
        let begun = Instant::now();
        running.until("the commit is registered", |api| api.releases().len() == releases).await;
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 4, "who is asked already is not asked again");
    // One of them moves: it is not waited for where it was.
    running.api.want(vec![named("default/a0", from_git(&repo.url(), "web"))]);
    running.until("it is registered", |api| api.releases().len() == 4).await;
    running.passes().await;
    assert!(of(&running.api, "default/a0").iter().all(|status| status.outcome == Outcome::Published));
    tokio::time::timeout(Duration::from_secs(10), running.stop()).await.expect("it stops though it waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_service_names_any_more_leaves_the_cache_after_a_day() {
    let mut running = Running::new().await;
    let repos = [Repo::new(), Repo::new(), Repo::new()];
    let wanted: Vec<WantedService> = ["a", "b", "c"]
        .iter()
        .zip(&repos)
        .map(|(name, repo)| {
            repo.write("a.yaml", map("a", "1"));
            repo.commit("begin");
            named(&format!("default/{name}"), from_git(&repo.url(), ""))
        })
        .collect();
    let tool = write(&running.bench.path("cache"), "tools/replaced", "an old program");
    running.api.want(wanted.clone());
    running.start();
    running.until("all are registered", |api| api.releases().len() == 3).await;
    running.stop().await;
    let git = |n: usize| {
        let digest = cdn::Digest::of(repos[n].url().as_bytes()).hex();
        running.bench.path("cache/git").join(format!("{}.git", &digest[..32]))
    };
    let memory = |name: &str| running.bench.path("cache/services/default").join(format!("{name}.json"));
    let (kept, gone, young) = ((git(0), memory("a")), (git(1), memory("b")), (git(2), memory("c")));
    for path in [&kept.0, &kept.1, &gone.0, &gone.1, &tool] {
        let touch = ["-exec", "touch", "-d", "2 days ago", "{}", "+"];
        assert!(std::process::Command::new("find").arg(path).args(touch).status().unwrap().success());
    }
    running.api.want(wanted[..1].to_vec());
    running.start();
    running.until("it is swept", |_| !gone.0.exists() && !gone.1.exists() && !tool.exists()).await;
    running.passes().await;
    running.stop().await;
    for (repository, memory) in [&kept, &young] {
        assert!(repository.is_dir() && memory.is_file(), "{}", repository.display());
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_cache_is_refused() {
    let mut running = Running::new().await;
    running.start();
    running.until("it runs", |api| api.asked().0 > 0).await;
    let refused = publisher::run(running.settings(), CancellationToken::new()).await.unwrap_err();
    assert!(format!("{refused:#}").contains("is in use by"), "{refused:#}");
    running.stop().await;
}
