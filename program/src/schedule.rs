//! When to come back: spread by construction (law L12), random where many would meet, never longer than agreed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(test)]
mod tests;

/// The least and the most that a server may ask an agent to wait (FAULTS H3): it can slow a fleet down, not stop it.
pub const SERVER_WAIT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(1));

/// Where in an interval the owner of `key` has its turn: always the same place, and evenly spread over many keys.
/// The hash (FNV-1a with murmur3's finaliser) is part of what we promise: a new version must not move the fleet.
pub fn phase(key: &[u8], interval: Duration) -> Duration {
    let mut hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    share(interval, hash)
}

/// How long until the owner of a [`phase`] has its next turn: turns are at whole intervals of wall-clock time plus
/// the phase, so a fleet that is switched on at once still arrives evenly.
pub fn until_phase(phase: Duration, interval: Duration, now: SystemTime) -> Duration {
    let interval = interval.as_nanos().max(1);
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let wait = (phase.as_nanos() % interval + interval - now % interval) % interval;
    nanos(wait)
}

/// A random duration from zero up to, not including, `most`.
pub fn jitter(most: Duration) -> Duration {
    share(most, random())
}

/// A wait that a server asked for (`Retry-After`, `Poll-After`), kept within [`SERVER_WAIT`].
pub fn server_wait(told: Duration) -> Duration {
    told.clamp(SERVER_WAIT.0, SERVER_WAIT.1)
}

/// Waits that double from `first` to `longest`, each random between zero and its length ("full jitter", AWS
/// Architecture Blog 2015), so that those who failed together do not return together.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts with no failure so far.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The wait after one more failure. What the server said, within [`SERVER_WAIT`], stands instead of our own
    /// reckoning, and is stretched by up to a quarter since it told everybody the same.
    pub fn next(&mut self, told: Option<Duration>) -> Duration {
        let wait = wait_after(self.failures, (self.first, self.longest), told, random());
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// How many failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It worked: the next failure starts from `first` again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The decision of [`Backoff::next`], with the random number given.
fn wait_after(
    failures: u32,
    (first, longest): (Duration, Duration),
    told: Option<Duration>,
    random: u64,
) -> Duration {
    match told {
        Some(told) => {
            let told = server_wait(told);
            (told + share(told / 4, random)).min(SERVER_WAIT.1)
        }
        None => share(first.saturating_mul(2_u32.saturating_pow(failures)).min(longest), random),
    }
}

/// `whole` times `part` / 2^64.
fn share(whole: Duration, part: u64) -> Duration {
    nanos((whole.as_nanos().min(u128::from(u64::MAX)) * u128::from(part)) >> 64)
}

fn nanos(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

fn random() -> u64 {
    // Without randomness from the system the middle is still a working wait.
    getrandom::u64().unwrap_or(u64::MAX / 2)
}
