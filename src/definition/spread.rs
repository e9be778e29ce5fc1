//! One leaf that becomes many jobs: a matrix, or one job for each item of a list.

use super::fields::{Checker, Field, Path, list};
use super::free;
use super::keys;
use super::leaf::hint_at;
use super::problem::{Code, Finding};
use super::template::KEYWORDS;
use super::tree::{Kind, Node};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How one leaf becomes many jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The cells, or where they come from.
    pub over: Over,
    /// How many of them may go on at once; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Whether the first failure stops the others.
    pub fail_fast: bool,
}

/// Where cells come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Every combination of these values.
    Matrix {
        /// The axes in the order they were written. A value that is one expression stands for the list it gives.
        axes: Vec<(String, Value)>,
        /// Further cells, or further values for cells.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        include: Vec<serde_json::Map<String, Value>>,
        /// Combinations that are left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exclude: Vec<serde_json::Map<String, Value>>,
    },
    /// One cell for each item.
    Items {
        /// A list, or one expression that gives one.
        items: Value,
        /// The name of the item in expressions.
        name: String,
    },
}

/// Static cells of one job at most. Expressions are held to the same number when they are evaluated.
pub const MOST_CELLS: usize = 10_000;

type Cells = Vec<serde_json::Map<String, Value>>;

