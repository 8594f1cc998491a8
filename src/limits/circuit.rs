//! When a server that did not answer is tried again: at once, then after pauses that grow.

/// Counted in the ticks of a worker.
#[derive(Debug)]
pub(super) struct Circuit {
    /// Ticks until the next attempt.
    left: u32,
    /// Ticks of the next pause.
    pause: u32,
    /// Ticks since the last attempt that succeeded.
    good: u32,
}

/// A third of a second: while one gateway has not noticed that there are answers again and the others have, it lets its share
/// through beside what they do.
const LONGEST: u32 = 3;
/// After ten seconds without a failure, the next one is the first again.
const FORGOTTEN: u32 = 100;

impl Circuit {
    /// One that may try at once.
    pub(super) fn new() -> Self {
        Self { left: 0, pause: 1, good: 0 }
    }

    /// Begins a pause.
    pub(super) fn fail(&mut self) {
        self.left = self.pause;
        self.pause = (self.pause * 2).min(LONGEST);
        self.good = 0;
    }

    /// A tick while there is no answer: whether it is time for another attempt.
    pub(super) fn is_due(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    /// A tick while there are answers.
    pub(super) fn is_good(&mut self) {
        self.good = (self.good + 1).min(FORGOTTEN);
        if self.good == FORGOTTEN {
            self.pause = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks_until_due(circuit: &mut Circuit) -> u32 {
        1 + (0..1000).take_while(|_| !circuit.is_due()).count() as u32
    }

    #[test]
    fn pauses_grow_to_a_bound_and_shrink_only_after_a_good_time() {
        let mut circuit = Circuit::new();
        assert!(circuit.is_due());
        let mut pauses = Vec::new();
        for _ in 0..5 {
            circuit.fail();
            pauses.push(ticks_until_due(&mut circuit));
        }
        assert_eq!(pauses, [1, 2, 3, 3, 3]);
        (0..FORGOTTEN - 1).for_each(|_| circuit.is_good());
        circuit.fail();
        assert_eq!(ticks_until_due(&mut circuit), 3, "it fails again and again");
        (0..FORGOTTEN).for_each(|_| circuit.is_good());
        circuit.fail();
        assert_eq!(ticks_until_due(&mut circuit), 1);
    }
}
