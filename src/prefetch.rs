//! A hint to the processor, for memory that is cold for sure: a key out of a million is in no cache.

/// Begins to bring the cache line at `address` in. A hint only: no address is wrong, nothing is read.
#[inline(always)]
#[expect(unsafe_code, reason = "the instruction is a hint: it reads nothing, and faults at no address")]
pub fn line(address: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has it, and it may be given any address (Intel SDM, PREFETCHh).
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address));
    }
    // Elsewhere the reads that follow are as right, and a little later.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The address of a value, for [`line`].
pub fn address<T>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}
