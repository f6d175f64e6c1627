//! What a mirror counts for its metrics.

use hyper::StatusCode;
use metrics::{counter, describe_counter};

const RESPONSES: &str = "windlass_mirror_responses_total";
const BYTES: &str = "windlass_mirror_body_bytes_total";

/// Says what is counted, to a recorder that is there already.
pub(crate) fn describe() {
    describe_counter!(RESPONSES, "Answers, by status");
    describe_counter!(BYTES, "Bytes of answers' bodies, without heads");
}

pub(crate) fn answered(status: StatusCode) {
    counter!(RESPONSES, "status" => status.as_u16().to_string()).increment(1);
}

pub(crate) fn sent(bytes: u64) {
    counter!(BYTES).increment(bytes);
}
