//! What every fuzzing test needs: inputs that are the same for the same number, and the loop that tries them.
//!
//! Unit tests in `src` share it, so it names nothing of neap: whoever needs the schema of a file hands it in.

#![allow(
    dead_code,
    unused_imports,
    reason = "the tests inside and outside of the library each use a part of it"
)]

mod campaign;
mod corpus;
mod documents;
mod emit;
mod expressions;
mod mutate;
mod rng;

pub(crate) use campaign::{ALLOWED, ALLOWED_LARGE, Campaign, Input, processor_time};
pub(crate) use corpus::corpus;
pub(crate) use documents::Documents;
pub(crate) use expressions::{expression, script};
pub(crate) use mutate::{mutated, raw};
pub(crate) use rng::Rng;

/// Files of all three sorts: bytes without sense, mutations of what people wrote, and documents grown from the schema.
pub(crate) struct Files {
    corpus: Vec<Vec<u8>>,
    documents: Documents,
}

impl Files {
    /// `schema` is the JSON Schema of the files.
    pub(crate) fn new(schema: serde_json::Value) -> Files {
        let corpus = corpus();
        let documents = Documents::new(schema, &corpus);
        Files { corpus, documents }
    }

    /// A file.
    pub(crate) fn file(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(16) {
            0 => raw(rng),
            1..=6 => mutated(rng, &self.corpus),
            7..=11 => self.documents.document(rng).into_bytes(),
            _ => {
                let texts = [self.documents.document(rng).into_bytes(), rng.pick(&self.corpus).clone()];
                mutated(rng, &texts)
            }
        }
    }
}
