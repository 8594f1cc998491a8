//! What the fuzz targets try of the listeners and is not public by itself. Nothing else uses it.

use super::proxy_protocol::{self, Source};
use super::{h1, x509};
use crate::pipeline::Early;
use crate::wire::{Framing, Request, Scratch};
use bytes::BytesMut;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A request's head, how its body is delimited, and whether the connection is kept.
pub type Head = (Request, Framing, bool);

/// Takes a request's head out of the buffer; `None` when it is not complete.
///
/// # Errors
/// What is answered to bytes that are no head.
pub fn head(buffer: &mut BytesMut, scratch: &Scratch) -> Result<Option<Head>, Early> {
    h1::fuzzing::read(buffer, scratch)
}

/// Whether the end of a head can be in the buffer.
pub fn may_be_complete(buffer: &[u8], seen: usize) -> bool {
    h1::fuzzing::may_be_complete(buffer, seen)
}

/// What a header of the PROXY protocol says of the client, and what stands behind it.
///
/// # Errors
/// When these bytes begin with no such header.
pub fn proxied(mut bytes: &[u8]) -> io::Result<(Option<IpAddr>, &[u8])> {
    let read = {
        let mut reading = pin!(proxy_protocol::read(&mut bytes));
        match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => read?,
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
        }
    };
    Ok((read, bytes))
}

impl Source for &[u8] {
    async fn peek(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let length = room.len().min(self.len());
        room[..length].copy_from_slice(&self[..length]);
        Ok(length)
    }
}

/// The subject of a certificate, and its names.
pub fn certificate(der: &[u8]) -> Option<(String, Vec<Box<str>>)> {
    x509::read(der).map(|facts| (facts.subject, facts.dns_names))
}
