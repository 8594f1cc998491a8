//! One file per subject; a test is named after the line of the contract it holds.

mod agreement;
mod agreement_bodies;
mod architecture;
mod bodies;
mod canary;
mod credentials;
mod demo;
mod documents;
mod errors;
mod forwarding;
mod harness;
mod hostile;
mod identity;
mod limits;
mod listening;
mod login;
mod observing;
mod ocore;
mod paths;
mod projects;
mod readings;
mod reload;
mod tenant;
mod upstreams;
mod usage;
mod validation;
