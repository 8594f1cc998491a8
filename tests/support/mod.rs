//! What the suite shares: the gateway's process, scripted backends, raw clients, fixtures, checks of envelopes.

pub(crate) mod acme;
pub(crate) mod admissions;
pub(crate) mod backend;
pub(crate) mod browser;
pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod control;
pub(crate) mod dns;
pub(crate) mod envelope;
pub(crate) mod fixture;
pub(crate) mod gateway;
pub(crate) mod grpc;
pub(crate) mod h2;
pub(crate) mod hooks;
pub(crate) mod instead;
pub(crate) mod jwt;
pub(crate) mod load;
pub(crate) mod openapi;
pub(crate) mod pair;
pub(crate) mod person;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod redis;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod settings;
pub(crate) mod terminal;
pub(crate) mod totp;
pub(crate) mod upstream;
pub(crate) mod wait;
pub(crate) mod websocket;
pub(crate) mod world;

pub(crate) use envelope::{assert_ocore, assert_ocriva};
pub(crate) use reply::Reply;
pub(crate) use request::{Request, delete, get, method, patch, post, put};
