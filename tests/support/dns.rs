//! A name server that says what a test wants, of whatever name it is asked for.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What it says.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// These addresses, for so many seconds.
    Addresses(Vec<Ipv4Addr>, u32),
    /// That it has failed.
    Failure,
}

/// A running name server. Its thread ends with the process.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
}

impl NameServer {
    pub(crate) fn start(says: Says) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("an address");
        let (says, asked) = (Arc::new(Mutex::new(says)), Arc::new(AtomicUsize::new(0)));
        let (for_thread, counter) = (Arc::clone(&says), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let says = for_thread.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let _ = socket.send_to(&answer(&buffer[..length], &says), from);
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, says, asked }
    }

    /// From now on it says something else.
    pub(crate) fn says(&self, says: Says) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }

    /// How many questions it has answered.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(question: &[u8], says: &Says) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2] |= 0x80;
    let is_a = question[question.len() - 3] == 1;
    match says {
        Says::Failure => message[3] = 2,
        Says::Addresses(addresses, ttl_s) if is_a => {
            message[7] = addresses.len() as u8;
            for address in addresses {
                message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
                message.extend_from_slice(&ttl_s.to_be_bytes());
                message.extend_from_slice(&[0, 4]);
                message.extend_from_slice(&address.octets());
            }
        }
        Says::Addresses(..) => {}
    }
    message
}
