//! The whole suite, through the front door: the real program, real sockets, scripted backends.
//!
//! One binary, so that it links once; one file per subject in `suite`, what they share in `support`.

#[cfg(test)]
mod suite;
#[cfg(test)]
mod support;
