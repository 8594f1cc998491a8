//! The line between a process and the one that takes over from it: short texts, with sockets attached to them.

use rustix::cmsg_space;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::time::Duration;

/// Most sockets of one message; the system's own bound is 253.
pub(super) const MOST: usize = 64;
/// Most bytes of one message.
const LENGTH: usize = 16 * 1024;

/// One end. The other end sees when it is dropped, or its process is gone.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

/// What came.
#[derive(Debug)]
pub(super) enum Heard {
    /// A message and its sockets.
    Message(String, Vec<OwnedFd>),
    /// Nothing within the time.
    Silence,
    /// The other end is gone.
    Gone,
}

impl Channel {
    /// Both ends. Neither is inherited by itself.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        // Keeps messages apart, and tells when the other end is gone.
        let kind = SocketType::SEQPACKET;
        let (own, other) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        Ok((Self(own), other))
    }

    /// The end that the process was started with as its standard input, which is nothing from now on.
    pub(super) fn standard_input() -> io::Result<Self> {
        let own = io::stdin().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        Ok(Self(own))
    }

    /// Sends a message, which is not empty, with at most [`MOST`] sockets.
    pub(super) fn send(&self, text: &str, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        sendmsg(&self.0, &[IoSlice::new(text.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for a message; for ever without a `limit`.
    pub(super) fn receive(&self, limit: Option<Duration>) -> io::Result<Heard> {
        set_socket_timeout(&self.0, Timeout::Recv, limit)?;
        let mut bytes = vec![0; LENGTH];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let buffers = &mut [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Heard::Silence),
                Err(Errno::CONNRESET) => return Ok(Heard::Gone),
                other => break other?,
            }
        };
        let cut = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
        if received.flags.intersects(cut) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let sockets = ancillary.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => sockets.collect(),
            _ => Vec::new(),
        });
        let sockets: Vec<_> = sockets.collect();
        if received.bytes == 0 {
            return Ok(Heard::Gone);
        }
        bytes.truncate(received.bytes);
        let text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Heard::Message(text, sockets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn sockets_arrive_with_their_message_and_an_end_is_seen() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel(theirs);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        ours.send("one", &[socket.as_fd(), socket.as_fd()]).unwrap();
        ours.send("two", &[]).unwrap();
        let Heard::Message(text, sockets) = theirs.receive(None).unwrap() else { panic!() };
        assert_eq!((text.as_str(), sockets.len()), ("one", 2));
        let same = TcpListener::from(sockets.into_iter().next().unwrap());
        assert_eq!(same.local_addr().unwrap(), socket.local_addr().unwrap());
        let Heard::Message(text, sockets) = theirs.receive(None).unwrap() else { panic!() };
        assert_eq!((text.as_str(), sockets.len()), ("two", 0));
        assert!(matches!(theirs.receive(Some(Duration::from_millis(1))).unwrap(), Heard::Silence));
        drop(ours);
        assert!(matches!(theirs.receive(None).unwrap(), Heard::Gone));
    }
}
