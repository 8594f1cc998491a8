//! Requests that would go on in another protocol: WebSocket, and what a route names besides (RFC 9110, 7.8; RFC 6455;
//! RFC 8441). The whole policy is applied to them as to any request. What follows the switch is passed on unread.

use super::forward;
use super::observe::{Payload, Trail};
use super::reject::Reject;
use super::route::{Routed, Serve};
use super::swap::Outbound;
use super::{Worker, ids};
use crate::upstream::{Outgoing, Service};
use crate::wire::{Inbound, Upgrade};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// What a server puts behind the key to show that it speaks WebSocket (RFC 6455, 1.3).
const WEBSOCKET: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The wish in a request, if it is one that the route allows. One that is not is passed over as if it were not there,
/// as RFC 9110 has it, so that a client that would rather speak `h2c` is answered all the same; but WebSocket is
/// refused: whoever asks for it can do nothing with another answer.
///
/// # Errors
/// [`Reject::Upgrade`]
pub(super) fn wish(routed: &Routed<'_>, body: Inbound) -> Result<(Option<Box<Upgrade>>, Inbound), Reject> {
    let Inbound::Upgrade(wish) = body else { return Ok((None, body)) };
    let protocol = wish.protocol.as_bytes();
    let allowed = &routed.route.config.upgrade;
    let is_backends = matches!(routed.route.service, Serve::Upstream(..) | Serve::Split(_));
    if is_backends && allowed.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(protocol)) {
        return Ok((Some(wish), Inbound::Empty));
    }
    if wish.extended || protocol.eq_ignore_ascii_case(b"websocket") {
        return Err(Reject::Upgrade);
    }
    Ok((None, Inbound::Empty))
}

/// Sends a request whose route allows its wish. The answer has the status 101 where the backend has switched; it is an
/// ordinary one where it has not.
///
/// # Errors
/// Those of [`forward::send`]; [`Reject::NotSwitched`]
pub(super) async fn send(
    worker: &Worker,
    from: IpAddr,
    service: &Arc<Service>,
    mut outbound: Outbound,
    wish: Box<Upgrade>,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    outbound.add(&CONNECTION, &HeaderValue::from_static("Upgrade"));
    outbound.add(&UPGRADE, &wish.protocol);
    // What is switched to stands in a field.
    outbound.look_at_fields();
    let extended = wish.extended;
    let key = if extended { Some(ids::websocket_key().map_err(|_| Reject::NotSwitched)?) } else { None };
    if let Some(key) = &key {
        outbound.add(&SEC_WEBSOCKET_KEY, key);
        if !outbound.head().client.contains(&SEC_WEBSOCKET_VERSION) {
            outbound.add(&SEC_WEBSOCKET_VERSION, &HeaderValue::from_static("13"));
        }
    }
    let overlay = outbound.head().overlay.clone();
    let body = Outgoing::stream(Inbound::Upgrade(wish), u64::MAX, Rc::default(), overlay);
    let mut response = forward::send(worker, from, service, outbound, body, trail).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // Where the wish was all of the request, success would be taken for the switch.
        let deceives = extended && response.status().is_success();
        return if deceives { Err(Reject::NotSwitched) } else { Ok(response) };
    }
    if let Some(key) = &key {
        let shown = response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
        if shown.as_ref().map(HeaderValue::as_bytes) != Some(accept(key).as_bytes()) {
            return Err(Reject::NotSwitched);
        }
        response.headers_mut().remove(UPGRADE);
    }
    if let Payload::Upstream(answer) = response.body_mut() {
        answer.set_idle(service.tunnel_idle());
    }
    trail.switched();
    Ok(response)
}

/// What a server answers to a key (RFC 6455, 4.2.2).
fn accept(key: &HeaderValue) -> String {
    let text = [key.as_bytes(), WEBSOCKET].concat();
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455_is_accepted() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
