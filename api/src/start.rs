//! Starting and ending: what has to be there is opened in order, and every task belongs to [`Running`].

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use cdn::secret::{Token, TokenKind};
use cdn::{Digest, Secret};
use program::files::{Lock, create_exclusive};
use program::observe::{Observe, Readiness};
use program::settings::read_secret;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{App, ChangeLog, Passes};
use crate::clock::Clock;
use crate::db::{self, Db, fleet};
use crate::desired::Signer;
use crate::front::Front;
use crate::limiter::Limiter;
use crate::meters::Meters;
use crate::nouns::terms::Terms;
use crate::recent::Recent;
use crate::reports::Reports;
use crate::roots::{self, Roots};
use crate::settings::Settings;
use crate::table::{Gaps, Table};
use crate::{follow, loops, reports, routes};

/// Wrong credentials in a minute: of one address, and of all.
const WRONG_EACH: u32 = 60;
const WRONG_ALL: u32 = 6_000;
/// Bodies that are still being sent, all together.
const BODIES_BYTES: usize = 64 << 20;

/// An api that serves.
#[derive(Debug)]
pub struct Running {
    /// Where it serves agents, publishers and people; tells the port when 0 was asked for.
    pub address: SocketAddr,
    /// Where it shows health and metrics, unless that is off.
    pub observe: Option<SocketAddr>,
    /// The fleet's id.
    pub fleet: Digest,
    app: Arc<App>,
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    /// The database's file is ours until all tasks have ended and the database is closed.
    _sole: Option<Lock>,
}

/// What the settings name can be read, and is what it should be; a start finds that out by itself. Nothing is opened that a
/// start would make.
pub fn inspect(settings: &Settings) -> anyhow::Result<()> {
    let roots = roots::read(&settings.root)?;
    if let Some(why) = roots.refused {
        bail!("--root: {why}");
    }
    roots::desired_key(&settings.desired_key, &roots.trust)?;
    db::shown(&settings.database_url()?)?;
    if settings.admin_token_file.exists() {
        read_admin_token(&settings.admin_token_file)?;
    }
    settings.tls.files().map(|files| files.acceptor()).transpose()?;
    Ok(())
}

/// Runs until `stop`.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    start(settings, Clock::system(), stop).await?.wait().await
}

/// Opens all that is needed and begins to serve; `stop` ends it.
pub async fn start(settings: Settings, clock: Clock, stop: CancellationToken) -> anyhow::Result<Running> {
    settings.check()?;
    program::install_crypto();
    let readiness = Readiness::new();
    let observe = Observe::bind(settings.observe.observe_listen, readiness.clone()).await?;
    let observe_address = observe.address();
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("listen on {}; choose another --listen", settings.listen))?;
    let address = listener.local_addr().context("ask for the listener's address")?;
    let sole = db::lock(&settings.database_url()?)?;
    let app = Arc::new(Box::pin(open(&settings, clock, &readiness)).await?);
    let tls = settings.tls.files().map(|files| files.acceptor()).transpose()?;
    let front = Front {
        listener,
        tls,
        router: routes::router(Arc::clone(&app)),
        app: Arc::clone(&app),
        max_connections: usize::try_from(settings.max_connections).unwrap_or(usize::MAX),
    };
    let fleet = app.signer.trust().fleet();
    let mut tasks = JoinSet::new();
    // What requests wait for ends after the front has ended: what came in time is written and assigned.
    let written = CancellationToken::new();
    let (door, after) = (stop.clone(), written.clone());
    tasks.spawn(async move {
        let _after = after.drop_guard();
        front.serve(door).await
    });
    let (shared, token) = (Arc::clone(&app), written.clone());
    tasks.spawn(async move { reports::run(&shared, token).await });
    let shared = Arc::clone(&app);
    tasks.spawn(async move { loops::assigning(&shared, &written).await });
    loops::start(&mut tasks, &app, &settings, &stop)?;
    tasks.spawn(observe.serve(stop.clone()));
    let database = db::shown(&settings.database_url()?)?;
    tracing::info!(%address, %fleet, database, store = %app.store, "serving");
    Ok(Running { address, observe: observe_address, fleet, app, tasks, stop, _sole: sole })
}

impl Running {
    /// Waits for the end: all tasks after `stop`, or the first that fails, which stops the others.
    pub async fn wait(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.context("a task of the api ended in a panic").and_then(|ended| ended);
            if ended.is_err() {
                self.stop.cancel();
                outcome = outcome.and(ended);
            }
        }
        loops::write_seen(&self.app, 0).await;
        self.app.store.close().await;
        self.app.db.close().await;
        outcome
    }

    /// Bytes of the table of clusters in memory.
    pub fn table_bytes(&self) -> usize {
        self.app.table.heap_bytes()
    }
}

