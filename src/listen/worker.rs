//! One worker thread: its own runtime, its own sockets, its own upstream connections.

use super::Endpoint;
use super::connection::{self, Setting};
use super::watch::{Connections, Order};
use crate::deadline::TICK;
use crate::pipeline::{Shared, Worker};
use crate::telemetry::access_log::LogWriter;
use crate::upstream::Pools;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;

/// How far the process is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Serving.
    Running,
    /// No new connections; what is under way is finished.
    Draining,
    /// Whatever is left is closed.
    Closing,
}

/// What a worker begins with.
#[derive(Debug)]
pub struct Start {
    /// Its number.
    pub index: usize,
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Its socket for each listener.
    pub sockets: Vec<(Arc<Endpoint>, StdListener)>,
    /// Its end of the access log.
    pub log: LogWriter,
    /// The client side of TLS.
    pub tls: crate::upstream::tls::Client,
    /// Tells it when to stop.
    pub stage: watch::Receiver<Stage>,
}

/// Starts a worker thread. It ends when it is told to close, or when it has drained.
///
/// # Errors
/// When the system refuses a thread.
pub fn spawn(start: Start) -> io::Result<JoinHandle<io::Result<()>>> {
    std::thread::Builder::new().name(format!("worker-{}", start.index)).spawn(move || run(start))
}

fn run(start: Start) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(61)
        .max_blocking_threads(8)
        .build_local(LocalOptions::default())?;
    runtime.block_on(work(start))
}

async fn work(start: Start) -> io::Result<()> {
    let Start { index, shared, sockets, log, tls, mut stage } = start;
    let worker = Worker::new(index, shared, Pools::new(tls), log).map_err(io::Error::other)?;
    let connections = Rc::new(Connections::default());
    connections.tick(worker.shared.clock.now());
    worker.tick(true);
    let mut acceptors = Vec::new();
    for (endpoint, socket) in sockets {
        let listener = TcpListener::from_std(socket)?;
        acceptors.push(tokio::task::spawn_local(accept(
            worker.clone(),
            connections.clone(),
            endpoint,
            listener,
            stage.clone(),
        )));
    }
    let ticker = tokio::task::spawn_local(tick(worker.clone(), connections.clone()));
    // The sender is dropped only when the whole program is: the same as being told to close.
    let _ = stage.wait_for(|stage| *stage >= Stage::Draining).await;
    for acceptor in acceptors {
        let _ = acceptor.await;
    }
    connections.tell(Order::Finish);
    while connections.count() > 0 && *stage.borrow() < Stage::Closing {
        tokio::time::sleep(Duration::from_millis(20)).await;
        connections.tell(Order::Finish);
    }
    connections.tell(Order::Abort);
    tokio::task::yield_now().await;
    ticker.abort();
    worker.log.borrow_mut().tick();
    Ok(())
}

async fn tick(worker: Rc<Worker>, connections: Rc<Connections>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0u64;
    loop {
        interval.tick().await;
        count += 1;
        let second = count.is_multiple_of(10);
        worker.tick(second);
        connections.tick(worker.shared.clock.now());
    }
}

/// Accepts until told to stop; what the kernel has queued by then is still served.
async fn accept(
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    endpoint: Arc<Endpoint>,
    listener: TcpListener,
    mut stage: watch::Receiver<Stage>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = stage.wait_for(|stage| *stage >= Stage::Draining) => return,
        };
        match accepted {
            Ok((tcp, from)) => {
                let settings = endpoint.settings();
                // One too many: closed at once, which costs less than any answer.
                let Some(open) = endpoint.enter(&settings, from.ip()) else { continue };
                // A refusal only costs latency.
                let _ = tcp.set_nodelay(true);
                let setting =
                    Setting { worker: worker.clone(), connections: connections.clone(), settings, open };
                tokio::task::spawn_local(connection::serve(setting, tcp, from));
            }
            Err(error) => {
                tracing::warn!(listener = %endpoint.address, %error, "accepting a connection failed");
                // Out of descriptors, most likely: some have to be closed first.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
