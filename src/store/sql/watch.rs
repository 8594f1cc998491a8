//! Waits for changes that somebody made, in this process or another.
//!
//! A file is looked at often, which costs next to nothing; a server tells (`LISTEN`). Neither says what has changed: who
//! follows reads the changes after the last one that they know, so that nothing is skipped, however often this was cut off.

use super::db::Target;
use super::sqlite;
use crate::store::{Answer, Connections};
use rusqlite::Connection;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};
use tokio_postgres::AsyncMessage;

/// Between two looks at a file.
const LOOK: Duration = Duration::from_millis(10);
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(250);
/// How often a silent server is asked whether it is still there, and how long it may take to say so.
const CHECK: Duration = Duration::from_secs(2);
/// Most time to connect, and be let in.
const CONNECT: Duration = Duration::from_secs(5);

/// Waits for changes; a thread does so from the first time on that somebody wants to know.
#[derive(Debug)]
pub(super) struct Watch {
    place: Place,
    running: OnceLock<Option<Running>>,
}

/// Where changes are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In this file.
    File(PathBuf),
    /// With this server.
    Server(Arc<Target>),
}

#[derive(Debug)]
struct Running {
    /// Remembers what was told, so that what happens between two calls is told at the second.
    news: Mutex<Receiver<u64>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// How many wait at present.
    waiting: AtomicUsize,
    ended: AtomicBool,
    end: Notify,
}

impl Watch {
    pub(super) fn new(place: Place) -> Self {
        Self { place, running: OnceLock::new() }
    }

    /// What became of connections to the server.
    pub(super) fn connections(&self) -> Connections {
        match &self.place {
            Place::File(_) => Connections::default(),
            Place::Server(target) => target.health.counts(),
        }
    }

    /// Returns when something may have changed since this was last called, or after `most`.
    pub(super) fn changed(&self, most: Duration) -> Answer<'_, ()> {
        let running = self.running.get_or_init(|| Running::start(self.place.clone()).ok());
        Box::pin(async move {
            match running {
                Some(running) => running.wait(most).await,
                None => sleep(most).await,
            }
            Ok(())
        })
    }
}

impl Running {
    fn start(place: Place) -> std::io::Result<Self> {
        let (sender, news) = channel(0);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = Builder::new().name("store-watch".to_owned()).spawn(move || match place {
            Place::File(path) => look(&path, &sender, &theirs),
            Place::Server(target) => listen(&target, sender, &theirs),
        })?;
        Ok(Self { news: Mutex::new(news), shared, thread: Some(thread) })
    }

    async fn wait(&self, most: Duration) {
        let _waiting = Waiting::of(&self.shared);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        let told = timeout(most, async { self.news.lock().await.changed().await }).await;
        if let Ok(Err(_)) = told {
            // The thread is gone: as if nothing had changed.
            sleep(most).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.end.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn of(shared: &'a Shared) -> Self {
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Looks at a file while somebody waits.
fn look(path: &Path, news: &Sender<u64>, shared: &Shared) {
    let mut connection: Option<Connection> = None;
    let mut last = None;
    while !shared.ended.load(Ordering::Acquire) {
        if shared.waiting.load(Ordering::Acquire) == 0 {
            thread::park();
            continue;
        }
        if connection.is_none() {
            connection = sqlite::watcher(path).ok();
        }
        let version = connection.as_ref().and_then(|db| {
            // Another connection has written when this number is another one.
            db.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).ok()
        });
        if version.is_none() {
            connection = None;
        }
        if version != last {
            last = version;
            news.send_modify(|count| *count += 1);
        }
        thread::sleep(LOOK);
    }
}

/// Listens to a server, and connects anew whenever that ends.
fn listen(target: &Arc<Target>, news: Sender<u64>, shared: &Shared) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let news = Arc::new(news);
    runtime.block_on(async {
        loop {
            tokio::select! {
                () = shared.end.notified() => return,
                () = listen_once(target, &news) => {}
            }
            // Lost or not, who follows had better look: they find out what the store answers, or does not.
            news.send_modify(|count| *count += 1);
            tokio::select! {
                () = shared.end.notified() => return,
                () = sleep(AGAIN) => {}
            }
        }
    });
}

async fn listen_once(target: &Target, news: &Arc<Sender<u64>>) {
    let Ok(Ok((client, mut connection))) = timeout(CONNECT, target.connect()).await else {
        target.health.failed();
        return;
    };
    target.health.connected();
    let told = Arc::clone(news);
    let driver = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if matches!(message, AsyncMessage::Notification(_)) {
                told.send_modify(|count| *count += 1);
            }
        }
    });
    if let Ok(Ok(())) = timeout(CONNECT, client.batch_execute("LISTEN portcullis_changes")).await {
        // What happened before is not told any more.
        news.send_modify(|count| *count += 1);
        loop {
            sleep(CHECK).await;
            let Ok(Ok(())) = timeout(CHECK, client.batch_execute("")).await else { break };
        }
    }
    driver.abort();
    target.health.disconnected();
}