/// `strategy: {matrix, include, exclude, max_parallel, fail_fast}`.
pub(super) fn strategy(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<Spread> {
    let path = above.child("strategy");
    let (mut axes, mut has_matrix) = (Vec::new(), false);
    let (mut include, mut exclude): (Cells, Cells) = Default::default();
    let (mut max_parallel, mut fail_fast) = (None, true);
    for field in checker.fields(node, &path)? {
        match field.key {
            "matrix" => {
                has_matrix = true;
                matrix(checker, field.value, &path, &mut axes, &mut include, &mut exclude);
            }
            "include" => include = cells(checker, &field, &path),
            "exclude" => exclude = cells(checker, &field, &path),
            "max_parallel" => max_parallel = at_once(checker, field.value),
            // GitHub's spelling.
            "max-parallel" => {
                hint_at(checker, &field.place, "max-parallel", "max_parallel");
                max_parallel = at_once(checker, field.value);
            }
            "fail_fast" => fail_fast = checker.boolean(field.value, "fail_fast").unwrap_or(true),
            "fail-fast" => {
                hint_at(checker, &field.place, "fail-fast", "fail_fast");
                fail_fast = checker.boolean(field.value, "fail_fast").unwrap_or(true);
            }
            _ => _ = checker.unknown(&field, &path, &keys::STRATEGY),
        }
    }
    if !has_matrix && include.is_empty() {
        let finding = Finding::new(
            Code::E0130,
            node.span.clone(),
            format!("{path} has no `matrix`"),
            "`matrix` is required",
        );
        checker.report(finding.help("for example `matrix: { os: [linux, macos], version: [1, 2] }`"));
        return None;
    }
    let spread = Spread { over: Over::Matrix { axes, include, exclude }, max_parallel, fail_fast };
    refuse_too_many(checker, node, &spread);
    Some(spread)
}

/// The axes; `include` and `exclude` may stand among them, as on GitHub.
fn matrix(
    checker: &mut Checker,
    node: &Node<'_>,
    above: &Path<'_>,
    axes: &mut Vec<(String, Value)>,
    include: &mut Cells,
    exclude: &mut Cells,
) {
    let path = above.child("matrix");
    for field in checker.fields(node, &path).unwrap_or_default() {
        match field.key {
            "include" => *include = cells(checker, &field, &path),
            "exclude" => *exclude = cells(checker, &field, &path),
            name if checker.is_identifier(name, &field.place, "an axis of a matrix") => {
                if let Some(values) = values(checker, field.value, name) {
                    axes.push((name.to_owned(), values));
                }
            }
            _ => {}
        }
    }
}

/// A list of values, or one expression that gives one.
fn values(checker: &mut Checker, node: &Node<'_>, what: &str) -> Option<Value> {
    if matches!(node.kind, Kind::Broken) {
        return None;
    }
    checker.free_form(node);
    checker.templates_within(node);
    let value = super::values::json(node);
    let is_list = matches!(&value, Value::Array(items) if !items.is_empty());
    let is_expression = matches!(&value, Value::String(text) if is_one_expression(text));
    if is_list || is_expression {
        return Some(value);
    }
    if matches!(&value, Value::Array(_)) {
        checker.report(Finding::new(
            Code::E0134,
            node.span.clone(),
            format!("`{what}` is empty"),
            "at least one value is needed",
        ));
        return None;
    }
    let finding = Finding::new(
        Code::E0110,
        node.span.clone(),
        format!("`{what}` must be a list"),
        "expected a list, or one expression that gives one",
    );
    checker.report(finding.help(format!("write `{what}: [a, b]` or `{what}: ${{{{ … }}}}`")));
    None
}

fn is_one_expression(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("${{") && text.ends_with("}}") && text.matches("${{").count() == 1
}

fn cells(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Cells {
    let path = above.child(field.key);
    let mut cells = Vec::new();
    for item in list(field.value) {
        if checker.fields(item, &path).is_none() {
            continue;
        }
        checker.templates_within(item);
        if let Value::Object(cell) = super::values::json(item) {
            cells.push(cell);
        }
    }
    cells
}

fn at_once(checker: &mut Checker, node: &Node<'_>) -> Option<u32> {
    let most = checker.integer(node, "max_parallel", 1..=10_000)?;
    Some(u32::try_from(most).expect("the range was checked"))
}

fn refuse_too_many(checker: &mut Checker, node: &Node<'_>, spread: &Spread) {
    let Over::Matrix { axes, .. } = &spread.over else { return };
    let size = |values: &Value| values.as_array().map_or(1, Vec::len);
    let count = axes.iter().fold(1usize, |product, (_, values)| product.saturating_mul(size(values)));
    if count > MOST_CELLS {
        let message = format!("the matrix has {count} cells");
        checker.report(Finding::new(
            Code::E0121,
            node.span.clone(),
            message,
            format!("at most {MOST_CELLS} are possible"),
        ));
    }
}

/// Whether expressions know nothing else by this name.
fn is_free(checker: &mut Checker, name: &str, field: &Field<'_>) -> bool {
    let others = free::SOMETIMES.into_iter().filter(|other| *other != "item");
    let is_taken = free::ROOTS.into_iter().chain(free::LIBRARY).chain(others).any(|other| other == name);
    let is_word = KEYWORDS.contains(&name);
    if is_taken || is_word {
        let message = format!("`{name}` cannot be the name of an item");
        let label = if is_word { "a word of Lua" } else { "expressions know something else by this name" };
        let finding = Finding::new(Code::E0123, field.value.span.clone(), message, label);
        checker.report(finding.help("choose another, such as `file`; without `as` it is `item`"));
    }
    !(is_taken || is_word)
}

/// `foreach: {items, as, max_parallel}`, or the items alone.
pub(super) fn foreach(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<Spread> {
    let path = above.child("foreach");
    let (mut items, mut name, mut max_parallel) = (None, "item".to_owned(), None);
    if let Kind::Map(_) = node.kind {
        let mut has_items = false;
        for field in checker.fields(node, &path)? {
            match field.key {
                "items" => {
                    has_items = true;
                    items = values(checker, field.value, "items");
                }
                "as" => {
                    let given = checker.filled_text(field.value, "as");
                    name = given
                        .filter(|name| checker.is_identifier(name, &field.value.span, "an item"))
                        .filter(|name| is_free(checker, name, &field))
                        .unwrap_or(name);
                }
                "max_parallel" => max_parallel = at_once(checker, field.value),
                _ => _ = checker.unknown(&field, &path, &keys::FOREACH),
            }
        }
        if !has_items {
            let finding = Finding::new(
                Code::E0130,
                node.span.clone(),
                format!("{path} has no `items`"),
                "`items` is required",
            );
            checker
                .report(finding.help("a list, or one expression such as `${{ tasks.list.outputs.files }}`"));
        }
    } else {
        items = values(checker, node, "foreach");
    }
    if let Some(Value::Array(all)) = &items
        && all.len() > MOST_CELLS
    {
        let message = format!("`items` has {} entries", all.len());
        checker.report(Finding::new(
            Code::E0121,
            node.span.clone(),
            message,
            format!("at most {MOST_CELLS} are possible"),
        ));
    }
    Some(Spread { over: Over::Items { items: items?, name }, max_parallel, fail_fast: false })
}
