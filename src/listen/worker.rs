//! One worker thread: its own runtime, its own sockets, its own upstream connections.

use super::connection::{self, Setting};
use super::watch::{Connections, Order};
use super::{Admission, Bound, Endpoint, socket};
use crate::deadline::TICK;
use crate::pipeline::{Shared, Worker};
use crate::telemetry::access_log::LogWriter;
use crate::upstream::Pools;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

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
    /// Its sockets; more may come as long as the sender lives.
    pub listening: mpsc::UnboundedReceiver<Listening>,
    /// Its end of the access log.
    pub log: LogWriter,
    /// The client side of TLS.
    pub tls: crate::upstream::tls::Client,
    /// Tells it when to stop.
    pub stage: watch::Receiver<Stage>,
    /// It counts its rounds here, some ten a second, for whoever looks whether it goes on.
    pub rounds: Arc<AtomicU64>,
}

/// A socket to accept from.
#[derive(Debug)]
pub struct Listening {
    /// Whose it is.
    pub endpoint: Arc<Endpoint>,
    /// The socket.
    pub bound: Bound,
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
    let Start { index, shared, mut listening, log, tls, mut stage, rounds } = start;
    let worker = Worker::new(index, shared, Pools::new(tls), log).map_err(io::Error::other)?;
    let connections = Rc::new(Connections::default());
    connections.tick(worker.shared.clock.now());
    worker.tick(true);
    let ticker = tokio::task::spawn_local(tick(worker.clone(), connections.clone(), rounds));
    let mut acceptors = JoinSet::new();
    loop {
        let more = tokio::select! {
            biased;
            more = listening.recv() => more,
            // The sender is dropped only when the whole program is: the same as being told to close.
            _ = stage.wait_for(|stage| *stage >= Stage::Draining) => None,
        };
        let Some(Listening { endpoint, bound: Bound { socket, kept } }) = more else { break };
        let door = Door { worker: worker.clone(), connections: connections.clone(), endpoint, kept };
        acceptors.spawn_local(door.keep(TcpListener::from_std(socket)?));
    }
    let _ = stage.wait_for(|stage| *stage >= Stage::Draining).await;
    // Each ends when its listener is told to.
    loop {
        tokio::select! {
            ended = acceptors.join_next() => if ended.is_none() { break },
            _ = stage.wait_for(|stage| *stage >= Stage::Closing) => break,
        }
    }
    while connections.count() > 0 && *stage.borrow() < Stage::Closing {
        connections.tell(Order::Last);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    connections.tell(Order::Abort);
    tokio::task::yield_now().await;
    ticker.abort();
    worker.farewell().await;
    worker.log.borrow_mut().tick();
    Ok(())
}

async fn tick(worker: Rc<Worker>, connections: Rc<Connections>, rounds: Arc<AtomicU64>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0u64;
    loop {
        interval.tick().await;
        count += 1;
        rounds.store(count, Ordering::Relaxed);
        let second = count.is_multiple_of(10);
        worker.tick(second);
        if second && worker.shared.pressed.load(Ordering::Relaxed) {
            connections.tell(Order::Finish);
        }
        connections.tick(worker.shared.clock.now());
        if worker.take_woken() {
            connections.wake();
        }
    }
}

/// Where a worker lets connections of one listener in.
struct Door {
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    endpoint: Arc<Endpoint>,
    /// See [`Bound::kept`].
    kept: bool,
}

impl Door {
    /// Accepts until the listener is told that it is over; what the system has queued by then is still served, here or, when the
    /// socket is kept, by whoever goes on with it.
    async fn keep(self, listener: TcpListener) {
        let mut admission = self.endpoint.admission();
        loop {
            let now = *admission.borrow_and_update();
            match now {
                Admission::Open => {}
                Admission::Refusing | Admission::Over if self.kept => return,
                Admission::Refusing => refuse(&self.endpoint, &listener),
                Admission::Over => return self.empty(listener),
            }
            self.accept(&listener, &mut admission).await;
        }
    }

    /// Accepts until something else is said.
    async fn accept(&self, listener: &TcpListener, admission: &mut watch::Receiver<Admission>) {
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = listener.accept() => accepted,
                _ = admission.changed() => return,
            };
            match accepted {
                Ok((tcp, from)) => self.admit(tcp, from),
                Err(error) => {
                    tracing::warn!(listener = %self.endpoint.address, %error, "accepting a connection failed");
                    // Out of descriptors, most likely: some have to be closed first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Takes what is in the queue. Asks the system itself: the runtime may not have heard of it yet.
    fn empty(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        // Where another process accepts from the same queue, it need not ever be empty.
        for _ in 0..socket::BACKLOG {
            let accepted = listener.accept().and_then(|(tcp, from)| {
                tcp.set_nonblocking(true)?;
                Ok((TcpStream::from_std(tcp)?, from))
            });
            let Ok((tcp, from)) = accepted else { return };
            self.admit(tcp, from);
        }
    }

    fn admit(&self, tcp: TcpStream, from: SocketAddr) {
        if self.worker.shared.pressed.load(Ordering::Relaxed) {
            return self.endpoint.greetings.pressed.increment();
        }
        let settings = self.endpoint.settings();
        // One too many: closed at once, which costs less than any answer.
        let Some(open) = self.endpoint.enter(&settings, from.ip()) else { return };
        // A refusal only costs latency.
        let _ = tcp.set_nodelay(true);
        let (worker, connections) = (self.worker.clone(), self.connections.clone());
        let setting = Setting { worker, connections, settings, open };
        tokio::task::spawn_local(connection::serve(setting, tcp, from));
    }
}

fn refuse(endpoint: &Endpoint, listener: &TcpListener) {
    if let Err(error) = socket::refuse(listener) {
        tracing::warn!(
            listener = %endpoint.address,
            %error,
            "the system can not hold off new connections; one that comes at the very end may be reset"
        );
    }
}
