//! Whether there is anything to do: what a job reads and makes, and how that is compared.

use super::fields::{Checker, Field, list};
use super::problem::{Code, Finding};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How a job is told whether there is anything to do: it is skipped when all of this says no.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Patterns of the files it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Patterns of the files it writes; each must match one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generates: Vec<String>,
    /// How the two are compared.
    #[serde(default)]
    pub method: Method,
    /// Text for `sh -eu`: each must exit with 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
}

/// How sources are compared with what was made of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The sources have the contents they had when it last succeeded.
    #[default]
    Checksum,
    /// No source is younger than any file it generates.
    Timestamp,
    /// They are not compared.
    None,
}

/// The keys `sources`, `generates`, `method` and `status`, which together say whether there is anything to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written {
    sources: Option<Vec<String>>,
    generates: Option<Vec<String>>,
    method: Option<(Method, Range<usize>)>,
    status: Option<Vec<String>>,
}

const METHODS: [(&str, Method); 3] =
    [("checksum", Method::Checksum), ("timestamp", Method::Timestamp), ("none", Method::None)];

impl Written {
    /// Takes the field if it is one of these keys; gives whether it was.
    pub(super) fn take(&mut self, field: &Field<'_>, checker: &mut Checker) -> bool {
        let (key, value) = (field.key, field.value);
        match key {
            "sources" => self.sources = Some(patterns(checker, field)),
            "generates" => self.generates = Some(patterns(checker, field)),
            "status" => {
                self.status =
                    Some(list(value).iter().filter_map(|item| checker.filled_template(item, key)).collect())
            }
            "method" => {
                self.method = checker.choice(value, key, &METHODS).map(|method| (method, field.place.clone()))
            }
            _ => return false,
        }
        true
    }

    /// Whether any of them was given.
    pub(super) fn is_given(&self) -> bool {
        *self != Written::default()
    }

    /// What they say together; `None` when nothing was said.
    pub(super) fn finish(&self, checker: &mut Checker) -> Option<Freshness> {
        let sources = self.sources.clone().unwrap_or_default();
        let generates = self.generates.clone().unwrap_or_default();
        let status = self.status.clone().unwrap_or_default();
        if let Some((_, place)) = &self.method
            && sources.is_empty()
        {
            checker.report(Finding::new(
                Code::E0137,
                place.clone(),
                "`method` compares `sources`, and there are none",
                "this has no effect",
            ));
        }
        let method = self.method.as_ref().map_or_else(Method::default, |(method, _)| *method);
        let says_nothing = sources.is_empty() && generates.is_empty() && status.is_empty();
        (!says_nothing).then_some(Freshness { sources, generates, method, status })
    }
}

/// Paths and patterns of files: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of folders.
pub(super) fn patterns(checker: &mut Checker, field: &Field<'_>) -> Vec<String> {
    list(field.value).iter().filter_map(|item| checker.filled_template(item, field.key)).collect()
}