async fn open(settings: &Settings, clock: Clock, readiness: &Readiness) -> anyhow::Result<App> {
    let roots = roots::read(&settings.root)?;
    let key = roots::desired_key(&settings.desired_key, &roots.trust)?;
    let admin = admin_token(&settings.admin_token_file)?;
    let db = Db::open(&settings.database_url()?, settings.database_connections, clock.clone()).await?;
    let store = Store::open(&settings.store).await.context("open the store")?;
    roots::publish(&roots, &store).await?;
    let refused = roots.refused.clone();
    let terms = Terms {
        origins: settings.origins.clone(),
        lifetime_ms: i64::try_from(settings.lifetime.as_millis()).unwrap_or(i64::MAX),
    };
    found(&db, &roots, &terms, &clock).await?;
    let gaps = fleet::gaps(&mut *db.read().await?).await.context("read when nothing was written")?;
    let meters = Meters::new();
    let app = App {
        table: Table::new(terms, Gaps::new(gaps)),
        store,
        signer: Signer::new(key, roots.trust),
        clock,
        admin: admin.hash(),
        limiter: Limiter::new(WRONG_EACH, WRONG_ALL),
        reports: Reports::new(meters.report_queue.clone()),
        meters,
        passes: Passes::new(readiness.part("assign")),
        change_log: ChangeLog::new(readiness.part("database")),
        requests: Arc::new(Semaphore::new(settings.max_requests as usize)),
        max_requests: settings.max_requests,
        bodies: Semaphore::new(BODIES_BYTES),
        root: readiness.part("root"),
        publishers: Recent::new(1_024),
        poll_seconds: settings.poll_interval.as_secs(),
        db,
    };
    follow::follow(&app).await.context("read the clusters")?;
    app.change_log.show(true, app.db.is_full());
    loops::show_roots(&app, refused);
    app.passes.part.degraded("the first pass of assignment is still to come");
    Ok(app)
}

/// Makes the fleet's row on the first start. Later: this must be the same fleet, nothing was written since the last
/// write, and what every desired says beside the assignment may have changed.
async fn found(db: &Db, roots: &Roots, terms: &Terms, clock: &Clock) -> anyhow::Result<()> {
    let ours = roots.trust.fleet();
    if fleet::found(&mut *db.read().await?, ours).await.context("write the fleet's row")? {
        tracing::warn!(
            fleet = %ours,
            "the database was empty: this fleet begins here. If clusters have joined it before, stop, and give --database \
             the one that knows them, or its last backup"
        );
    }
    let row = fleet::get(&mut *db.read().await?).await.context("read the fleet's row")?;
    if row.id != ours {
        bail!(
            "this database is of fleet {}, and --root is of fleet {ours}; give that fleet's root, or another database",
            row.id
        );
    }
    let mut tx = db.write().await.context("write that the api starts")?;
    fleet::note_gap(&mut tx).await.context("write when nothing was written")?;
    let terms = db::to_json(terms);
    if row.terms != terms {
        fleet::set_terms(&mut tx, &terms, clock.now_ms()).await.context("write the fleet's terms")?;
    }
    tx.commit().await.context("write that the api starts")?;
    roots::take_up(db, &roots.trust, clock.now_ms()).await.context("write which releases count")
}

/// The first person's token, made at the first start for this user alone to read.
fn admin_token(path: &Path) -> anyhow::Result<Token> {
    if !path.exists() {
        let token = Token::random(TokenKind::Admin, None);
        match create_exclusive(path, format!("{}\n", token.secret().expose()).as_bytes(), 0o600) {
            Ok(()) => tracing::info!(file = %path.display(), "made the first person's token"),
            // Two starts at once: the other one's counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("write --admin-token-file {}", path.display()));
            }
        }
    }
    read_admin_token(path)
}

fn read_admin_token(path: &Path) -> anyhow::Result<Token> {
    let text = Secret::new(read_secret(path).context("read --admin-token-file")?);
    let token: Token = text.expose().parse().with_context(|| format!("read {}", path.display()))?;
    if token.kind() != TokenKind::Admin {
        bail!(
            "{} holds no admin token (wla_...); remove it to get a new one at the next start",
            path.display()
        );
    }
    Ok(token)
}
