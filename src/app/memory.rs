//! The ceiling of memory: over it, nobody new is let in, and who waits for nothing is sent away.

use super::Parts;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often memory is looked at. An attacker on a fast line makes some tens of megabytes meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Looks for ever.
pub(super) async fn watch(parts: Arc<Parts>) {
    let mut pressed = false;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(ceiling) = parts.config.load().limits.memory else {
            if std::mem::take(&mut pressed) {
                parts.shared.pressed.store(false, Ordering::Relaxed);
            }
            continue;
        };
        let Ok(resident) = resident() else { continue };
        // Not back and forth with each allocation.
        let now = if pressed { resident > ceiling / 10 * 9 } else { resident > ceiling };
        if now != pressed {
            pressed = now;
            parts.shared.pressed.store(now, Ordering::Relaxed);
            tell(pressed, resident, ceiling);
        }
    }
}

fn tell(pressed: bool, resident: u64, ceiling: u64) {
    if pressed {
        tracing::warn!(
            resident,
            ceiling,
            "over limits.memory: new connections are closed, open ones end with their present answers"
        );
    } else {
        tracing::info!(resident, ceiling, "below limits.memory again: connections are taken");
    }
}

/// Bytes of memory that the process holds, `Rss` of `/proc/self/statm`.
///
/// # Errors
/// Where the system does not tell.
pub(super) fn resident() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map(|pages| pages * rustix::param::page_size() as u64).ok_or(io::ErrorKind::InvalidData.into())
}
