//! Seeded changes of inputs, for runs that must find the same tomorrow.

use fastrand::Rng;

/// The words of a dictionary in libFuzzer's form: one quoted word a line, `\xAB` for bytes.
pub fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| Some(line.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned());
    dictionary.lines().filter_map(quoted).map(|word| unescaped(&word)).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("two hexadecimal digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                rest = after;
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(*escaped);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// The longest input that is made, in bytes.
const LONGEST: usize = 16 * 1024;

/// Changes one of the seeds, mostly a little.
pub fn mutated(rng: &mut Rng, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut data = rng.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..1 << rng.u32(0..5) {
        once(rng, &mut data, seeds, words);
    }
    data.truncate(LONGEST);
    data
}

fn once(rng: &mut Rng, data: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>]) {
    let at = rng.usize(0..=data.len());
    match rng.u8(0..9) {
        0 if at < data.len() => data[at] ^= 1 << rng.u8(0..8),
        1 if at < data.len() => data[at] = rng.u8(..),
        2 | 3 => {
            if let Some(word) = rng.choice(words) {
                // In place of as many bytes, or between two.
                let end = if rng.bool() { (at + word.len()).min(data.len()) } else { at };
                data.splice(at..end, word.iter().copied());
            }
        }
        4 => {
            let end = (at + rng.usize(1..=16)).min(data.len());
            data.drain(at..end);
        }
        5 => {
            let end = (at + rng.usize(1..=64)).min(data.len());
            let piece = data[at..end].to_vec();
            let to = rng.usize(0..=data.len());
            data.splice(to..to, piece);
        }
        6 => {
            if let Some(other) = rng.choice(seeds).filter(|other| !other.is_empty()) {
                let from = rng.usize(0..other.len());
                let end = (from + rng.usize(1..=256)).min(other.len());
                data.splice(at..at, other[from..end].iter().copied());
            }
        }
        _ => lines(rng, data),
    }
}

/// A line goes, comes twice, moves, or is indented otherwise: what matters to texts that people write.
fn lines(rng: &mut Rng, data: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = data.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (rng.usize(0..lines.len()), rng.usize(0..lines.len()));
    match rng.u8(0..5) {
        0 => drop(lines.remove(one)),
        1 => lines.insert(other, lines[one].clone()),
        2 => lines.swap(one, other),
        3 => drop(lines[one].splice(0..0, std::iter::repeat_n(b' ', rng.usize(1..4)))),
        _ => {
            let spaces = lines[one].iter().take_while(|byte| **byte == b' ').count();
            lines[one].drain(..rng.usize(0..=spaces));
        }
    }
    *data = lines.join(&b'\n');
}
