//! A new process in place of this one, without a moment in which nobody listens.
//!
//! On SIGUSR2 a process starts its own program again, as it now is on disk, and hands it the listening sockets over a
//! socket pair that is the new one's standard input. The sockets themselves live on, and with them what waits in their
//! queues: the old process accepts from them until the new one is ready, and then the new one does. A new one that does
//! not get so far changes nothing.
//!
//! | from the old process | from the new one |
//! |---|---|
//! | `portcullis 1 SUCCESSES FAILURES KEY`: version of this table, hand-overs so far, what the limiter's names are hashed with | |
//! | `at ADDRESS`, with sockets, or `at ADDRESS kept`, with those that systemd has, too; as often as needed | |
//! | `end` | |
//! | | `ready ADDRESS…`: nothing can go wrong any more; the addresses that it has no use for |
//! | `counted`, with a file: what is used of every limit, once it accepts no more | |
//! | | accepts |
//! | `yours`: what only one process may do, it does no longer | |

mod channel;
mod give;
mod take;

pub(super) use give::{Failed, Giving, Successor};
pub use take::NotTaken;
pub(super) use take::{Beside, Predecessor};

/// Names the process that hands over, to the one that it has started.
const VARIABLE: &str = "PORTCULLIS_HANDOVER_FROM";

/// The first word, and the version.
const GREETING: &str = "portcullis 1";

/// With a file that says what is used of every limit.
const COUNTED: &str = "counted";
