//! Which store, as the settings say it. Secrets come by file or from the SDK's own chain, never by flag.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The settings of a store, for `#[command(flatten)]`. Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
/// `NO_PROXY`, as everywhere; where an instance's own role signs, `NO_PROXY` names 169.254.169.254.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreArgs {
    /// Where content is written: a folder, or `s3://BUCKET/PREFIX`
    #[arg(long, env = "WINDLASS_STORE", value_name = "PLACE")]
    pub store: Location,
    /// The S3 server, where it is not AWS: `https://HOST[:PORT]`, buckets addressed by path
    #[arg(long, env = "WINDLASS_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// The region to sign for; else what the AWS settings of this machine say, else us-east-1
    #[arg(long, env = "WINDLASS_S3_REGION", value_name = "REGION")]
    pub s3_region: Option<String>,
    /// Credentials in the form of ~/.aws/credentials, profile `default`; else the AWS chain: environment, web identity,
    /// container and instance roles
    #[arg(long, env = "WINDLASS_S3_CREDENTIALS_FILE", value_name = "FILE")]
    pub s3_credentials_file: Option<PathBuf>,
    /// Certificate authorities of the S3 server to trust besides the system's (PEM)
    #[arg(long, env = "WINDLASS_S3_CA_FILE", value_name = "FILE")]
    pub s3_ca_file: Option<PathBuf>,
}

impl StoreArgs {
    /// A place with no settings beside it.
    pub fn at(store: Location) -> Self {
        Self { store, s3_endpoint: None, s3_region: None, s3_credentials_file: None, s3_ca_file: None }
    }
}

/// Where content is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Directory(PathBuf),
    /// A bucket.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// What each key begins with: empty, or a path without a slash at either end.
        prefix: String,
    },
}

/// The text is no place for a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write a folder such as /var/lib/windlass/store, or s3://BUCKET/PREFIX")]
pub struct BadLocation(&'static str);

impl FromStr for Location {
    type Err = BadLocation;

    fn from_str(text: &str) -> Result<Self, BadLocation> {
        let Some(rest) = text.strip_prefix("s3://") else {
            let path = text.strip_prefix("file://").unwrap_or(text);
            return match path {
                "" => Err(BadLocation("the place of the store is empty")),
                _ if path.contains("://") => Err(BadLocation("a store cannot be written by this protocol")),
                _ => Ok(Self::Directory(path.into())),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        // What S3 itself demands of buckets, and nothing in a prefix that a URL or a folder would read otherwise.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if bucket.len() < 3 || bucket.len() > 63 || !bucket.chars().all(plain) {
            return Err(BadLocation("this is no bucket's name"));
        }
        let segment = |part: &str| !part.is_empty() && !matches!(part, "." | "..") && part.chars().all(plain);
        if !prefix.is_empty() && !prefix.split('/').all(segment) {
            return Err(BadLocation("a prefix has letters, digits, `-`, `_`, `.` and single slashes"));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests;
