//! The `ocriva` dialect's endpoints (CONTRACT A.5).

pub(super) mod login;
pub(super) mod tokens;
