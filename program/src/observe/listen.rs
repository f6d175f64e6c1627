//! Where the listener stands.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// The settings of the listener, for `#[command(flatten)]`. `PORT` is the program's own default port.
#[derive(Debug, Clone, clap::Args)]
pub struct ObserveArgs<const PORT: u16> {
    /// Address for /healthz, /readyz and /metrics, or `off`
    #[arg(long, env = "WINDLASS_OBSERVE_LISTEN", value_name = "ADDRESS", default_value_t = Listen::local(PORT))]
    pub observe_listen: Listen,
}

/// An address, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// No listener and no metrics.
    Off,
    /// This address.
    At(SocketAddr),
}

impl Listen {
    /// A port that only this machine reaches.
    pub fn local(port: u16) -> Self {
        Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let wrong = |_| "is not an address; write IP:PORT such as 0.0.0.0:9100, [::]:9100, or off".to_owned();
        text.parse().map(Self::At).map_err(wrong)
    }
}
