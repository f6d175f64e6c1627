//! How many wrong credentials are looked at: a bounded number for each address and for all together (FAULTS D5). The
//! memory is one fixed table, however many addresses there are; two that share a place share its allowance.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Places of the table: 32 KiB.
const PLACES: usize = 4_096;
const WINDOW_MS: i64 = 60_000;

/// Counts in windows of a minute.
#[derive(Debug)]
pub(crate) struct Limiter {
    each: u32,
    all: u32,
    counts: Mutex<Counts>,
    /// So that nobody can choose addresses that share a place.
    seed: u64,
}

#[derive(Debug)]
struct Counts {
    window: i64,
    all: u32,
    places: Vec<u32>,
}

impl Limiter {
    /// So many in a minute for each address, and for all together.
    pub(crate) fn new(each: u32, all: u32) -> Self {
        let counts = Counts { window: 0, all: 0, places: vec![0; PLACES] };
        Self { each, all, counts: Mutex::new(counts), seed: u64::from_le_bytes(cdn::secret::random()) }
    }

    /// Whether the next one would not be allowed.
    pub(crate) fn is_exhausted(&self, from: IpAddr, now_ms: i64) -> bool {
        let place = self.place(from);
        let counts = self.counts(now_ms);
        counts.all >= self.all || counts.places.get(place).is_none_or(|here| *here >= self.each)
    }

    /// Counts one, and says whether it is allowed.
    pub(crate) fn allows(&self, from: IpAddr, now_ms: i64) -> bool {
        let place = self.place(from);
        let mut counts = self.counts(now_ms);
        let Some(here) = counts.places.get_mut(place) else { return false };
        if *here >= self.each {
            return false;
        }
        *here += 1;
        if counts.all >= self.all {
            return false;
        }
        counts.all += 1;
        true
    }

    /// The counts of this minute.
    fn counts(&self, now_ms: i64) -> MutexGuard<'_, Counts> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let window = now_ms.div_euclid(WINDOW_MS);
        if counts.window != window {
            counts.window = window;
            counts.all = 0;
            counts.places.fill(0);
        }
        counts
    }

    /// An IPv6 customer has a /64: its addresses count as one.
    fn place(&self, from: IpAddr) -> usize {
        let network = match from.to_canonical() {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or_default() ^ (1 << 63),
        };
        let mixed = (network ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 52).unwrap_or_default() % PLACES
    }

    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).places.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::Limiter;

    #[test]
    fn d5_a_million_addresses_cost_no_more_memory_than_one() {
        let limiter = Limiter::new(10, 1_000);
        let before = limiter.heap_bytes();
        let allowed =
            (0..1_000_000).filter(|n| limiter.allows(IpAddr::V4(Ipv4Addr::from_bits(*n)), 0)).count();
        assert_eq!(limiter.heap_bytes(), before);
        assert_eq!(allowed, 1_000, "all together");
    }

    #[test]
    fn one_address_has_its_own_bound_and_gets_it_back_after_a_minute() {
        let limiter = Limiter::new(10, 1_000);
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let allowed = |now| (0..100).filter(|_| limiter.allows(from, now)).count();
        assert_eq!((allowed(0), allowed(59_999), allowed(60_000)), (10, 0, 10));
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one_address() {
        let limiter = Limiter::new(10, 1_000);
        let from = |n: u128| IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | n));
        assert_eq!((0..100).filter(|n| limiter.allows(from(*n), 0)).count(), 10);
    }
}
