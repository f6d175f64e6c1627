//! Tokens and secrets.

use cdn::secret::{Secret, Token, TokenKind};
use cdn::{Digest, SigningKey};

#[test]
fn a_token_reads_back_and_a_join_token_carries_the_fleet() {
    let fleet = Digest::of(b"root 1");
    for kind in [TokenKind::Join, TokenKind::Cluster, TokenKind::Publisher, TokenKind::Admin] {
        let token = Token::random(kind, Some(fleet));
        let back: Token = token.secret().expose().parse().unwrap();
        assert_eq!((back.kind(), back.fleet(), back.hash()), (kind, token.fleet(), token.hash()));
        assert_eq!(back.fleet().is_some(), kind == TokenKind::Join);
    }
}

#[test]
fn a_cut_or_mistyped_token_is_told_from_a_wrong_one() {
    let token = Token::random(TokenKind::Join, Some(Digest::of(b"root 1")));
    let text = token.secret().expose();
    for at in 0..text.len() {
        assert!(text[..at].parse::<Token>().is_err(), "cut at {at}");
        let mut bent = text.as_bytes().to_vec();
        bent[at] ^= 1;
        assert!(String::from_utf8(bent).unwrap().parse::<Token>().is_err(), "bent at {at}");
    }
    assert!(format!(" {text}\n").parse::<Token>().is_ok(), "white space around it is forgiven");
}

#[test]
fn d6_a_secret_shows_nothing() {
    let token = Token::random(TokenKind::Cluster, None);
    assert_eq!(format!("{:?}", token.secret()), "Secret(..)");
    assert!(!format!("{token:?}").contains(token.secret().expose()));
    let key = SigningKey::random();
    assert!(!format!("{key:?}").contains(key.to_text().expose()));
}

#[test]
fn a_key_reads_back_from_its_file_text() {
    let key = SigningKey::random();
    assert_eq!(SigningKey::from_text(&key.to_text()).unwrap().public(), key.public());
    for text in ["", "windlass-key-v0:", "windlass-key-v0:AAAA", "AAAA"] {
        assert!(SigningKey::from_text(&Secret::new(text)).is_err());
    }
}
