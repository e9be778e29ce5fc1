//! What callers must know, and whether they do.
//!
//! A token is only ever the key of a HMAC here, and comparisons take as long whatever they compare. Who calls a task that
//! there is not is held against a token that nobody knows, so that it takes as long as well.

use crate::base::TaskName;
use crate::definition::Secret;
use crate::engine::ScheduleKey;
use ring::hmac;
use std::collections::BTreeMap;

/// What is shorter could be guessed.
const SHORTEST: usize = 16;

/// What a caller shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The token itself.
    Token(Vec<u8>),
    /// The HMAC-SHA256 of the body with the token as its key.
    Signature(Vec<u8>),
}

impl std::fmt::Debug for Proof {
    /// What was shown is nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Proof::Token(_) => "Token(…)",
            Proof::Signature(_) => "Signature(…)",
        })
    }
}

/// The tokens of all hooks.
pub(super) struct Tokens {
    by_task: BTreeMap<String, Vec<(ScheduleKey, Token)>>,
    nobody: Token,
}

#[derive(Clone)]
struct Token {
    key: hmac::Key,
    /// The HMAC of the token with itself as its key. Two tokens are compared by these.
    own: hmac::Tag,
}

impl Default for Tokens {
    fn default() -> Tokens {
        let random = blake3::hash(format!("{:?}", std::time::Instant::now()).as_bytes());
        Tokens { by_task: BTreeMap::new(), nobody: Token::new(random.as_bytes()) }
    }
}

impl Token {
    fn new(token: &[u8]) -> Token {
        let key = hmac::Key::new(hmac::HMAC_SHA256, token);
        let own = hmac::sign(&key, token);
        Token { key, own }
    }

    fn is_shown(&self, proof: &Proof, body: &[u8]) -> bool {
        match proof {
            Proof::Token(token) => hmac::verify(&self.key, token, self.own.as_ref()).is_ok(),
            Proof::Signature(signature) => hmac::verify(&self.key, body, signature).is_ok(),
        }
    }
}

impl Tokens {
    /// The tokens of these hooks. One that cannot be had lets nobody in, and the log of the host says so.
    pub(super) async fn learn<F: Future<Output = Result<String, String>>>(
        wanted: Vec<(TaskName, ScheduleKey, Secret)>,
        find: impl Fn(Secret) -> F,
    ) -> Tokens {
        let mut tokens = Tokens::default();
        let mut known: Vec<(Secret, Option<Token>)> = Vec::new();
        for (task, key, secret) in wanted {
            let token = match known.iter().find(|(other, _)| *other == secret) {
                Some((_, token)) => token.clone(),
                None => {
                    let found = find(secret.clone()).await.and_then(long_enough);
                    let told = found.inspect_err(|why| {
                        tracing::error!("nobody can call {task}: the secret `{}` {why}", secret.name);
                    });
                    let token = told.ok().map(|value| Token::new(value.as_bytes()));
                    known.push((secret, token.clone()));
                    token
                }
            };
            let of_task = tokens.by_task.entry(task.to_string()).or_default();
            of_task.extend(token.map(|token| (key, token)));
        }
        tokens
    }

    /// The schedule of this task whose token the caller knows.
    pub(super) fn find(&self, task: &str, proofs: &[Proof], body: &[u8]) -> Option<ScheduleKey> {
        let hooks = self.by_task.get(task).map_or(&[][..], Vec::as_slice);
        let mut found = None;
        for (key, token) in hooks {
            // All are looked at, so that the time says nothing about which it was.
            let is_right = proofs.iter().filter(|proof| token.is_shown(proof, body)).count() > 0;
            found = found.or(is_right.then(|| key.clone()));
        }
        if hooks.is_empty() {
            let _ = proofs.iter().filter(|proof| self.nobody.is_shown(proof, body)).count();
        }
        found
    }
}

fn long_enough(token: String) -> Result<String, String> {
    match token.len() {
        SHORTEST.. => Ok(token),
        short => Err(format!("has {short} bytes; a token of a webhook has at least {SHORTEST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::SecretSource;

    const TOKEN: &str = "It's a Secret to Everybody";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
    }

    async fn tokens() -> Tokens {
        let secret = |name: &str| Secret { name: name.into(), from: SecretSource::Env, key: name.into() };
        let hook = |task: &str, secret: Secret| {
            (TaskName::new(task).unwrap(), ScheduleKey(format!("{task}: {}", secret.name).into()), secret)
        };
        let wanted = vec![
            hook("a", secret("ONE")),
            hook("a", secret("TWO")),
            hook("b", secret("SHORT")),
            hook("c", secret("GONE")),
        ];
        Tokens::learn(wanted, |secret| async move {
            match secret.name.as_str() {
                "ONE" => Ok(TOKEN.into()),
                "TWO" => Ok("another token of sixteen".into()),
                "SHORT" => Ok("fifteen bytes !".into()),
                _ => Err("is gone".into()),
            }
        })
        .await
    }

    /// The vector is the one of GitHub's documentation.
    #[tokio::test]
    async fn whoever_knows_a_token_is_let_in() {
        let tokens = tokens().await;
        let check = |task: &str, proofs: &[Proof], body: &str, expected: Option<&str>| {
            let found = tokens.find(task, proofs, body.as_bytes());
            assert_eq!(found.as_ref().map(|key| &*key.0), expected, "{task} {proofs:?} {body}");
        };
        let signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let token = |text: &str| Proof::Token(text.into());
        let signed = || Proof::Signature(hex(signature));
        check("a", &[signed()], "Hello, World!", Some("a: ONE"));
        check("a", &[signed()], "Hello, World?", None);
        check("a", &[Proof::Signature(hex(signature)[..31].into())], "Hello, World!", None);
        check("a", &[Proof::Signature(Vec::new())], "Hello, World!", None);
        check("a", &[token(TOKEN)], "", Some("a: ONE"));
        check("a", &[token("another token of sixteen")], "", Some("a: TWO"));
        check("a", &[token("wrong"), token(TOKEN)], "", Some("a: ONE"));
        check("a", &[token(&TOKEN[1..])], "", None);
        check("a", &[token("")], "", None);
        check("a", &[], "", None);
        for task in ["b", "c", "d", ""] {
            check(
                task,
                &[token(TOKEN), token(""), token("fifteen bytes !"), signed()],
                "Hello, World!",
                None,
            );
        }
    }
}
