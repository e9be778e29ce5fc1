//! What is wrong as SARIF 2.1.0, which code hosts and editors show beside the lines.

use super::Finding;
use crate::definition::{Code, Severity};
use crate::lua::ScriptProblem;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One log with one run.
pub(super) fn log(findings: &[Finding<'_>]) -> Value {
    let codes: BTreeSet<Code> = findings.iter().filter_map(code).collect();
    let rules: Vec<Value> = codes.into_iter().map(rule).collect();
    let results: Vec<Value> = findings.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "neap", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    })
}

fn code(finding: &Finding<'_>) -> Option<Code> {
    match finding {
        Finding::Yaml(problem) => Some(problem.code),
        Finding::Lua(_) => None,
    }
}

fn rule(code: Code) -> Value {
    json!({
        "id": code,
        "fullDescription": { "text": code.about() },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

fn result(finding: &Finding<'_>) -> Value {
    match finding {
        Finding::Yaml(problem) => {
            let text = match &problem.help {
                Some(help) => format!("{}\n{help}", problem.message),
                None => problem.message.clone(),
            };
            json!({
                "ruleId": problem.code,
                "level": level(problem.severity),
                "message": { "text": text },
                "locations": [location(&problem.file, problem.line, Some(problem.column))],
                "relatedLocations": problem.also.iter().map(|place| {
                    let mut related = location(&place.file, place.line, Some(place.column));
                    related["message"] = json!({ "text": place.label });
                    related
                }).collect::<Vec<_>>(),
            })
        }
        Finding::Lua(ScriptProblem { file, line, message, .. }) => json!({
            "level": "error",
            "message": { "text": message },
            "locations": [location(file, line.unwrap_or(1) as usize, None)],
        }),
    }
}

fn location(file: &str, line: usize, column: Option<usize>) -> Value {
    let region = match column {
        Some(column) => json!({ "startLine": line, "startColumn": column }),
        None => json!({ "startLine": line }),
    };
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": region } })
}

/// A path as a relative reference of RFC 3986.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
