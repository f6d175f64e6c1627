//! The owner mark: how an object says whose it is. It names the object itself, so that a copy of the annotation on
//! another object (operators copy metadata to children, FAULTS F23) is not a mark.

use std::fmt;
use std::str::FromStr;

use cdn::{Digest, ObjectId, ServiceName};

/// The annotation that holds an [`OwnerMark`].
pub const OWNER: &str = "windlass.dev/owner";

/// The annotation, `"true"`, of an object that was there before us: when its service goes it stays (FAULTS F16).
pub const ADOPTED: &str = "windlass.dev/adopted";

/// Fleet, service, and the object that the mark stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerMark {
    /// The fleet's id.
    pub fleet: Digest,
    /// The service.
    pub service: ServiceName,
    /// `Kind.group/namespace/name` of the object, as [`ObjectId`] writes it.
    pub object: String,
}

impl OwnerMark {
    /// The mark for an object of a service. `id` has its namespace filled in.
    pub fn new(fleet: Digest, service: ServiceName, id: &ObjectId) -> Self {
        Self { fleet, service, object: id.to_string() }
    }

    /// The service of this fleet that owns `id`, or none where the mark is another fleet's or another object's.
    pub fn owner_of(&self, id: &ObjectId, fleet: Digest) -> Option<&ServiceName> {
        (self.fleet == fleet && self.names(id)).then_some(&self.service)
    }

    /// Whether the mark was made for this object.
    pub fn names(&self, id: &ObjectId) -> bool {
        self.object == id.to_string()
    }
}

/// The annotation's text: three words.
impl fmt::Display for OwnerMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.fleet, self.service, self.object)
    }
}

/// The text is not a mark of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an owner mark: fleet, service and object, separated by spaces")]
pub struct BadMark;

impl FromStr for OwnerMark {
    type Err = BadMark;

    fn from_str(text: &str) -> Result<Self, BadMark> {
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().filter(|word| !word.is_empty()).ok_or(BadMark);
        let fleet = word()?.parse().map_err(|_| BadMark)?;
        let service = word()?.parse().map_err(|_| BadMark)?;
        Ok(Self { fleet, service, object: word()?.to_owned() })
    }
}

const MANAGER_BYTES: usize = 128;

/// How every field manager of ours begins.
pub(crate) const MANAGER_PREFIX: &str = "windlass/";

/// The field manager of a service. Never one for two services: a shared one strips the other's fields without a
/// conflict (FAULTS F13). Kubernetes takes 128 bytes; a longer one is cut and ends in a digest.
pub fn field_manager(service: &ServiceName) -> String {
    let whole = format!("{MANAGER_PREFIX}{service}");
    if whole.len() <= MANAGER_BYTES {
        return whole;
    }
    let digest = Digest::of(whole.as_bytes()).hex();
    format!("{}~{}", &whole[..MANAGER_BYTES - 17], &digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ObjectId {
        ObjectId { group: "apps".into(), kind: "Deployment".into(), namespace: None, name: name.into() }
    }

    #[test]
    fn a_mark_reads_back_and_names_only_its_own_object() {
        let fleet = Digest::of(b"root");
        let mark = OwnerMark::new(fleet, "default/web".parse().unwrap(), &id("web"));
        let read: OwnerMark = mark.to_string().parse().unwrap();
        assert_eq!(read, mark);
        assert_eq!(read.owner_of(&id("web"), fleet).map(ToString::to_string).as_deref(), Some("default/web"));
        assert_eq!(read.owner_of(&id("copy"), fleet), None);
        assert_eq!(read.owner_of(&id("web"), Digest::of(b"another")), None);
    }

    #[test]
    fn what_is_not_three_words_is_not_a_mark() {
        for text in ["", "a b c", "sha256:00 default/web x", &format!("{} default/web", Digest::of(b""))] {
            assert_eq!(text.parse::<OwnerMark>(), Err(BadMark), "{text}");
        }
    }

    /// The corpus of the fuzz target: a mark, cut anywhere, with anything behind it.
    #[test]
    fn b12_no_text_makes_the_reader_panic_and_a_mark_has_one_spelling() {
        let mark =
            OwnerMark::new(Digest::of(b"root"), "default/web".parse().unwrap(), &id("web")).to_string();
        for end in 0..=mark.len() {
            for behind in ["", " ", "  x", "\u{e9} default/web x", "\n", &mark] {
                let text = format!("{}{behind}", &mark[..end]);
                if let Ok(read) = text.parse::<OwnerMark>() {
                    assert_eq!(read.to_string(), text);
                }
            }
        }
    }

    #[test]
    fn a_long_service_has_a_field_manager_that_kubernetes_takes() {
        let long = format!("{}/{}", "p".repeat(63), "s".repeat(63));
        let other = format!("{}/{}z", "p".repeat(63), "s".repeat(62));
        let (long, other) = (field_manager(&long.parse().unwrap()), field_manager(&other.parse().unwrap()));
        assert_eq!((long.len(), other.len()), (128, 128));
        assert_ne!(long, other);
    }
}
