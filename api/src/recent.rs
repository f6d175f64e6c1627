//! A bounded memory of what was used lately: two generations, the older of which is dropped when the younger is full.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// At most twice `limit` entries; those that are used stay.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    limit: usize,
    generations: Mutex<Generations<K, V>>,
}

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, generations: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut both = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = both.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = both.old.remove_entry(key)?;
        both.put(self.limit, key, value.clone());
        Some(value)
    }

    pub(crate) fn put(&self, key: K, value: V) {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner).put(self.limit, key, value);
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn put(&mut self, limit: usize, key: K, value: V) {
        if self.young.len() >= limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let recent = Recent::new(4);
        for n in 0..100 {
            recent.put(n, n);
            assert_eq!(recent.get(&0), Some(0), "used all the time, at {n}");
        }
        let held = (0..100).filter(|n| recent.get(n).is_some()).count();
        assert!(held <= 8, "{held} are held");
        assert_eq!(recent.get(&50), None);
    }
}
