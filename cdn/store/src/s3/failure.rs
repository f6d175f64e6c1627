//! What the SDK's errors mean to us. Only codes and short texts are kept: a whole answer may say more than a log should.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::Cause;

const TEXT_CHARS: usize = 300;

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Failed {
    /// 412: the condition does not hold.
    NotMet,
    /// 409: another conditional request for the same key.
    Collided,
    /// 404, and the bucket is there.
    NoSuchKey,
    /// Anything else.
    Other(Cause),
}

pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Failed
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let (code, message) = (answer.err().code(), answer.err().message());
            answered(answer.raw().status().as_u16(), code.unwrap_or_default(), message.unwrap_or_default())
        }
        SdkError::TimeoutError(_) => Failed::Other(Cause::Unreachable("no answer in time".to_owned())),
        SdkError::DispatchFailure(failure) => {
            let why = failure.as_connector_error().map_or_else(String::new, |error| innermost(error));
            Failed::Other(Cause::Unreachable(why))
        }
        SdkError::ResponseError(answer) => match answer.raw().status().as_u16() {
            status @ 500.. => Failed::Other(Cause::Busy(format!("status {status}"))),
            status => Failed::Other(Cause::Refused(format!("status {status}, and no S3 answer in it"))),
        },
        // Signing comes before sending: without usable credentials nothing is sent.
        SdkError::ConstructionFailure(_) => Failed::Other(Cause::Denied(innermost(error))),
        _ => Failed::Other(Cause::Refused(innermost(error))),
    }
}

fn answered(status: u16, code: &str, message: &str) -> Failed {
    let text = || short(&[code, message].join(" "));
    match (status, code) {
        (412, _) => Failed::NotMet,
        (409, "ConditionalRequestConflict" | "OperationAborted") => Failed::Collided,
        (404, "NoSuchBucket") => Failed::Other(Cause::NoBucket),
        (404, _) => Failed::NoSuchKey,
        (401 | 403, _) => Failed::Other(Cause::Denied(text())),
        (507, _) => Failed::Other(Cause::Full),
        (429 | 500.., _) | (_, "RequestTimeout") => Failed::Other(Cause::Busy(text())),
        _ => Failed::Other(Cause::Refused(format!("status {status}: {}", text()))),
    }
}

/// The innermost reason: the layers around it repeat each other, and say addresses that are known already.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    short(&last.to_string())
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS).collect::<String>().trim().to_owned()
}
