//! What was found out about one file, and how it is shown.

use cdn::trust::Trust;
use cdn::{Digest, PublicKey};
use serde_json::{Value, json};

use crate::output::View;
use crate::table::Table;

/// What was found out about one file.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The file.
    pub(crate) file: String,
    /// What it is.
    pub(crate) kind: &'static str,
    /// Whether it can be believed.
    pub(crate) verified: bool,
    /// Who signed it.
    pub(crate) signers: Vec<PublicKey>,
    /// The digest of its bytes; of a bundle: T.
    pub(crate) digest: Digest,
    /// What it says, in one line.
    pub(crate) says: String,
    /// Why it can be believed, or not.
    pub(crate) why: String,
    /// The whole document.
    pub(crate) document: Value,
}

impl Finding {
    fn verdict(&self) -> &'static str {
        if self.verified { "verified" } else { "not verified" }
    }

    fn value(&self) -> Value {
        let signers: Vec<String> = self.signers.iter().map(PublicKey::id).collect();
        json!({ "file": self.file, "kind": self.kind, "verified": self.verified, "signedBy": signers,
            "digest": self.digest, "says": self.says, "why": self.why, "document": self.document })
    }
}

/// All findings.
pub(crate) fn view(findings: &[Finding], trust: &Trust) -> View {
    let mut table = Table::new(["FILE", "KIND", "VERDICT", "SIGNED BY", "SAYS", "WHY"]).wide(["DIGEST"]);
    for finding in findings {
        let signers: Vec<String> = finding.signers.iter().map(PublicKey::id).collect();
        table.row([
            finding.file.clone(),
            finding.kind.to_owned(),
            finding.verdict().to_owned(),
            signers.join(","),
            finding.says.clone(),
            finding.why.clone(),
            finding.digest.to_string(),
        ]);
    }
    let files: Vec<Value> = findings.iter().map(Finding::value).collect();
    let verified = findings.iter().filter(|finding| finding.verified);
    View {
        table,
        value: json!({ "fleet": trust.fleet(), "root": trust.version(), "files": files }),
        names: verified.map(|finding| finding.file.clone()).collect(),
        empty: "",
    }
}
