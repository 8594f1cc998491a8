//! Looks for odd bytes in short texts: sixteen together and without an early exit, as processors like it. The last
//! sixteen overlap those before, so that no remainder is looked at byte by byte.

/// Whether some byte is so.
#[inline(always)]
pub(super) fn any(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let among = |chunk: &[u8; 16]| chunk.iter().fold(false, |found, &byte| found | is(byte));
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().fold(false, |found, &byte| found | is(byte));
    };
    bytes.as_chunks().0.iter().fold(among(last), |found, chunk| found | among(chunk))
}

/// Whether some byte and the one after it are so.
#[inline(always)]
pub(super) fn any_pair(bytes: &[u8], is: impl Fn(u8, u8) -> bool) -> bool {
    let (Some((_, nexts)), Some((_, ones))) = (bytes.split_first(), bytes.split_last()) else { return false };
    let among = |ones: &[u8], nexts: &[u8]| {
        ones.iter().zip(nexts).fold(false, |found, (&one, &next)| found | is(one, next))
    };
    let (Some(last), Some(last_next)) = (ones.last_chunk::<16>(), nexts.last_chunk::<16>()) else {
        return among(ones, nexts);
    };
    let chunks = ones.as_chunks::<16>().0.iter().zip(nexts.as_chunks::<16>().0);
    chunks.fold(among(last, last_next), |found, (ones, nexts)| found | among(ones, nexts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_length_is_looked_at() {
        for length in 0..70 {
            let plain = vec![b'a'; length];
            assert!(!any(&plain, |byte| byte == b'!'));
            assert!(!any_pair(&plain, |one, next| one == b'!' || next == b'!'));
            for at in 0..length {
                let mut odd = plain.clone();
                odd[at] = b'!';
                assert!(any(&odd, |byte| byte == b'!'), "{at} of {length}");
                assert_eq!(any_pair(&odd, |one, next| (one, next) == (b'!', b'a')), at + 1 < length);
                assert_eq!(any_pair(&odd, |one, next| (one, next) == (b'a', b'!')), at > 0);
            }
        }
    }
}
