//! What reading counts. A reason is a hold's code, as in reports and everywhere else.

use cdn::document::HoldReason;
use metrics::{counter, describe_counter};

const REFUSED: &str = "windlass_verify_failures_total";

/// Says what is counted, to a recorder that is there already.
pub(crate) fn describe() {
    describe_counter!(REFUSED, "What was refused because it could not be proved, by reason");
}

/// Bytes that their digest does not name were dropped. This is the one place where such bytes are counted: whoever
/// asks again, or asks elsewhere, counts the next ones.
pub(crate) fn refused() {
    counter!(REFUSED, "reason" => HoldReason::ContentMismatch.code()).increment(1);
}
