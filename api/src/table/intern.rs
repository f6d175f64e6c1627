//! Values that many clusters share, kept once and named by a small number.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem::size_of;

/// The number of nothing.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Interned<T> {
    numbers: HashMap<T, u32>,
    /// The value, and how many clusters use it.
    entries: Vec<Option<(T, u32)>>,
    free: Vec<u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), entries: Vec::new(), free: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The number of a value, used once more.
    pub(super) fn add(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            if let Some(Some((_, uses))) = self.entries.get_mut(*number as usize) {
                *uses += 1;
            }
            return *number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
        });
        self.entries[number as usize] = Some((value.clone(), 1));
        self.numbers.insert(value, number);
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.entries.get(number as usize)?.as_ref().map(|(value, _)| value)
    }

    /// One use less; the last one frees it.
    pub(super) fn drop_one(&mut self, number: u32) {
        let Some(entry) = self.entries.get_mut(number as usize) else { return };
        let Some((value, uses)) = entry else { return };
        *uses -= 1;
        if *uses == 0 {
            self.numbers.remove(value);
            *entry = None;
            self.free.push(number);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.numbers.capacity() * 8 / 7 * (size_of::<(T, u32)>() + 1)
            + self.entries.capacity() * size_of::<Option<(T, u32)>>()
            + self.free.capacity() * size_of::<u32>()
    }
}
