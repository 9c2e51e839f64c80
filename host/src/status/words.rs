//! Several words that belong together, written by one and read by others without a lock.
//!
//! The writer makes the sequence counter odd, writes, and makes it even. Who reads the same even number
//! before and after has read them as a whole. Plain stores and loads on the machines there are.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Attempts of a reader: a writer needs nanoseconds, unless it died in the middle or means ill.
const ATTEMPTS: u32 = 64;

/// Writes `values` in order; what there are no values for stays.
pub(super) fn write(
    sequence: &AtomicU64,
    words: &[AtomicU64],
    values: impl IntoIterator<Item = u64>,
) {
    let odd = sequence.load(Ordering::Relaxed) | 1;
    sequence.store(odd, Ordering::Relaxed);
    fence(Ordering::Release);
    for (word, value) in words.iter().zip(values) {
        word.store(value, Ordering::Relaxed);
    }
    sequence.store(odd.wrapping_add(1), Ordering::Release);
}

/// Reads the words as a whole; `None` if that cannot be had.
pub(super) fn read<const N: usize>(sequence: &AtomicU64, words: &[AtomicU64]) -> Option<[u64; N]> {
    for _ in 0..ATTEMPTS {
        let before = sequence.load(Ordering::Acquire);
        let mut values = [0; N];
        for (value, word) in values.iter_mut().zip(words) {
            *value = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        if before.is_multiple_of(2) && sequence.load(Ordering::Relaxed) == before {
            return Some(values);
        }
        std::hint::spin_loop();
    }
    None
}

/// Adds to a word only this thread writes: not a locked instruction.
pub(super) fn add(word: &AtomicU64, n: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn never_torn() {
        static SEQUENCE: AtomicU64 = AtomicU64::new(0);
        static WORDS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
        static DONE: AtomicBool = AtomicBool::new(false);
        let writer = std::thread::spawn(|| {
            for n in 0..200_000 {
                write(&SEQUENCE, &WORDS, [n; 8]);
            }
            DONE.store(true, Ordering::Relaxed);
        });
        while !DONE.load(Ordering::Relaxed) {
            if let Some([first, rest @ ..]) = read::<8>(&SEQUENCE, &WORDS) {
                assert!(rest.iter().all(|word| *word == first), "{first} {rest:?}");
            }
        }
        writer.join().unwrap();
        assert_eq!(read(&SEQUENCE, &WORDS), Some([199_999; 8]));
    }

    #[test]
    fn a_writer_that_died_in_the_middle_holds_nobody_up() {
        let (sequence, words) = (AtomicU64::new(7), [const { AtomicU64::new(1) }; 2]);
        assert_eq!(read::<2>(&sequence, &words), None);
        // The next one mends it.
        write(&sequence, &words, [2, 3]);
        assert_eq!(read(&sequence, &words), Some([2, 3]));
    }
}
