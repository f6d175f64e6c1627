use super::*;

#[test]
fn cpu_time_is_read_behind_a_name_with_spaces_and_brackets() {
    let stat = "7 (a) b) S 1 7 7 0 -1 4194304 500 0 0 0 250 50 0 0 20 0 4 0 100 0 0";
    assert_eq!(cpu_of(stat), Some(3.0));
}

#[test]
fn resident_memory_is_read_in_bytes() {
    assert_eq!(resident_of("VmPeak:\t  9 kB\nVmRSS:\t   2048 kB\n"), Some(2_097_152));
    assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
}
